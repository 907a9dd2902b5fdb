"""How many requests a take of 10 rows of 3 columns sends to S3, ours beside pylance's on the same bucket.

    bench/rows/count_requests.py STEPS_BINARY WORK_FOLDER [--versions 2.0,2.1,2.2] [--delay 20]

The datasets are those of measure.py. The bucket is moto's, behind the proxy of the tests, which adds a delay (in
milliseconds) to every request and counts. Each engine runs in a process of its own, which keeps nothing for the next.
"""

import argparse
import pathlib
import sys

import numpy as np

from measure import ALL, FRAGMENT, ROWS, make_dataset, opened

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))
import s3_proxy  # noqa: E402

COUNT = 10


def take_line(folder, name, seed):
    rows = np.random.default_rng(seed).integers(0, ROWS, size=COUNT)
    (rows // FRAGMENT << 32 | rows % FRAGMENT).astype(np.uint64).tofile(folder / name)
    return f"take {folder / name} {COUNT} {ALL}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps_binary")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--versions", default="2.0,2.1,2.2")
    parser.add_argument("--delay", type=float, default=20)
    arguments = parser.parse_args()
    first, other = (take_line(arguments.work, f"requests_{seed}.bin", seed) for seed in (1, 2))
    steps = {"cold: the first take": first, "warm: other rows": other, "warm: the same rows": first}
    script = pathlib.Path(__file__).with_name("pylance_steps.py")
    s3 = s3_proxy.S3()
    s3.proxy.delay = arguments.delay / 1000
    print(f"| version | step | requests | KB | rounds | ms at {arguments.delay:g} ms a request |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for version in arguments.versions.split(","):
        uri = s3.put(make_dataset(arguments.work, version, None), f"rows_{version}")
        options = [f"{name}={value}" for name, value in s3.storage_options().items()]
        engines = [opened(command + [uri, *options])
                   for command in ([arguments.steps_binary], [sys.executable, str(script)])]
        for step, line in steps.items():
            cells = []
            for engine in engines:
                s3.proxy.take()
                seconds = engine.ask(line)["seconds"]
                requests = s3.proxy.take()
                cells.append([len(requests), round(sum(one.bytes for one in requests) / 1e3),
                              s3_proxy.rounds(requests), round(seconds * 1e3)])
            print(f"| {version} | {step} | {' | '.join(f'{ours:,} / {theirs:,}' for ours, theirs in zip(*cells))} |",
                  flush=True)
        for engine in engines:
            engine.end()
    s3.stop()


main()
