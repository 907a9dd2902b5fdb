"""What taking and scanning rows costs, ours beside pylance's on the same files, in turns; prints a Markdown table.

    bench/rows/measure.py STEPS_BINARY WORK_FOLDER [--rounds 7] [--versions 2.0,2.1,2.2] [--steps take,scan] [--texts FILE]

Each engine runs in a process of its own with its default settings, and once more on one processor (taskset). What is
shown is the median of the rounds, a round of takes being itself the median of many.
"""

import argparse
import pathlib
import statistics
import sys

import lance
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from engine import Engine  # noqa: E402

ROWS, FRAGMENT = 1_000_000, 250_000
ALL = "number,value,text"
# name: rows at a time (none for a scan), columns
STEPS = {"take 10 rows": (10, ALL), "take 1,000 rows": (1_000, ALL), "scan int64": (None, "number"),
         "scan float32": (None, "value"), "scan text": (None, "text"), "scan all three": (None, ALL)}
TAKES = {10: 100, 1_000: 30}


def sentences(texts):
    """Real ones if there are, otherwise of words of random letters; each of them occurs once."""
    rng = np.random.default_rng(5)
    if texts:
        lines = texts.read_text().splitlines()
    else:
        letters = rng.integers(ord("a"), ord("z") + 1, size=(5_000, 9), dtype=np.uint8)
        words = [bytes(word[:length]).decode() for word, length in zip(letters, rng.integers(2, 10, size=5_000))]
        lines = [" ".join(words[i] for i in row) for row in rng.integers(0, 5_000, size=(100_000, 8))]
    return [f"{lines[row % len(lines)]} {row}" for row in range(ROWS)]


def make_dataset(folder, version, texts):
    place = folder / f"rows_{version}{'_texts' if texts else ''}.lance"
    if not place.exists():
        rng = np.random.default_rng(4)
        table = pa.table({"number": rng.integers(0, 1 << 40, size=ROWS), "text": sentences(texts),
                          "value": rng.normal(size=ROWS).astype(np.float32)})
        lance.write_dataset(table, place, data_storage_version=version, max_rows_per_file=FRAGMENT)
    return place


def write_ids(folder):
    files = {}
    for count, takes in TAKES.items():
        rows = np.random.default_rng(count).integers(0, ROWS, size=count * takes)
        files[count] = folder / f"ids_{count}.bin"
        (rows // FRAGMENT << 32 | rows % FRAGMENT).astype(np.uint64).tofile(files[count])
    return files


def opened(command):
    engine = Engine(command)
    engine.ask("open")
    return engine


def measure(engines, line, rounds):
    """The median time of each engine, which take turns. The first round is not counted."""
    seconds = {name: [] for name in engines}
    for _ in range(rounds + 1):
        answers = {name: engine.ask(line) for name, engine in engines.items()}
        if len({answer["rows"] for answer in answers.values()}) != 1:
            sys.exit(f"{line}: {answers}")
        for name, answer in answers.items():
            seconds[name].append(answer["seconds"])
    return [statistics.median(times[1:]) for times in seconds.values()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps_binary")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--versions", default="2.0,2.1,2.2")
    parser.add_argument("--steps", default="")
    parser.add_argument("--texts", type=pathlib.Path, help="a file of sentences, one a line")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    ids = write_ids(arguments.work)
    script = pathlib.Path(__file__).with_name("pylance_steps.py")
    print("| version | step | pylance | fewter | ratio | one processor: pylance | fewter | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for version in arguments.versions.split(","):
        place = str(make_dataset(arguments.work, version, arguments.texts))
        commands = {"pylance": [sys.executable, str(script), place], "fewter": [arguments.steps_binary, place]}
        settings = [{name: opened(prefix + command) for name, command in commands.items()}
                    for prefix in ([], ["taskset", "-c", "1"])]
        for step, (count, columns) in STEPS.items():
            if arguments.steps not in step:
                continue
            line = f"take {ids[count]} {count} {columns}" if count else f"scan {columns}"
            cells = []
            for engines in settings:
                theirs, ours = measure(engines, line, arguments.rounds)
                cells += [f"{theirs * 1e3:,.2f} ms", f"{ours * 1e3:,.2f} ms", f"{theirs / ours:.1f}"]
            print(f"| {version} | {step} | {' | '.join(cells)} |", flush=True)
        for engine in [one for engines in settings for one in engines.values()]:
            engine.end()


if __name__ == "__main__":
    main()
