"""Writes a dataset for each kind of vector index that this release of pylance makes, with its own answers.

    write_datasets.py OUT                          run in an environment of that release, which has nothing else but
    write_datasets.py OUT KIND BITS METRIC TYPE    pyarrow and numpy; the second form writes one, smaller dataset

Each case is a folder RELEASE_KIND_METRIC_TYPE with `dataset.lance` and `own.json`:
    {"release", "kind", "bits", "metric", "sub_vectors", "queries": [[...]],
     "own": [{"query", "k", "nprobes", "rows": [[row id, distance]]} or {..., "error"}]}
"""

import json
import os
import pathlib
import sys
import zlib

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

METRICS = ["l2", "cosine", "dot"]
IS_SMALL = len(sys.argv) > 2
ROWS, DIMENSION, SUB_VECTORS, PARTITIONS = (260, 8, 4, 3) if IS_SMALL else (500, 32, 8, 3)
TYPES = {"f32": np.float32, "f16": np.float16, "f64": np.float64}


def parse(release: str) -> tuple:
    return tuple(int(part) for part in release.split(".")[:3])


RELEASE = parse(lance.__version__)


def kinds() -> list:
    """(kind, bits, metric, type) of everything that this release writes."""
    if RELEASE < (0, 18):
        return [("IVF_HNSW_PQ", None, "l2", "f32"), ("IVF_HNSW_SQ", None, "l2", "f32"), ("IVF_PQ", 4, "l2", "f32")]
    found = [("IVF_PQ", 8, metric, "f32") for metric in METRICS]
    found += [("IVF_PQ", 8, "cosine", "f16"), ("IVF_PQ", 8, "l2", "f64"), ("IVF_PQ", 4, "l2", "f32")]
    found += [(kind, None, metric, "f32") for kind in ("IVF_HNSW_PQ", "IVF_HNSW_SQ") for metric in METRICS]
    if RELEASE >= (0, 23):
        found += [("IVF_FLAT", None, metric, "f32") for metric in METRICS]
        found += [("IVF_FLAT", None, "l2", "f16"), ("IVF_FLAT", None, "hamming", "u8")]
    if RELEASE >= (0, 33):
        found += [(kind, None, metric, "f32") for kind in ("IVF_SQ", "IVF_HNSW_FLAT") for metric in METRICS]
        found += [("IVF_SQ", None, "l2", "f16")]
    if RELEASE >= (0, 38):
        found += [("IVF_RQ", 1, metric, "f32") for metric in METRICS]
        found += [("IVF_RQ", 1, "l2", "f16"), *(("IVF_RQ", 4, metric, "f32") for metric in METRICS)]
    if RELEASE >= (8, 0):
        found += [("IVF_RQ", bits, "l2", "f32") for bits in (2, 3, 5, 6, 7, 8, 9)]
    return found


def vectors_of(name: str, kind: str) -> tuple:
    """The rows, in a few clusters, and three queries: a row, one near a row, and one from nowhere."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if kind == "u8":
        return (rng.integers(0, 256, (ROWS, DIMENSION), dtype=np.uint8),
                rng.integers(0, 256, (3, DIMENSION), dtype=np.uint8))
    centers = rng.normal(size=(6, DIMENSION)) * 2
    vectors = centers[rng.integers(0, 6, ROWS)] + rng.normal(size=(ROWS, DIMENSION))
    queries = np.stack([vectors[ROWS // 2], vectors[-1] + 0.1 * rng.normal(size=DIMENSION), rng.normal(size=DIMENSION)])
    return vectors.astype(TYPES[kind]), queries.astype(TYPES[kind])


def write(folder: pathlib.Path, vectors: np.ndarray):
    folder.mkdir(parents=True)
    array = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors).ravel()), DIMENSION)
    table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "vector": array})
    options = {} if RELEASE >= (0, 23) else {"data_storage_version": "2.0"}
    if RELEASE < (0, 17):
        options = {"use_legacy_format": False}
    # Older files wanted groups that divide them.
    return lance.write_dataset(table, str(folder / "dataset.lance"), max_rows_per_file=ROWS // 2,
                               max_rows_per_group=ROWS // 2, **options)


def ask(dataset, query, k: int, nprobes: int) -> dict:
    nearest = {"column": "vector", "q": query, "k": k, "nprobes": nprobes}
    try:
        found = dataset.to_table(columns=["id"], nearest=nearest, with_row_id=True)
    except BaseException as error:  # noqa: BLE001  # old releases panic
        return {"error": str(error)[:300]}
    rows = zip(found["_rowid"].to_pylist(), found["_distance"].to_pylist())
    return {"rows": [[row, distance] for row, distance in rows]}


def make(out: pathlib.Path, kind: str, bits, metric: str, element: str) -> None:
    name = f"{lance.__version__}_{kind.lower()}{bits or ''}_{metric}_{element}"
    vectors, queries = vectors_of(name, element)
    dataset = write(out / name, vectors)
    extra = {"num_sub_vectors": SUB_VECTORS} if "PQ" in kind else {}
    if bits not in (None, 8) or kind == "IVF_RQ":
        extra["num_bits"] = bits
    if IS_SMALL and "HNSW" in kind:
        extra["m"] = 6
    dataset.create_index("vector", kind, metric=metric, num_partitions=PARTITIONS, **extra)
    # Where rows are deleted, releases up to 7 estimate RaBitQ distances row by row and without rounded tables. Of several
    # bits their own answers are the only ones, and those of a scan are wanted.
    if kind != "IVF_RQ" or bits == 1 or RELEASE >= (8, 0):
        dataset.delete("id % 10 = 3")
    # As another process sees it.
    dataset = lance.dataset(str(out / name / "dataset.lance"))
    ks = (10,) if IS_SMALL else (1, 10)
    asked = [(q, k, n) for q in range(len(queries)) for k in ks for n in (1, PARTITIONS)]
    own = [{"query": q, "k": k, "nprobes": n, **ask(dataset, queries[q], k, n)} for q, k, n in asked]
    case = {"release": lance.__version__, "kind": kind, "bits": bits, "metric": metric, "sub_vectors": SUB_VECTORS,
            "queries": [[float(x) for x in query] for query in queries], "own": own}
    (out / name / "own.json").write_text(json.dumps(case))


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    if IS_SMALL:
        kind, bits, metric, element = sys.argv[2:]
        wanted = [(kind, None if bits == "-" else int(bits), metric, element)]
    else:
        wanted = kinds()
    for kind in wanted:
        make(out, *kind)


if __name__ == "__main__":
    main()
