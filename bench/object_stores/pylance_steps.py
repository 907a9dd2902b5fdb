"""What steps.cc does, with pylance: pylance_steps.py URI COLUMN QUERIES.npy K NPROBES CACHE_FOLDER [KEY=VALUE...]"""

import json
import sys
import time

import lance
import numpy as np

uri, column, queries, k, nprobes, _, *pairs = sys.argv[1:]
options = dict(pair.split("=", 1) for pair in pairs)
queries = np.load(queries)
dataset = None


def query(number, columns=(), **more):
    nearest = {"column": column, "q": queries[number], "k": int(k), "nprobes": int(nprobes), **more}
    return dataset.to_table(columns=list(columns), with_row_id=True, nearest=nearest)["_rowid"].to_pylist()


for line in sys.stdin:
    what, *number = line.split()
    start = time.perf_counter()
    rows = []
    if what == "open":
        dataset = lance.dataset(uri, version=int(number[0]) if number else None, storage_options=options)
    elif what == "prewarm":
        dataset.prewarm_index(dataset.describe_indices()[0].name)
    else:
        more = {"refine": {"refine_factor": 5}, "columns": {"columns": ["title", "number"]}}
        rows = query(int(number[0]), **more.get(what, {}))
    print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}), flush=True)
