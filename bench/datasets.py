#!/usr/bin/env python3
"""Makes the datasets that benchmarks search: the same 100,000 embeddings under every kind of index that pylance builds.

    bench/datasets.py DATA_FOLDER OUT_FOLDER [KIND...]        all kinds if none is named; what is there already is kept

DATA_FOLDER holds base.f16.npy and queries.f16.npy (sentence embeddings, unit length, 384 dimensions), and gt_ids.npy,
the exact nearest rows by cosine distance. Each kind becomes OUT_FOLDER/KIND.lance, its column "vector"; under Hamming the
vectors are the signs of the elements, 8 to a byte. The queries go to queries.npy and queries_hamming.npy there, the exact
neighbours to neighbours.npy and neighbours_hamming.npy. An index is built once and slowly; remove a folder to build anew.
"""

import dataclasses
import os
import pathlib
import shutil
import sys
import time

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Kind:
    index_type: str
    metric: str
    partitions: int
    parameters: dict = dataclasses.field(default_factory=dict)


# Under a graph the partitions are larger, since searching one costs little more for that. 48 bytes a vector for PQ.
KINDS = {
    "ivf_flat": Kind("IVF_FLAT", "cosine", 256),
    "ivf_pq8": Kind("IVF_PQ", "cosine", 256, {"num_sub_vectors": 48, "num_bits": 8}),
    "ivf_pq4": Kind("IVF_PQ", "cosine", 256, {"num_sub_vectors": 96, "num_bits": 4}),
    "ivf_sq": Kind("IVF_SQ", "cosine", 256),
    "ivf_rq1": Kind("IVF_RQ", "cosine", 256, {"num_bits": 1}),
    "ivf_rq5": Kind("IVF_RQ", "cosine", 256, {"num_bits": 5}),
    "ivf_hnsw_flat": Kind("IVF_HNSW_FLAT", "cosine", 16),
    "ivf_hnsw_pq": Kind("IVF_HNSW_PQ", "cosine", 16, {"num_sub_vectors": 48, "num_bits": 8}),
    "ivf_hnsw_sq": Kind("IVF_HNSW_SQ", "cosine", 16),
    "ivf_flat_hamming": Kind("IVF_FLAT", "hamming", 256),
    "ivf_hnsw_flat_hamming": Kind("IVF_HNSW_FLAT", "hamming", 16),
}


def signs(vectors: np.ndarray) -> np.ndarray:
    """Bit i % 8 of byte i / 8: whether element i is above zero."""
    return np.packbits(vectors > 0, axis=1, bitorder="little")


def load(data: pathlib.Path, metric: str):
    """(vectors, queries), float32, or uint8 under Hamming."""
    both = [np.load(data / name).astype(np.float32) for name in ("base.f16.npy", "queries.f16.npy")]
    return [signs(vectors) for vectors in both] if metric == "hamming" else both


def nearest_by_hamming(base: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """[queries, k] rows, ties to the lower one."""
    bits = np.unpackbits(base, axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    rows = []
    for query in np.unpackbits(queries, axis=1).astype(np.float32):
        distances = ones + query.sum() - 2 * (bits @ query)
        rows.append(np.argsort(distances, kind="stable")[:k])
    return np.array(rows, dtype=np.int32)


def write_queries(data: pathlib.Path, out: pathlib.Path, metric: str) -> None:
    suffix = "_hamming" if metric == "hamming" else ""
    neighbours = out / f"neighbours{suffix}.npy"
    if neighbours.exists():
        return
    base, queries = load(data, metric)
    # As floats, whatever the column holds: that is how a query is given.
    np.save(out / f"queries{suffix}.npy", queries.astype(np.float32))
    rows = nearest_by_hamming(base, queries, 100) if metric == "hamming" else np.load(data / "gt_ids.npy")
    np.save(neighbours, rows)


def make(data: pathlib.Path, out: pathlib.Path, name: str, kind: Kind | None = None) -> lance.LanceDataset:
    """The dataset of a kind, by default that of KINDS, built if it is not there."""
    uri = out / f"{name}.lance"
    if uri.exists():
        return lance.dataset(uri)
    kind = kind or KINDS[name]
    out.mkdir(parents=True, exist_ok=True)
    write_queries(data, out, kind.metric)
    base, _ = load(data, kind.metric)
    unfinished = out / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(pa.array(base.ravel()), base.shape[1])})
    dataset = lance.write_dataset(table, unfinished)
    dataset.create_index("vector", kind.index_type, metric=kind.metric, num_partitions=kind.partitions,
                         **kind.parameters)
    unfinished.rename(uri)
    return lance.dataset(uri)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    data, out = map(pathlib.Path, sys.argv[1:3])
    for name in sys.argv[3:] or KINDS:
        start = time.perf_counter()
        make(data, out, name)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
