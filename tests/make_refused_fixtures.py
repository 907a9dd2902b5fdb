#!/usr/bin/env python3
"""Writes datasets with pylance that we do not search, for tests/search_test.cc.

    tests/make_refused_fixtures.py OUT_FOLDER

multivector.lance: three vectors a row and an index over them.
"""

import os
import pathlib
import shutil
import sys

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    values = np.random.default_rng(1).normal(size=300 * 3 * 8).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values), 8)
    rows = pa.ListArray.from_arrays(pa.array(range(0, 901, 3), pa.int32()), vectors)
    dataset = lance.write_dataset(pa.table({"vector": rows}), out / "multivector.lance")
    dataset.create_index("vector", "IVF_FLAT", metric="cosine", num_partitions=2)


if __name__ == "__main__":
    main()
