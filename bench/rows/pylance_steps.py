"""What steps.cc does, with pylance: pylance_steps.py URI [KEY=VALUE...]"""

import json
import statistics
import sys
import time

import lance
import numpy as np

uri, *pairs = sys.argv[1:]
options = dict(pair.split("=", 1) for pair in pairs)
dataset = None


def take(file, count, columns):
    ids = np.fromfile(file, dtype=np.uint64)
    seconds, rows = [], 0
    for begin in range(0, len(ids) - int(count) + 1, int(count)):
        some = ids[begin:begin + int(count)].tolist()
        start = time.perf_counter()
        rows += dataset._take_rows(some, columns=columns).num_rows
        seconds.append(time.perf_counter() - start)
    return statistics.median_high(seconds), rows


def scan(columns):
    start = time.perf_counter()
    rows = sum(batch.num_rows for batch in dataset.to_batches(columns=columns))
    return time.perf_counter() - start, rows


for line in sys.stdin:
    what, *arguments = line.split()
    if arguments:
        arguments[-1] = arguments[-1].split(",")
    begin = time.perf_counter()
    if what == "open":
        dataset = lance.dataset(uri, storage_options=options or None)
        answer = time.perf_counter() - begin, 0
    else:
        answer = (take if what == "take" else scan)(*arguments)
    print(json.dumps({"seconds": answer[0], "rows": answer[1]}), flush=True)
