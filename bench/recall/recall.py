#!/usr/bin/env python3
"""Recall@10 of every kind of index against the exact neighbours, ours beside pylance's, on the same index files and with
the same settings; prints Markdown tables.

    bench/recall/run.sh DATA_FOLDER [OUT_FOLDER] [KIND...]

DATA_FOLDER, OUT_FOLDER (default: build/bench-data) and the kinds as in bench/datasets.py, which makes what is missing.
Recall@10 is the share of the ten exact nearest rows that are among the ten returned, over 1,000 queries. Under Hamming,
where many rows are equally far, a row counts if it is no farther than the tenth of the exact ones.
"""

import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("LANCE_LOG", "error")

import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import datasets  # noqa: E402

BINARY = ROOT / "build" / "release" / "fewter"
K = 10
NPROBES = {256: [1, 10, 40], 16: [1, 4, 8]}
EFS = [15, 50, 200]


def settings(name):
    """What to vary: probes for all, the width of the walk for graphs, refining for what stores no exact vectors."""
    probes = NPROBES[datasets.KINDS[name].partitions]
    varied = [{"nprobes": n} for n in probes]
    if "hnsw" in name:
        varied = [{"nprobes": n, "ef": ef} for n in probes for ef in EFS]
    if "flat" not in name:
        varied += [{**setting, "refine": 5, **({"ef": 50} if "ef" in setting else {})} for setting in varied
                   if setting.get("ef", 50) == 50]
    return varied


def ours(dataset, queries_file, setting):
    command = [BINARY, "query", dataset.uri, "--column", "vector", "--vector", queries_file, "-k", str(K),
               "--nprobes", str(setting["nprobes"]), "--fast-search", "--json", "--cache", "memory://?capacity=2GiB"]
    for option in ("ef", "refine"):
        command += [f"--{option}", str(setting[option])] if option in setting else []
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [[row["_rowid"] for row in json.loads(line)["rows"]] for line in lines]


def pylance(dataset, queries, setting):
    nearest = {"column": "vector", "k": K, "nprobes": setting["nprobes"]}
    for option, name in (("ef", "ef"), ("refine", "refine_factor")):
        if option in setting:
            nearest[name] = setting[option]
    return [dataset.to_table(columns=["_distance"], nearest={**nearest, "q": query}, with_row_id=True)["_rowid"]
            .to_pylist() for query in queries]


class Truth:
    """Which rows are among the nearest."""

    def __init__(self, data, metric):
        self.neighbours = None if metric == "hamming" else np.load(data / "gt_ids.npy")[:, :K]
        if metric == "hamming":
            self.base, self.queries = datasets.load(data, metric)
            exact = datasets.nearest_by_hamming(self.base, self.queries, K)
            self.farthest = [self.distances(i, rows).max() for i, rows in enumerate(exact)]

    def distances(self, query, rows):
        return np.bitwise_count(self.base[rows] ^ self.queries[query]).sum(axis=1)

    def recall(self, found):
        hits = 0
        for i, rows in enumerate(found):
            if len(rows) != len(set(rows)):
                sys.exit(f"query {i}: a row twice")
            if self.neighbours is not None:
                hits += len(set(rows) & set(self.neighbours[i].tolist()))
            elif rows:
                hits += int((self.distances(i, rows) <= self.farthest[i]).sum())
        return hits / (K * len(found))


def measure(data, out, name, truth):
    kind = datasets.KINDS[name]
    dataset = datasets.make(data, out, name)
    suffix = "_hamming" if kind.metric == "hamming" else ""
    queries_file = out / f"queries{suffix}.npy"
    queries = np.load(queries_file)
    if kind.metric == "hamming":
        queries = queries.astype(np.uint8)
    for setting in settings(name):
        mine, theirs = ours(dataset, queries_file, setting), pylance(dataset, queries, setting)
        print(f"| {kind.index_type}{label(kind)} | {setting['nprobes']} of {kind.partitions} "
              f"| {setting.get('ef', '')} | {setting.get('refine', '')} "
              f"| {truth.recall(theirs):.4f} | {truth.recall(mine):.4f} "
              f"| {np.mean([len(set(a) & set(b)) / K for a, b in zip(mine, theirs)]):.4f} |", flush=True)


def label(kind):
    bits = kind.parameters.get("num_bits")
    text = f", {bits} bit{'' if bits == 1 else 's'}" if bits else ""
    return text + (f", {kind.parameters['num_sub_vectors']} codes" if "num_sub_vectors" in kind.parameters else "")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    data = pathlib.Path(sys.argv[1])
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "build" / "bench-data"
    names = sys.argv[3:] or list(datasets.KINDS)
    for metric in ("cosine", "hamming"):
        chosen = [name for name in names if datasets.KINDS[name].metric == metric]
        if not chosen:
            continue
        print(f"\n{metric}\n\n| index | nprobes | ef | refine | pylance | fewter | rows in common |\n"
              "| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
        truth = Truth(data, metric)
        for name in chosen:
            measure(data, out, name, truth)


if __name__ == "__main__":
    main()
