"""What queries on S3 cost: requests, bytes, rounds and time, ours beside pylance's on the same bucket.

    bench/object_stores/measure.py STEPS_BINARY WORK_FOLDER [--tables small,large] [--delays 0,20,100] [--indexes IVF_PQ,...]

The bucket is moto's, behind the proxy of the tests, which adds a delay to every request and counts. Each engine runs in a
process of its own, which is asked for one step after another. Of the small tables all index files are small enough that we
read them whole, of each large one a file is not.
"""

import argparse
import dataclasses
import pathlib
import shutil
import sys
import time

import lance
import numpy as np
import pyarrow as pa

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]
from engine import Engine  # noqa: E402
import s3_proxy  # noqa: E402


@dataclasses.dataclass
class Shape:
    rows: int
    dimension: int
    partitions: int
    options: dict = dataclasses.field(default_factory=dict)


SMALL, LARGE, WIDE = (20_000, 64, 64), (60_000, 64, 200), (60_000, 160, 200)
TABLES = {
    "small": {"IVF_FLAT": Shape(*SMALL), "IVF_PQ": Shape(*SMALL, {"num_sub_vectors": 16}), "IVF_SQ": Shape(*SMALL),
              "IVF_RQ": Shape(*SMALL, {"num_bits": 1}), "IVF_HNSW_FLAT": Shape(*SMALL),
              "IVF_HNSW_PQ": Shape(*SMALL, {"num_sub_vectors": 16}), "IVF_HNSW_SQ": Shape(*SMALL)},
    # No larger than they must be, since the server reads all of a file to send a part of it. The size of graphs depends on
    # the rows alone; of IVF_HNSW_FLAT both files are large.
    "large": {"IVF_FLAT": Shape(*LARGE), "IVF_PQ": Shape(200_000, 48, 200, {"num_sub_vectors": 48}), "IVF_SQ": Shape(*WIDE),
              "IVF_RQ": Shape(*WIDE, {"num_bits": 8}), "IVF_HNSW_FLAT": Shape(*LARGE),
              "IVF_HNSW_PQ": Shape(*LARGE, {"num_sub_vectors": 16}), "IVF_HNSW_SQ": Shape(*LARGE)},
}
READ_WHOLE = 8 << 20  # index files up to this size are
# Process by process: what is asked of it, and the row of the table that it belongs to. A new one finds what the last left
# in the cache folder, unless it is "cold".
PROCESSES = [
    ("cold", [("open", "open"), ("first query", "query 0"), ("same query", "query 0"), ("other query", "query 1"),
              ("two columns", "columns 0"), ("refined", "refine 0")]),
    ("warm", [("new process", "open"), ("new process", "query 0"), ("new process", "columns 0"),
              ("new process", "refine 0")]),
    ("warm", [("the same, version named", "open {version}"), ("the same, version named", "query 0"),
              ("the same, version named", "columns 0"), ("the same, version named", "refine 0")]),
    ("cold", [("", "open"), ("prewarm", "prewarm"), ("query after prewarm", "query 2")]),
]


def vectors_of(shape):
    return np.random.default_rng(3).normal(size=(shape.rows, shape.dimension)).astype(np.float32)


def make_table(place, index, shape):
    """Centroids are rows, since nothing here depends on how good they are, and training them would take minutes."""
    if (place / "queries.npy").exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    vectors = vectors_of(shape)
    table = pa.table({"title": [f"the title of row {i}" for i in range(shape.rows)], "number": range(shape.rows),
                      "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), shape.dimension)})
    dataset = lance.write_dataset(table, place / "table.lance")
    dataset.create_index("vector", index, num_partitions=shape.partitions, ivf_centroids=vectors[:shape.partitions],
                         sample_rate=16, **shape.options)
    np.save(place / "queries.npy", vectors[[11, 7_777, 15_555]] + 0.01)


def index_files(place):
    """The sizes in bytes of index.idx and auxiliary.idx."""
    sizes = {file.name: file.stat().st_size for file in (place / "table.lance" / "_indices").rglob("*.idx")}
    return sizes["index.idx"], sizes["auxiliary.idx"]


@dataclasses.dataclass
class Row:
    requests: int = 0
    bytes: int = 0
    rounds: int = 0
    seconds: float = 0.0
    rows: list = dataclasses.field(default_factory=list)


def run(s3, command, cache, version):
    """{name of a row of the table: Row}"""
    measured = {}
    for state, steps in PROCESSES:
        if state == "cold":
            shutil.rmtree(cache, ignore_errors=True)
        engine = Engine(command)
        for name, line in steps:
            s3.proxy.take()
            answer = engine.ask(line.format(version=version))
            requests = s3.proxy.take()
            if name:
                row = measured.setdefault(name, Row())
                row.requests += len(requests)
                row.bytes += sum(one.bytes for one in requests)
                row.rounds += s3_proxy.rounds(requests)
                row.seconds += answer["seconds"]
                row.rows = answer["rows"]
        engine.end()
    return measured


class Measurement:
    """One engine beside the other on one bucket; progress goes to standard error."""

    def __init__(self, arguments, s3):
        self._arguments, self._s3 = arguments, s3

    def print_tables(self, size):
        shapes = {index: TABLES[size][index] for index in self._arguments.indexes}
        places = {index: self._arguments.work / size / index for index in shapes}
        for index, shape in shapes.items():
            self._tell(f"{size} {index}: making the table")
            make_table(places[index], index, shape)
        if size == "large":
            self._print_files(shapes, places)
        delays = self._arguments.delays
        times = [f"ms at {delay} ms a request" if delay == delays[0] else f"at {delay} ms" for delay in delays]
        print(f"| index | step | requests | KB | rounds | {' | '.join(times)} |")
        print("| --- | --- | ---: | ---: | ---: |" + " ---: |" * len(delays))
        for number, index in enumerate(shapes):
            self._print_steps(f"{size} {index}", index, places[index], number == 0)

    def _print_files(self, shapes, places):
        print("| index | rows x dimensions | partitions | index.idx, MB | auxiliary.idx, MB |")
        print("| --- | --- | ---: | ---: | ---: |")
        for index, shape in shapes.items():
            graphs, codes = index_files(places[index])
            if max(graphs, codes) <= READ_WHOLE:
                sys.exit(f"{index}: files of {graphs} and {codes} bytes are not large")
            print(f"| {index} | {shape.rows:,} x {shape.dimension} | {shape.partitions} | {graphs / 1e6:.1f} | {codes / 1e6:.1f} |")
        print(flush=True)

    def _print_steps(self, name, index, place, is_first):
        results = self._run_all(name, place)
        # Requests and rounds are those under the longest delay, where nothing else tells requests apart.
        for step, ours in results["fewter"][-1].items():
            theirs = results["pylance"][-1][step]
            if "HNSW" not in index and len(set(ours.rows) & set(theirs.rows)) < len(ours.rows) - 1:
                sys.exit(f"{index}, {step}: rows {ours.rows} and {theirs.rows}")
            if ours.requests + theirs.requests == 0 or (step == "open" and not is_first):
                continue  # nothing to compare, or the same for all
            times = [f"{our[step].seconds * 1e3:,.0f} / {their[step].seconds * 1e3:,.0f}"
                     for our, their in zip(results["fewter"], results["pylance"])]
            print(f"| {'any' if step == 'open' else index} | {step} | {ours.requests} / {theirs.requests} | "
                  f"{ours.bytes / 1e3:,.0f} / {theirs.bytes / 1e3:,.0f} | {ours.rounds} / {theirs.rounds} | "
                  f"{' | '.join(times)} |", flush=True)

    def _run_all(self, name, place):
        """{engine: what `run` returns for each delay}"""
        uri = self._s3.put(place / "table.lance", name.replace(" ", "_"))
        version = lance.dataset(str(place / "table.lance")).version
        results = {"fewter": [], "pylance": []}
        cache = self._arguments.work / "cache"
        common = [uri, "vector", str(place / "queries.npy"), "10", "10", f"{cache}/",
                  *(f"{key}={value}" for key, value in self._s3.storage_options().items())]
        engines = {"fewter": [self._arguments.steps, *common],
                   "pylance": [sys.executable, str(pathlib.Path(__file__).with_name("pylance_steps.py")), *common]}
        try:
            for delay in self._arguments.delays:
                self._tell(f"{name}: at {delay} ms a request")
                self._s3.proxy.delay = delay / 1000
                for engine, command in engines.items():
                    results[engine].append(run(self._s3, command, cache, version))
        finally:
            shutil.rmtree(cache, ignore_errors=True)
        self._s3.drop(uri)
        return results

    @staticmethod
    def _tell(what):
        print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def names(known):
    """For an option: a list of names, with commas."""
    def parse(text):
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: only {', '.join(known)}")
        return chosen
    return parse


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--tables", type=names(TABLES), default=list(TABLES))
    parser.add_argument("--delays", type=lambda text: [int(delay) for delay in text.split(",")], default=[0, 20, 100])
    parser.add_argument("--indexes", type=names(TABLES["small"]), default=list(TABLES["small"]))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    s3 = s3_proxy.S3()
    try:
        for number, size in enumerate(arguments.tables):
            if number > 0:
                print()
            Measurement(arguments, s3).print_tables(size)
    finally:
        s3.stop()


main()
