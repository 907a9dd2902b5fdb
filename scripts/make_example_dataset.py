#!/usr/bin/env python3
"""Makes examples/packages.lance and the files beside it: real sentence embeddings of Python packages' summaries.

    scripts/make_example_dataset.py DATA_FOLDER [OUT_FOLDER]

DATA_FOLDER holds base.f16.npy [n, 384], base_names.txt (a line a row), queries.f16.npy, queries_texts.txt and gt_ids.npy
(each query's exact neighbours): sentence embeddings made with all-MiniLM-L6-v2. The dataset gets the neighbours of a few
queries, so that there is something to find, and random rows. The result is in the repository already; run this only to
make it again.
"""

import pathlib
import shutil
import sys

import lance
import numpy as np
import pyarrow as pa

ROWS = 5000
QUERIES = [29, 52, 56, 78, 30, 40]


def main() -> None:
    data = pathlib.Path(sys.argv[1])
    out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "examples")
    vectors = np.load(data / "base.f16.npy", mmap_mode="r")
    names = (data / "base_names.txt").read_text().splitlines()
    nearest = np.unique(np.load(data / "gt_ids.npy")[QUERIES, :10])
    others = np.setdiff1d(np.random.default_rng(7).permutation(len(vectors))[:ROWS], nearest)
    chosen = np.sort(np.concatenate([nearest, others])[:ROWS])

    table = pa.table({
        "name": pa.array([names[i] for i in chosen]),
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors[chosen].astype(np.float32).ravel()), vectors.shape[1]),
    })
    uri = out / "packages.lance"
    shutil.rmtree(uri, ignore_errors=True)
    dataset = lance.write_dataset(table, uri)
    dataset.create_index("vector", "IVF_PQ", metric="cosine", num_partitions=16, num_sub_vectors=48)

    (out / "packages_names.txt").write_text("".join(names[i] + "\n" for i in chosen))
    queries = np.load(data / "queries.f16.npy")[QUERIES].astype(np.float32)
    np.save(out / "packages_queries.npy", queries)
    texts = (data / "queries_texts.txt").read_text().splitlines()
    (out / "packages_queries.txt").write_text("".join(texts[i] + "\n" for i in QUERIES))


if __name__ == "__main__":
    main()
