#!/usr/bin/env python3
"""Entries in mapped files of a disk cache beside the same on the heap: tables in Markdown, which are left in
WORK_FOLDER/mapped CORPUS.md.

    bench/search/mapped.py WORK_FOLDER [DATA_FOLDER] [--families flat,pq8,…] [--rounds N]

In each round heap, mapped and heap again, each in a process of its own that finds the disk cache filled. A ratio is the
median over the rounds of those within a round; that of the heap to itself tells how much of one is chance. See
bench/search/run.sh, which calls it.
"""

import collections
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

from arguments import parse
from families import FAMILIES, FEW_EFFORTS, MAPPED, THREADS, effort_of
from measure import BINARY, MEMORY, ours

# Some virtual machines hand the memory of a process that has ended back to their host 2 s later, which takes a core for
# a while, unless the next process has taken it by then: one with mapped entries does not need it.
PAUSE_SECONDS = 3


def fill(uri: pathlib.Path, cache: str) -> None:
    prewarm = [BINARY, "cache", "prewarm", uri, "--column", "vector", "--cache", cache, "--strict"]
    # Of a large index some partitions come faster than the disk tier takes them; each call brings more of them.
    for _ in range(5):
        done = subprocess.run(prewarm, capture_output=True, text=True)
        if done.returncode == 0:
            return
    sys.exit(done.stderr)


def huge_share(process: int) -> float | None:
    """Of what a process has mapped of cache segments, the share that lies in huge pages; none if there is nothing."""
    kilobytes = collections.Counter()
    is_segment = False
    for line in pathlib.Path(f"/proc/{process}/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            is_segment = line.endswith(".fwseg")
        elif is_segment:
            name, value, *_ = line.split()
            kilobytes[name] += int(value) if value.isdigit() else 0
    return kilobytes["FilePmdMapped:"] / kilobytes["Rss:"] if kilobytes["Rss:"] else None


def run(command: list, effort: str):
    """({(setting, threads): result}, the share in huge pages while it measured)."""
    time.sleep(PAUSE_SECONDS)
    results, share = {}, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            result = json.loads(line)
            # After the first of several settings, when all is warm and the process still there.
            share = huge_share(process.pid) if not results else share
            results[result[effort], result["threads"]] = result
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return results, share


def lines_of(corpus, kind: str, effort: str, rounds: int) -> list[str]:
    cache = f"{MEMORY},disk://{corpus.work.resolve()}/cache?capacity=20GiB"
    fill(corpus.work / f"{kind}.lance", cache)
    heap = ours(corpus, kind, effort, FEW_EFFORTS)
    on_disk = ours(corpus, kind, effort, FEW_EFFORTS, cache)
    turns = [[run(command, effort) for command in (heap, on_disk, heap)] for _ in range(rounds)]
    shares = [share for _, (_, share), _ in turns if share is not None]

    def median(engine: int, at) -> float:
        return statistics.median(turn[engine][0][at]["p50_us"] for turn in turns)

    def ratio(engine: int, at) -> float:
        return statistics.median(turn[engine][0][at]["qps"] / turn[0][0][at]["qps"] for turn in turns)

    lines = []
    for setting in FEW_EFFORTS[effort]:
        ratios = [f"{ratio(1, (setting, threads)):.2f} | {ratio(2, (setting, threads)):.2f}" for threads in THREADS]
        lines.append(f"| {kind} | {effort} {setting} | {statistics.median(shares):.0%} "
                     f"| {median(0, (setting, 1)):,.1f} µs | {median(1, (setting, 1)):,.1f} µs | {' | '.join(ratios)} |")
    return lines


def main() -> None:
    options, corpora = parse(__doc__)
    for corpus in corpora:
        table = ["| index | setting | in huge pages | heap p50 | mapped p50 | queries/s by those of the heap, 1 thread "
                 "| the heap again | 2 threads | the heap again |",
                 "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for family in corpus.families:
            for kind in FAMILIES[family][0]:
                if kind in MAPPED:
                    table += lines_of(corpus, kind, effort_of(family), options.rounds)
                    print(f"{corpus.name}: {kind}", file=sys.stderr, flush=True)
        text = "\n".join(table)
        print(f"\n### {corpus.name}\n\n{text}")
        (options.work / f"mapped {corpus.name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
