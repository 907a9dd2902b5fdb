"""What pylance answers on a dataset, recorded for tests/parity_test.cc.

Each case is a folder with `dataset.lance` and `case.json`:
    {"column", "rounding", "relative", "walks_a_graph", "queries": [[...]],
     "expected": [{"query", "k", "nprobes", "rows": [[row id, distance]], and what else was asked for: "fast_search",
                   "refine", "ef", "lower", "upper", "max_nprobes", "allowed" (row ids), "exact", "metric"; "nearest":
                   [row id] for a graph, whose answers are compared with the exact ones}]}
nprobes is always given: without it pylance tunes it by rules of its own. `rounding` bounds what the order of a sum may
change in a distance that cancels: a dot product near 1 is the small rest of terms as large as |query| |vector|.
`relative` is what it may change otherwise: little, but for RaBitQ, whose tables are rounded to bytes.
"""

import json
import os
import pathlib

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402


def vector_array(vectors: np.ndarray, nulls=()) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    mask = np.zeros(len(vectors), dtype=bool)
    mask[list(nulls)] = True
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=pa.array(mask) if len(nulls) else None)


class ParityRecorder:
    """Writes datasets below a folder, and what pylance answers on them beside."""

    def __init__(self, out: pathlib.Path):
        self.out = out
        self.rng = np.random.default_rng(20)
        self.indexes = {}
        self.column = "vector"

    def gaussian(self, rows: int, dimension: int) -> np.ndarray:
        """A few clusters, so that partitions differ."""
        centers = self.rng.normal(size=(8, dimension)) * 2
        return (centers[self.rng.integers(0, 8, rows)] + self.rng.normal(size=(rows, dimension))).astype(np.float32)

    def write(self, name: str, vectors: np.ndarray, nulls=(), **options) -> lance.LanceDataset:
        folder = self.out / name
        folder.mkdir(parents=True)
        table = pa.table({"id": pa.array(range(len(vectors)), pa.int64()), "vector": vector_array(vectors, nulls)})
        return lance.write_dataset(table, folder / "dataset.lance", **options)

    def record(self, name: str, queries: np.ndarray, ks, nprobes, options=({},), graph: bool = False,
               version=None, **more) -> None:
        """Asks the latest version unless told another, as another process would."""
        dataset = lance.dataset(self.out / name / "dataset.lance", version=version)
        rounding = self.rounding(name, queries)
        asked = [(q, k, n, extra) for q in range(len(queries)) for k in ks for n in nprobes for extra in options
                 if graph or not self.a_tie_decides(dataset, queries[q], k, n, extra, rounding)]
        expected = [self.ask(dataset, queries[q], q, k, n, extra, graph) for q, k, n, extra in asked]
        # Where distances are exact in the end, a row that is nearer by its estimate, and truly farther than one that
        # pylance's walk took for want of it, counts against ours; estimates of PQ are that rough.
        luck = {"may_miss": 8} if graph and "hnsw_pq" in name else {}
        self.write_case(name, queries, expected, walks_a_graph=graph, **luck, **more)

    def a_tie_decides(self, dataset, query, k, nprobes, extra, rounding) -> bool:
        """Whether the last candidate that gets an exact distance and the first that gets none have the same estimate, as
        codes of few bits often do: either is right, and their exact distances say nothing of it."""
        covered = set().union(*(index["fragment_ids"] for index in dataset.list_indices()))
        all_are = covered.issuperset(fragment.fragment_id for fragment in dataset.get_fragments())
        by_estimate = "refine" not in extra and (all_are or extra.get("fast_search", False))
        if not covered or by_estimate or extra.get("exact") or "metric" in extra:
            return False
        candidates = k * extra.get("refine", 1)
        extra = {**{key: value for key, value in extra.items() if key != "refine"}, "fast_search": True}
        rows = self.ask(dataset, query, 0, candidates + 1, nprobes, extra, False)["rows"]
        if len(rows) <= candidates:
            return False
        last, first = (float(distance) for _, distance in rows[-2:])
        return abs(last - first) <= rounding + 2e-5 * abs(first)

    def write_case(self, name, queries, expected, walks_a_graph=False, **more) -> None:
        case = {"column": self.column, "rounding": self.rounding(name, queries), "walks_a_graph": walks_a_graph,
                "relative": 5e-4 if "ivf_rq" in name else 2e-5,
                "queries": [[float(x) for x in query] for query in queries], "expected": expected, **more}
        (self.out / name / "case.json").write_text(json.dumps(case))

    def ask(self, dataset, query, number, k, nprobes, extra, graph) -> dict:
        """One answer. `extra` may have a "filter", which becomes the "allowed" row ids, and for a "fast_search" of a graph
        a filter "covered" for the rows that the index covers."""
        nearest = {"column": self.column, "q": query, "k": k, "nprobes": nprobes}
        if "max_nprobes" in extra:
            del nearest["nprobes"]
            # Without effort pylance begins with as many partitions as asked for, and not with more by its own rules.
            nearest.update(minimum_nprobes=nprobes, maximum_nprobes=extra["max_nprobes"], search_effort=0.0)
        for ours, theirs in [("refine", "refine_factor"), ("ef", "ef"), ("metric", "metric")]:
            if ours in extra:
                nearest[theirs] = extra[ours]
        if "lower" in extra or "upper" in extra:
            nearest["distance_range"] = (extra.get("lower"), extra.get("upper"))
        if extra.get("exact"):
            nearest["use_index"] = False
        how = {"with_row_id": True, "fast_search": extra.get("fast_search", False)}
        entry = {"query": number, "k": k, "nprobes": nprobes,
                 **{key: value for key, value in extra.items() if key not in ("filter", "covered")}}
        if "filter" in extra:
            how.update(filter=extra["filter"], prefilter=True)
            entry["allowed"] = dataset.to_table(columns=[], filter=extra["filter"], with_row_id=True)["_rowid"].to_pylist()
        result = dataset.to_table(columns=["_distance"], nearest=nearest, **how)
        # JSON has no infinities.
        distances = [str(d) if np.isinf(d) else d for d in result["_distance"].to_pylist()]
        entry["rows"] = list(zip(result["_rowid"].to_pylist(), distances))
        if graph:
            if "covered" in extra:
                how = {"with_row_id": True, "prefilter": True,
                       "filter": " AND ".join(f"({extra[key]})" for key in ("filter", "covered") if key in extra)}
            exact = dataset.to_table(columns=["_distance"], nearest={**nearest, "use_index": False}, **how)
            entry["nearest"] = exact["_rowid"].to_pylist()
        return entry

    def rounding(self, name: str, queries: np.ndarray) -> float:
        """About eight float32 epsilons of the largest term of a sum whose terms cancel."""
        metric, vectors = self.indexes[name]
        norms = [np.linalg.norm(rows.astype(np.float64), axis=1).max() for rows in (queries, vectors)]
        largest = {"l2": 0.0, "cosine": 1.0, "dot": norms[0] * norms[1], "hamming": 0.0}[metric]
        # RaBitQ's estimate of a squared distance is made of squared lengths.
        if "ivf_rq" in name and metric == "l2":
            largest = (norms[0] + norms[1]) ** 2
        return 1e-6 * (1 + float(largest))

    def queries(self, vectors: np.ndarray) -> np.ndarray:
        """One of the rows, one near a row, and one from nowhere."""
        row = vectors[len(vectors) // 2]
        near = vectors[-1] + 0.1 * self.rng.normal(size=vectors.shape[1])
        return np.stack([row, near, self.rng.normal(size=vectors.shape[1])]).astype(vectors.dtype)

    def indexed(self, name, vectors, kind, metric, partitions, sub_vectors=None, bits=None, nulls=(), centroids=None,
                **options) -> lance.LanceDataset:
        self.indexes[name] = (metric, vectors)
        dataset = self.write(name, vectors, nulls, **options)
        extra = {} if sub_vectors is None else {"num_sub_vectors": sub_vectors, "num_bits": bits or 8}
        if kind == "IVF_RQ":
            extra["num_bits"] = bits
        if centroids is not None:
            extra["ivf_centroids"] = vector_array(centroids)
        return dataset.create_index("vector", kind, metric=metric, num_partitions=partitions, **extra)
