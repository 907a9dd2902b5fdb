#!/usr/bin/env python3
"""From the start of a process to its first answer, by pylance; one line of JSON. The counterpart of first_answer.cc.

    first_answer.py URI COLUMN QUERIES.npy K NPROBES

answer_ms starts when the dataset is opened, after the imports; measure.py also takes the time from before the process
starts, most of which is Python's and the imports'.
"""

import json
import os
import sys
import time

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402

uri, column, queries, k, nprobes = sys.argv[1:]
query = np.load(queries)[0].astype(np.float32)
start = time.perf_counter()
dataset = lance.dataset(uri)
nearest = {"column": column, "q": query, "k": int(k), "nprobes": int(nprobes)}
table = dataset.to_table(columns=["_distance"], nearest=nearest, with_row_id=True)
print(json.dumps({"answer_ms": (time.perf_counter() - start) * 1e3, "row": table["_rowid"][0].as_py()}), flush=True)
