#!/usr/bin/env python3
"""Warm query latency by one caller, ours beside pylance's, on the same index files; prints a Markdown table.

    bench/latency.py [DATA_FOLDER]

DATA_FOLDER holds base.f16.npy and queries.f16.npy (sentence embeddings, unit length). Without it, clustered random
vectors of the same shape are made. The two are measured in turns, so that both see the machine in the same moods.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench-data"
BINARY = ROOT / "build" / "release" / "bench" / "query_latency"
K = 10
TURNS = 3
SETTINGS = [(20_000, "IVF_FLAT", 64), (20_000, "IVF_PQ", 64), (100_000, "IVF_FLAT", 256), (100_000, "IVF_PQ", 256)]
NPROBES = 20


def load(folder):
    if folder is not None:
        base = np.load(pathlib.Path(folder) / "base.f16.npy").astype(np.float32)
        return base, np.load(pathlib.Path(folder) / "queries.f16.npy")[:200].astype(np.float32)
    rng = np.random.default_rng(1)
    centers = rng.normal(size=(500, 384))
    points = centers[rng.integers(0, 500, 100_200)] + rng.normal(size=(100_200, 384))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return points[:100_000], points[100_000:]


def make_dataset(base, rows, kind, partitions, source):
    uri = WORK / f"{source}_{rows}_{kind.lower()}.lance"
    if uri.exists():
        return lance.dataset(uri)
    flat = pa.array(base[:rows].ravel())
    table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(flat, base.shape[1])})
    dataset = lance.write_dataset(table, uri)
    extra = {"num_sub_vectors": 48} if kind == "IVF_PQ" else {}
    return dataset.create_index("vector", kind, metric="cosine", num_partitions=partitions, **extra)


def pylance_times(dataset, queries):
    times = []
    for query in queries:
        nearest = {"column": "vector", "q": query, "k": K, "nprobes": NPROBES}
        start = time.perf_counter()
        dataset.to_table(columns=["_distance"], nearest=nearest, with_row_id=True)
        times.append((time.perf_counter() - start) * 1e6)
    return times


def our_times(uri, queries_file):
    command = [BINARY, uri, "vector", queries_file, str(K), str(NPROBES), "5"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    WORK.mkdir(parents=True, exist_ok=True)
    base, queries = load(folder)
    source = "data" if folder else "made"
    queries_file = WORK / f"{source}_queries.npy"
    np.save(queries_file, queries)
    print("| rows | index | pylance p50 | fewter p50 | pylance p99 | fewter p99 | ratio of p50 |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for rows, kind, partitions in SETTINGS:
        dataset = make_dataset(base, rows, kind, partitions, source)
        dataset.prewarm_index("vector_idx")
        pylance_times(dataset, queries)
        theirs, ours = [], []
        for _ in range(TURNS):
            theirs += pylance_times(dataset, queries)
            ours.append(our_times(dataset.uri, queries_file))
        theirs.sort()
        our_p50 = statistics.median(run["p50_us"] for run in ours)
        our_p99 = statistics.median(run["p99_us"] for run in ours)
        p50, p99 = theirs[len(theirs) // 2], theirs[len(theirs) * 99 // 100]
        print(f"| {rows:,} | {kind}, {partitions} partitions | {p50:,.0f} µs | {our_p50:,.0f} µs | {p99:,.0f} µs "
              f"| {our_p99:,.0f} µs | {p50 / our_p50:.1f} |", flush=True)


if __name__ == "__main__":
    main()
