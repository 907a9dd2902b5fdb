#!/usr/bin/env python3
"""Measures one peer as `fewter bench --json` measures us, and prints the same lines.

    bench/search/measure_peer.py WORK_FOLDER [DATA_FOLDER] --corpus NAME --peer NAME --efforts 1,5,20

Several callers are processes that share the memory of one index, so that Python's lock does not slow them; but pylance,
which has threads of its own that do not survive a fork, is called by threads.
"""

import gc
import json
import multiprocessing
import threading
import time
import warnings

import numpy as np

import peers
from arguments import parse
from families import K, THREADS

LEAST_SECONDS = 0.5


def rounds_of_searches(search, first: int, queries: int) -> tuple[list, float]:
    """Goes through all queries, over and over until the time is up; (nanoseconds of each search, searches a second)."""
    clock, times = time.perf_counter_ns, []
    order = [(first + i) % queries for i in range(queries)]
    gc.disable()
    start = now = clock()
    while now - start < LEAST_SECONDS * 1e9:
        for query in order:
            asked = clock()
            search(query)
            now = clock()
            times.append(now - asked)
    gc.enable()
    return times, len(times) / ((now - start) / 1e9)


def by_processes(make_search, queries: int, callers: int) -> list:
    # That is said of every fork after an import of lance; these processes don't use it.
    warnings.filterwarnings("ignore", message="lance is not fork-safe")
    fork = multiprocessing.get_context("fork")
    ready, pipes = fork.Barrier(callers), []

    def child(caller, out):
        search = make_search()
        ready.wait()
        out.send(rounds_of_searches(search, caller * queries // callers, queries))

    for caller in range(callers):
        ours, its = fork.Pipe(duplex=False)
        process = fork.Process(target=child, args=(caller, its))
        process.start()
        pipes.append((process, ours))
    seen = [pipe.recv() for _, pipe in pipes]
    for process, _ in pipes:
        process.join()
    return seen


def by_threads(make_search, queries: int, callers: int) -> list:
    ready, seen = threading.Barrier(callers), []

    def call(caller):
        search = make_search()
        ready.wait()
        seen.append(rounds_of_searches(search, caller * queries // callers, queries))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def recall_of(peer, effort: int, truth) -> float:
    search, found = peer.searcher(effort, K)
    hits = 0
    for query, rows in enumerate(truth):
        search(query)
        hits += len(np.intersect1d(found(), rows[:K]))
    return hits / (K * len(truth))


def main() -> None:
    def add(parser):
        for name in ("--corpus", "--peer", "--efforts"):
            parser.add_argument(name, required=True)

    options, corpora = parse(__doc__, add)
    (corpus,) = (corpus for corpus in corpora if corpus.name == options.corpus)
    kind, argument = peers.peers(corpus)[options.peer]
    peer = kind(corpus, argument)
    truth = corpus.truth()
    measure = by_threads if kind is peers.Pylance else by_processes
    for effort in map(int, options.efforts.split(",")):
        recall = recall_of(peer, effort, truth)
        for callers in THREADS:
            seen = measure(lambda effort=effort: peer.searcher(effort, K)[0], len(truth), callers)
            times = np.sort(np.concatenate([times for times, _ in seen])) / 1e3
            print(json.dumps({"k": K, peer.effort: effort, "threads": callers, "p50_us": times[len(times) // 2],
                              "p99_us": times[len(times) * 99 // 100], "qps": sum(rate for _, rate in seen),
                              "recall": recall}), flush=True)


if __name__ == "__main__":
    main()
