#!/usr/bin/env python3
"""Measures searches by us and by the peers, in turns, and adds a line of JSON for each setting to results.jsonl.

    bench/search/measure.py WORK_FOLDER [DATA_FOLDER] [--families flat,pq8,…] [--rounds N]

In each round every engine of a family is opened in a process of its own and goes through its settings. See
bench/search/run.sh, which calls it.
"""

import json
import pathlib
import subprocess
import sys

from arguments import parse
from families import EFFORTS, FAMILIES, FEW_EFFORTS, K, THREADS, effort_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = ROOT / "build" / "release" / "fewter"

# Holds every index.
MEMORY = "memory://?capacity=8GiB"


def ours(corpus, kind: str, effort: str, efforts=EFFORTS, cache: str = MEMORY, threads=THREADS):
    """The command that measures us, a line of JSON a setting."""
    values = ",".join(map(str, efforts[effort]))
    return [BINARY, "bench", corpus.work / f"{kind}.lance", "--column", "vector", "--queries",
            corpus.queries_file(), "--truth", corpus.data / "gt_ids.npy", "-k", str(K), f"--{effort}", values,
            "--threads", ",".join(map(str, threads)), "--cache", cache, "--json"]


def theirs(options, corpus, peer: str, effort: str):
    efforts = FEW_EFFORTS if peer.startswith("pylance") else EFFORTS
    values = ",".join(map(str, efforts[effort]))
    return [sys.executable, pathlib.Path(__file__).with_name("measure_peer.py"), options.work,
            *([options.data] if options.data else []), "--rows", str(options.rows), "--graph-rows",
            str(options.graph_rows), "--dimension", str(options.dimension), "--corpus", corpus.name,
            "--peer", peer, "--efforts", values]


def main() -> None:
    options, corpora = parse(__doc__)
    with open(options.work / "results.jsonl", "a") as results:
        for corpus in corpora:
            for family in corpus.families:
                kinds, others = FAMILIES[family]
                effort = effort_of(family)
                engines = {f"fewter {kind}": ours(corpus, kind, effort) for kind in kinds}
                engines |= {name: theirs(options, corpus, name, effort)
                            for name in others + [f"pylance {kind}" for kind in kinds]}
                for _ in range(options.rounds):
                    for engine, command in engines.items():
                        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                        for line in run.stdout.splitlines():
                            where = {"corpus": corpus.name, "family": family, "engine": engine}
                            results.write(json.dumps(where | json.loads(line)) + "\n")
                        results.flush()
                        print(f"{corpus.name}: {family}: {engine}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
