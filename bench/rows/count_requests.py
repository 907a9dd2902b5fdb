"""How many requests a take of 10 rows of 3 columns sends to S3, ours beside pylance's on the same bucket.

    bench/rows/count_requests.py STEPS_BINARY WORK_FOLDER [--versions 2.0,2.1,2.2] [--delay 20] [--processes 5]

The datasets are those of measure.py. The bucket is moto's, behind the proxy of the tests, which adds a delay (in
milliseconds) to every request and counts. Each engine runs in processes of its own, in turn with the other's, which keep
nothing for the next; times are their medians. Before that each runs once, since the server gets faster with use.
"""

import argparse
import pathlib
import statistics
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


def measure(proxy, engine, line):
    """Requests, KB, rounds and milliseconds of one step."""
    proxy.take()
    seconds = engine.ask(line)["seconds"]
    requests = proxy.take()
    return [len(requests), sum(one.bytes for one in requests) / 1e3, s3_proxy.rounds(requests), seconds * 1e3]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps_binary")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--versions", default="2.0,2.1,2.2")
    parser.add_argument("--delay", type=float, default=20)
    parser.add_argument("--processes", type=int, default=5)
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
        commands = {"ours": [arguments.steps_binary], "pylance's": [sys.executable, str(script)]}
        measured = {(step, engine): [] for step in steps for engine in commands}
        for process in range(arguments.processes + 1):
            for engine, command in commands.items():
                opened_engine = opened(command + [uri, *options])
                for step, line in steps.items():
                    cells = measure(s3.proxy, opened_engine, line)
                    if process > 0:
                        measured[step, engine].append(cells)
                opened_engine.end()
        for step in steps:
            cells = [[statistics.median(values) for values in zip(*measured[step, engine])] for engine in commands]
            print(f"| {version} | {step} | {' | '.join(f'{ours:,.0f} / {theirs:,.0f}' for ours, theirs in zip(*cells))} |",
                  flush=True)
    s3.stop()


main()
