"""What queries on S3 cost: requests, bytes, rounds and time, ours beside pylance's on the same bucket.

    bench/object_stores/measure.py STEPS_BINARY WORK_FOLDER [--delays 0,20,100] [--indexes IVF_PQ,...]

The bucket is moto's, behind the proxy of the tests, which adds a delay to every request and counts. Each engine runs in a
process of its own, which is asked for one step after another.
"""

import argparse
import dataclasses
import pathlib
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]
from engine import Engine  # noqa: E402
import s3_proxy  # noqa: E402

ROWS, DIMENSION, PARTITIONS = 20_000, 64, 64
INDEXES = {"IVF_FLAT": {}, "IVF_PQ": {"num_sub_vectors": 16}, "IVF_SQ": {}, "IVF_RQ": {"num_bits": 1},
           "IVF_HNSW_FLAT": {}, "IVF_HNSW_PQ": {"num_sub_vectors": 16}, "IVF_HNSW_SQ": {}}
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


def make_table(folder, index):
    place = folder / f"{index}.lance"
    if not place.exists():
        vectors = np.random.default_rng(3).normal(size=(ROWS, DIMENSION)).astype(np.float32)
        np.save(folder / "queries.npy", vectors[[11, 7_777, 15_555]] + 0.01)
        table = pa.table({"title": [f"the title of row {i}" for i in range(ROWS)], "number": range(ROWS),
                          "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)})
        dataset = lance.write_dataset(table, place)
        dataset.create_index("vector", index, num_partitions=PARTITIONS, **INDEXES[index])
    return place


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--delays", default="0,20,100")
    parser.add_argument("--indexes", default=",".join(INDEXES))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    delays = [int(delay) for delay in arguments.delays.split(",")]
    s3 = s3_proxy.S3()
    here = pathlib.Path(__file__).parent
    print("| index | step | requests | KB | rounds | " + " | ".join(f"ms at {delay} ms a request" for delay in delays) + " |")
    print("| --- | --- | ---: | ---: | ---: | " + " | ".join("---:" for _ in delays) + " |")
    for index in arguments.indexes.split(","):
        place = make_table(arguments.work, index)
        uri = s3.put(place, index)
        version = lance.dataset(str(place)).version
        common = [uri, "vector", str(arguments.work / "queries.npy"), "10", "10", str(arguments.work / "cache") + "/",
                  *(f"{name}={value}" for name, value in s3.storage_options().items())]
        engines = {"fewter": [arguments.steps, *common],
                   "pylance": [sys.executable, str(here / "pylance_steps.py"), *common]}
        results = {name: [] for name in engines}
        for delay in delays:
            s3.proxy.delay = delay / 1000
            for name, command in engines.items():
                results[name].append(run(s3, command, arguments.work / "cache", version))
        # Requests and rounds are those under the longest delay, where nothing else tells requests apart.
        for step, ours in results["fewter"][-1].items():
            theirs = results["pylance"][-1][step]
            if "HNSW" not in index and len(set(ours.rows) & set(theirs.rows)) < len(ours.rows) - 1:
                sys.exit(f"{index}, {step}: rows {ours.rows} and {theirs.rows}")
            if ours.requests + theirs.requests == 0 or (step == "open" and index != arguments.indexes.split(",")[0]):
                continue  # nothing to compare, or the same for all
            times = [f"{our[step].seconds * 1e3:,.0f} / {their[step].seconds * 1e3:,.0f}"
                     for our, their in zip(results["fewter"], results["pylance"])]
            print(f"| {'any' if step == 'open' else index} | {step} | {ours.requests} / {theirs.requests} | "
                  f"{ours.bytes / 1e3:,.0f} / {theirs.bytes / 1e3:,.0f} | {ours.rounds} / {theirs.rounds} | "
                  f"{' | '.join(times)} |", flush=True)
    s3.stop()


main()
