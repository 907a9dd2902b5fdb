#!/usr/bin/env python3
"""One query by two threads, and a batch of queries in one call by one and by two, ours beside FAISS: a table in
Markdown, which is left in WORK_FOLDER/batches.md.

    bench/search/batches.py WORK_FOLDER [DATA_FOLDER] [--families flat,pq8,…] [--rounds N]

At nprobes 20 for indexes with partitions. The peer is the first of the family in families.py, its indexes those that
bench/search/build.py made. See bench/search/run.sh, which calls it.
"""

import json
import pathlib
import statistics
import subprocess
import time

import faiss
import numpy as np

import peers
from arguments import parse
from families import FAMILIES, GRAPHS, K

BINARY = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "release" / "bench" / "query_latency"
QUERIES = 1000
NPROBES = 20
LEAST_SECONDS = 0.5


def ours(corpus, kind: str, threads: int) -> dict:
    command = [BINARY, corpus.work / f"{kind}.lance", "vector", corpus.queries_file(QUERIES), str(K), str(NPROBES), "1",
               str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def faiss_rate(peer, threads: int) -> float:
    """Queries a second of calls with all queries."""
    faiss.omp_set_num_threads(threads)
    search, _ = peer.batch_searcher(NPROBES, K)
    search()
    calls, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < LEAST_SECONDS:
        search()
        calls += 1
    return calls * len(peer.queries) / seconds


def line_of(corpus, family: str, peer, rounds: int) -> str:
    (kind,), _ = FAMILIES[family]
    turns = [([ours(corpus, kind, threads) for threads in (1, 2)], [faiss_rate(peer, threads) for threads in (1, 2)])
             for _ in range(rounds)]

    def median(value):
        return [statistics.median(value(turn, i) for turn in turns) for i in (0, 1)]

    p50s = median(lambda turn, i: turn[0][i]["p50_us"])
    rates = median(lambda turn, i: turn[0][i]["batch_qps"])
    theirs = median(lambda turn, i: turn[1][i])
    cells = [f"{rates[i]:,.0f} | {theirs[i]:,.0f} | {rates[i] / theirs[i]:.2f}" for i in (0, 1)]
    return f"| {corpus.name} | {family} | {p50s[0]:.1f} µs | {p50s[1]:.1f} µs | {' | '.join(cells)} |"


def main() -> None:
    options, corpora = parse(__doc__)
    lines = ["| vectors | index | one query: p50 | by 2 threads | batch, 1 thread: queries/s | faiss | ratio "
             "| 2 threads: ours | faiss | ratio |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for corpus in corpora:
        opened = peers.peers(corpus)
        for family in (family for family in corpus.families if family not in GRAPHS):
            kind, argument = opened[FAMILIES[family][1][0]]
            lines.append(line_of(corpus, family, kind(corpus, argument, QUERIES), options.rounds))
    print("\n".join(lines))
    (options.work / "batches.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
