#!/usr/bin/env python3
"""Writes datasets with pylance and what pylance answers on them, for tests/parity_test.cc: the form of a case is in
parity_recorder.py.

    tests/make_parity_fixtures.py OUT_FOLDER
"""

import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from lance.file import LanceFileReader, LanceFileWriter  # noqa: E402

from parity_recorder import ParityRecorder, vector_array  # noqa: E402

METRICS = ["l2", "cosine", "dot"]
DIMENSIONS = [8, 64, 96, 384, 1536]


def in_structs(vectors: np.ndarray, version: str) -> pa.Table:
    numbers = np.arange(len(vectors))
    nulls = [pa.array(numbers % step == 0) if version != "2.0" else None for step in (11, 13)]
    v = vector_array(vectors, np.flatnonzero(numbers % 17 == 0))
    inner = pa.StructArray.from_arrays([pa.array(numbers), v], names=["a", "v"], mask=nulls[0])
    outer = pa.StructArray.from_arrays([inner, pa.array(numbers)], names=["in.ner", "b"], mask=nulls[1])
    return pa.table({"id": pa.array(numbers), "outer": outer, "last": pa.array(numbers)})


class Fixtures(ParityRecorder):
    def grid(self) -> None:
        for dimension in DIMENSIONS:
            rows = 1200 if dimension < 1000 else 600
            for metric in METRICS:
                for kind, bits in [("IVF_FLAT", 0), ("IVF_PQ", 8), ("IVF_PQ", 4)]:
                    vectors = self.gaussian(rows, dimension)
                    name = f"grid_{kind.lower()}{bits or ''}_{metric}_{dimension}"
                    sub_vectors = (4 if dimension == 8 else dimension // 8) if bits else None
                    self.indexed(name, vectors, kind, metric, 6, sub_vectors, bits)
                    self.record(name, self.queries(vectors), [1, 10], [1, 3, 6])

    def file_versions(self) -> None:
        for version in ["legacy", "2.0", "2.1", "2.2"]:
            for kind, sub_vectors in [("IVF_FLAT", None), ("IVF_PQ", 8)]:
                vectors = self.gaussian(3000, 32)
                name = f"version_{version}_{kind.lower()}"
                self.indexed(name, vectors, kind, "l2", 4, sub_vectors, data_storage_version=version)
                self.record(name, self.queries(vectors), [10], [1, 4])

    def odd_shapes(self) -> None:
        for kind, sub_vectors in [("IVF_FLAT", None), ("IVF_PQ", 4)]:
            low = kind.lower()
            # Partitions that nothing falls into.
            vectors = self.gaussian(600, 16)
            far = np.concatenate([vectors[:4], np.full((6, 16), 1e3, np.float32) + np.arange(6)[:, None]])
            self.indexed(f"empty_partitions_{low}", vectors, kind, "l2", 10, sub_vectors, centroids=far)
            self.record(f"empty_partitions_{low}", self.queries(vectors), [5], [1, 4, 10, 50])
            # More rows asked for than there are.
            vectors = self.gaussian(300, 16)
            self.indexed(f"k_larger_than_n_{low}", vectors, kind, "cosine", 2, sub_vectors)
            self.record(f"k_larger_than_n_{low}", self.queries(vectors), [300, 1000], [1, 2])
            # Many equal vectors.
            vectors = np.repeat(self.gaussian(40, 16), 20, axis=0)
            self.indexed(f"duplicates_{low}", vectors, kind, "l2", 4, sub_vectors)
            self.record(f"duplicates_{low}", self.queries(vectors), [7, 30], [1, 4])
            # One vector, many times.
            vectors = np.repeat(self.gaussian(1, 16), 500, axis=0)
            self.indexed(f"all_equal_{low}", vectors, kind, "l2", 1, sub_vectors)
            self.record(f"all_equal_{low}", self.queries(vectors), [5], [1])
            # Small whole numbers: distances tie all over.
            vectors = self.rng.integers(0, 3, (800, 8)).astype(np.float32)
            self.indexed(f"ties_{low}", vectors, kind, "l2", 3, sub_vectors)
            self.record(f"ties_{low}", self.queries(vectors), [10], [1, 3])
            # Null and all-zero vectors are rows without a distance.
            vectors = self.gaussian(700, 16)
            vectors[::50] = 0
            for metric in METRICS:
                name = f"nulls_and_zeros_{metric}_{low}"
                self.indexed(name, vectors, kind, metric, 3, sub_vectors, nulls=range(5, 700, 9))
                self.record(name, self.queries(vectors[1:]), [10, 700], [1, 3])
        # Doubles whose squares are beyond what floats hold.
        vectors = self.gaussian(400, 16).astype(np.float64)
        self.indexed("large_doubles", vectors, "IVF_FLAT", "cosine", 3)
        self.record("large_doubles", self.queries(vectors) * 1e30, [10], [1, 3])
        # Too small for a codebook.
        vectors = self.gaussian(1, 8)
        self.indexed("one_row", vectors, "IVF_FLAT", "l2", 1)
        self.record("one_row", self.queries(vectors), [1, 10], [1])
        # Partitions of many chunks and pages.
        vectors = self.gaussian(30000, 64)
        self.indexed("large_partitions_ivf_pq", vectors, "IVF_PQ", "l2", 3, 16)
        self.record("large_partitions_ivf_pq", self.queries(vectors), [10, 100], [1, 3])
        self.indexed("large_partitions_ivf_flat", vectors, "IVF_FLAT", "cosine", 3)
        self.record("large_partitions_ivf_flat", self.queries(vectors), [10, 100], [1, 3])

    def changed_after_indexing(self) -> None:
        for kind, sub_vectors in [("IVF_FLAT", None), ("IVF_PQ", 4)]:
            low = kind.lower()
            for stable in [False, True]:
                name = f"deleted_{'stable' if stable else 'address'}_{low}"
                vectors = self.gaussian(900, 16)
                dataset = self.indexed(name, vectors, kind, "l2", 3, sub_vectors, max_rows_per_file=300,
                                       enable_stable_row_ids=stable)
                dataset.delete("id % 3 = 0 OR id BETWEEN 300 AND 599")
                self.record(name, self.queries(vectors), [10, 900], [1, 3])
            # A row rewritten after indexing lives on in the index under its old address, but must not be found there.
            name = f"segments_{low}"
            vectors = self.gaussian(900, 16)
            dataset = self.indexed(name, vectors[:600], kind, "dot", 3, sub_vectors)
            more = pa.table({"id": pa.array(range(600, 900), pa.int64()), "vector": vector_array(vectors[600:])})
            dataset = lance.write_dataset(more, dataset.uri, mode="append")
            dataset.optimize.optimize_indices(num_indices_to_merge=0)
            self.record(name, self.queries(vectors), [10], [1, 3])
            name = f"partly_indexed_{low}"
            dataset = self.indexed(name, vectors[:600], kind, "l2", 3, sub_vectors)
            lance.write_dataset(more, dataset.uri, mode="append")
            self.record(name, self.queries(vectors), [10], [1, 3], [{"fast_search": True}, {}, {"refine": 3}])


    def every_kind(self) -> None:
        types = {"f32": np.float32, "f16": np.float16, "f64": np.float64}
        kinds = [("IVF_FLAT", None), ("IVF_PQ", None), ("IVF_SQ", None), ("IVF_RQ", 1), ("IVF_RQ", 5),
                 ("IVF_HNSW_FLAT", None), ("IVF_HNSW_PQ", None), ("IVF_HNSW_SQ", None)]
        for metric in METRICS:
            for kind, bits in kinds:
                for short, dtype in types.items():
                    # What the grid has already.
                    if short == "f32" and kind in ("IVF_FLAT", "IVF_PQ"):
                        continue
                    self.kind(f"kind_{kind.lower()}{bits or ''}_{metric}_{short}", kind, metric, dtype, 64, bits)
        for dimension in [8, 72, 768]:
            for kind, bits in [("IVF_SQ", None), ("IVF_HNSW_SQ", None), *(("IVF_RQ", bits) for bits in range(1, 10))]:
                self.kind(f"kind_{kind.lower()}{bits or ''}_l2_{dimension}", kind, "l2", np.float32, dimension, bits)
        for dimension in [1, 8, 96]:
            for kind in ["IVF_FLAT", "IVF_HNSW_FLAT"]:
                vectors = self.rng.integers(0, 256, (900, dimension), dtype=np.uint8)
                name = f"kind_{kind.lower()}_hamming_{dimension}"
                self.indexed(name, vectors, kind, "hamming", 3)
                queries = self.rng.integers(0, 256, (3, dimension), dtype=np.uint8)
                graph = "HNSW" in kind
                self.record(name, queries, [1, 10], [1, 3], [{}, {"filter": "id % 3 = 0"}], graph)

    def kind(self, name, kind, metric, dtype, dimension, bits, rows=1100) -> None:
        vectors = self.gaussian(rows, dimension).astype(dtype)
        graph = "HNSW" in kind
        dataset = self.indexed(name, vectors, kind, metric, 4, 16 if "PQ" in kind else None, bits, max_rows_per_file=400)
        dataset.delete("id % 10 = 3")
        options = [{}, {"filter": "id % 3 = 0"}, {"filter": "id % 40 = 0"}, {"refine": 3}, {"upper": 500.0}]
        if graph:
            options += [{"ef": 100}, {"ef": 300, "refine": 2}]
        self.record(name, self.queries(vectors), [1, 10], [1, 4], options, graph)

    def walks(self) -> None:
        """Partitions so large that graphs are walked; those of every_kind are small enough to be scanned."""
        self.rng = np.random.default_rng(21)
        for kind in ["IVF_HNSW_FLAT", "IVF_HNSW_PQ", "IVF_HNSW_SQ"]:
            for metric in METRICS:
                self.kind(f"walk_{kind.lower()}_{metric}", kind, metric, np.float32, 16, None, rows=5000)

    def combined(self) -> None:
        """Two segments, rows deleted from both, rows that none covers, and every way to search them, for every kind and
        metric; the types of vectors and of row ids in turn."""
        kinds = [("IVF_FLAT", None), ("IVF_PQ", 8), ("IVF_PQ", 4), ("IVF_SQ", None), ("IVF_RQ", 1), ("IVF_RQ", 5),
                 ("IVF_HNSW_FLAT", None), ("IVF_HNSW_PQ", 8), ("IVF_HNSW_SQ", None)]
        types = [np.float32, np.float16, np.float64]
        for i, (kind, bits) in enumerate(kinds):
            for j, metric in enumerate(METRICS):
                vectors = self.gaussian(1000, 32).astype(types[(i + j) % 3])
                name = f"combined_{kind.lower()}{bits or ''}_{metric}"
                self.combine(name, kind, metric, vectors, bits, self.queries(vectors), stable=(i + j) % 2 == 1)
        for i, kind in enumerate(["IVF_FLAT", "IVF_HNSW_FLAT"]):
            vectors = self.rng.integers(0, 256, (1000, 16), dtype=np.uint8)
            queries = self.rng.integers(0, 256, (3, 16), dtype=np.uint8)
            self.combine(f"combined_{kind.lower()}_hamming", kind, "hamming", vectors, None, queries, stable=i == 0)

    def combine(self, name, kind, metric, vectors, bits, queries, stable) -> None:
        def rows(begin, end):
            return pa.table({"id": pa.array(range(begin, end), pa.int64()), "vector": vector_array(vectors[begin:end])})

        dataset = self.indexed(name, vectors[:500], kind, metric, 3, 8 if "PQ" in kind else None, bits,
                               max_rows_per_file=300, enable_stable_row_ids=stable)
        self.indexes[name] = (metric, vectors)
        dataset = lance.write_dataset(rows(500, 850), dataset.uri, mode="append")
        # Which pylance cannot do with a graph over bytes.
        has_two = (kind, metric) != ("IVF_HNSW_FLAT", "hamming")
        if has_two:
            dataset.optimize.optimize_indices(num_indices_to_merge=0)
        dataset.delete("id % 9 = 4")
        lance.write_dataset(rows(850, 1000), dataset.uri, mode="append")
        everything = lance.dataset(dataset.uri).to_table(
            columns=["_distance"], nearest={"column": "vector", "q": queries[2], "k": 1000, "nprobes": 3})
        # Between two distances: which side of itself a row is on, rounding would decide.
        middle = sum(everything["_distance"].to_pylist()[300:302]) / 2
        covered = {"fast_search": True, "covered": f"id < {850 if has_two else 500}"}
        only_some = {"filter": "id % 3 = 0"}
        options = [covered, {}, {**covered, **only_some}, only_some, {**covered, "filter": "id % 50 = 7"},
                   {**covered, "refine": 3}, {**covered, **only_some, "refine": 3}, {**covered, "upper": middle},
                   {"lower": middle}, {**covered, "refine": 2, "lower": middle / 2, "upper": middle * 2},
                   {"exact": True, "metric": metric, **only_some}]
        self.record(name, queries, [10], [1, 3], options, "HNSW" in kind)

    def search_options(self) -> None:
        for kind, metric, sub_vectors in [("IVF_FLAT", "l2", None), ("IVF_FLAT", "cosine", None), ("IVF_PQ", "l2", 4),
                                          ("IVF_PQ", "cosine", 4), ("IVF_PQ", "dot", 4)]:
            for stable in [False, True]:
                name = f"options_{kind.lower()}_{metric}_{'stable' if stable else 'address'}"
                vectors = self.gaussian(900, 16)
                dataset = self.indexed(name, vectors[:600], kind, metric, 4, sub_vectors, max_rows_per_file=200,
                                       enable_stable_row_ids=stable)
                dataset.delete("id % 11 = 0")
                alone = [{}, {"refine": 1}, {"refine": 4}, {"filter": "id % 7 < 2"}, {"filter": "id = 17"},
                         {"filter": "id % 7 < 2", "refine": 2}, {"exact": True, "metric": metric},
                         {"exact": True, "metric": metric, "filter": "id > 500"}, {"metric": "l2"}]
                # Of the second too few are in the first partition.
                alone += [{"max_nprobes": 4, "filter": rows} for rows in ("id % 7 < 2", "id % 40 = 3")]
                ranges = [{"refine": 3, "lower": 0.25, "upper": 30.0}, {"lower": 0.5}, {"upper": 20.0}, {"lower": 0.25, "upper": 30.0},
                          {"exact": True, "metric": metric, "lower": 0.5, "upper": 20.0}]
                self.record(name, self.queries(vectors[:600]), [1, 10], [1, 4], alone + ranges)
                more = pa.table({"id": pa.array(range(600, 900), pa.int64()), "vector": vector_array(vectors[600:])})
                name += "_and_unindexed"
                shutil.copytree(dataset.uri, self.out / name / "dataset.lance")
                lance.write_dataset(more, self.out / name / "dataset.lance", mode="append")
                self.indexes[name] = (metric, vectors)
                self.record(name, self.queries(vectors), [1, 10], [1, 4],
                            [*alone, {"fast_search": True}, {"fast_search": True, "filter": "id % 7 < 2"}])
        # Without any index.
        vectors = self.gaussian(500, 24)
        for name, rows in [("no_index_float32", vectors), ("no_index_float16", vectors.astype(np.float16)),
                           ("no_index_float64", vectors.astype(np.float64))]:
            self.indexes[name] = ("dot", rows)
            self.write(name, rows, nulls=range(3, 500, 50), max_rows_per_file=180)
            self.record(name, self.queries(rows[4:]), [1, 20], [1], [{}, *({"metric": metric} for metric in METRICS)])

    def compacted(self) -> None:
        """Compactions that leave the index as it is: several rounds, with deleted rows."""
        kinds = [("IVF_FLAT", "cosine", None), ("IVF_PQ", "l2", 8), ("IVF_PQ", "dot", 4), ("IVF_SQ", "l2", None),
                 ("IVF_RQ", "l2", 1), ("IVF_RQ", "cosine", 5), ("IVF_HNSW_FLAT", "l2", None),
                 ("IVF_HNSW_PQ", "l2", None), ("IVF_HNSW_SQ", "cosine", None), ("IVF_FLAT", "hamming", None)]
        for kind, metric, bits in kinds:
            for deleting in [False, True]:
                vectors = self.gaussian(1200, 16)
                if metric == "hamming":
                    vectors = self.rng.integers(0, 256, (1200, 16), dtype=np.uint8)
                name = f"compacted_{kind.lower()}{bits or ''}_{metric}{'_deleted' if deleting else ''}"
                self.compact_twice(name, vectors, kind, metric, bits, deleting)

    def compact_twice(self, name, vectors, kind, metric, bits, deleting) -> None:
        # Of few codes of 4 bits, many estimates would tie.
        sub_vectors = (8 if bits == 4 else 4) if "PQ" in kind else None
        dataset = self.indexed(name, vectors[:1000], kind, metric, 3, sub_vectors, bits, max_rows_per_file=150)
        # pylance refuses a graph over rows that are gone. What it said before any compaction holds: they only move rows.
        graph = "HNSW" in kind
        if graph and deleting:
            dataset.delete("id % 7 = 1 OR id BETWEEN 200 AND 239")
        before = lance.dataset(dataset.uri)
        for rest, target in [(1, 500), (2, 10000)]:
            if deleting and not graph:
                dataset.delete(f"id % 7 = {rest} OR id BETWEEN {rest * 200} AND {rest * 200 + 39}")
            dataset.optimize.compact_files(target_rows_per_fragment=target, defer_index_remap=True)
        options = [{}, {"filter": "id % 3 = 0"}, {"refine": 2}]
        more = pa.table({"id": pa.array(range(1000, 1200), pa.int64()), "vector": vector_array(vectors[1000:])})
        if graph and deleting:
            self.record_moved(name, before, self.queries(vectors), options)
            return
        if deleting:
            dataset.delete("id % 7 = 3")
            lance.write_dataset(more, dataset.uri, mode="append")
            options += [{"fast_search": True}]
        self.record(name, self.queries(vectors), [1, 10], [1, 3], options, graph)

    def record_moved(self, name, before, queries, options) -> None:
        """What pylance answers on the version `before`, by the addresses that the rows have in the latest."""
        self.record(name, queries, [1, 10], [1, 3], options, graph=True, version=before.version)
        rows = {}
        for dataset, side in [(before, 0), (lance.dataset(before.uri), 1)]:
            table = dataset.to_table(columns=["id"], with_row_id=True)
            for number, address in zip(table["id"].to_pylist(), table["_rowid"].to_pylist()):
                rows.setdefault(number, [None, None])[side] = address
        moved = dict(pair for pair in rows.values())
        case = json.loads((self.out / name / "case.json").read_text())
        for entry in case["expected"]:
            entry["rows"] = [[moved[row], distance] for row, distance in entry["rows"]]
            for rows_of in ["nearest", "allowed"]:
                if rows_of in entry:
                    entry[rows_of] = [moved[row] for row in entry[rows_of]]
        (self.out / name / "case.json").write_text(json.dumps(case))

    def large_compaction(self) -> None:
        """So many scattered rows that what moved is kept in a file of its own."""
        vectors = self.rng.normal(size=(160_000, 2)).astype(np.float32)
        dataset = self.indexed("compacted_large", vectors, "IVF_FLAT", "l2", 8, max_rows_per_file=4000)
        dataset.delete("id % 3 = 0")
        dataset.optimize.compact_files(target_rows_per_fragment=60_000, defer_index_remap=True)
        if not list((self.out / "compacted_large" / "dataset.lance" / "_indices").glob("*/details.binpb")):
            sys.exit("what moved was not kept in a file of its own")
        self.record("compacted_large", self.queries(vectors), [10], [1, 8])

    def vector_columns(self) -> None:
        """Exact searches of whatever a vector column may hold, as each file version writes it."""
        for version in ["2.0", "2.1", "2.2"]:
            for dimension, dtype in [(3, np.float32), (8, np.float64), (100, np.float32), (160, np.float16)]:
                name = f"column_{version}_{dimension}"
                vectors = self.gaussian(400, dimension).astype(dtype)
                finite = vectors.copy()
                vectors[::37, 0] = np.inf
                vectors[5::41, -1] = -np.inf
                vectors[7::43, 1] = np.nan
                vectors[11::47] = 0
                for null_items in [False, True]:
                    self.indexes[f"{name}{'_null_items' if null_items else ''}"] = ("dot", finite)
                    self.record_column(name, vectors, null_items, version)

    def record_column(self, name, vectors, null_items, version) -> None:
        """Without an index, in small pages, in two fragments; null vectors in the first."""
        dimension = vectors.shape[1]
        name += "_null_items" if null_items else ""
        (self.out / name).mkdir(parents=True)
        table = pa.table({"id": pa.array(range(len(vectors)), pa.int64()),
                          "vector": self.with_null_items(vectors) if null_items
                          else vector_array(vectors, range(3, 200, 23))})
        dataset = lance.write_dataset(table, self.out / name / "dataset.lance", max_rows_per_file=250,
                                      data_storage_version=version, max_page_bytes=30 * dimension * 4)
        dataset.delete("id % 9 = 4")
        ranges = [{"lower": 0.25}, {"upper": 1e4}, {"lower": -1e3, "upper": 500.0}]
        self.record(name, self.queries(vectors[1:37]), [1, 400], [1],
                    [{"metric": metric, **extra} for metric in METRICS for extra in [{}, *ranges]])

    def with_null_items(self, vectors) -> pa.Array:
        """Vectors with null elements, under which something lies, in the first half, and whole pages of nothing else; and null
        vectors."""
        valid = self.rng.random(vectors.shape) > 0.03
        valid[len(vectors) // 2:] = True
        valid[17] = False
        valid[60:130] = False
        flat = pa.array(vectors.ravel())
        items = pa.Array.from_buffers(flat.type, len(flat), [pa.array(valid.ravel()).buffers()[1], flat.buffers()[1]])
        mask = np.zeros(len(vectors), dtype=bool)
        mask[2::31] = True
        return pa.FixedSizeListArray.from_arrays(items, vectors.shape[1], mask=pa.array(mask))

    def nested(self) -> None:
        """A column inside structs, some of which are null where the file version has that; with rows that no index covers."""
        for version in ["2.0", "2.1", "2.2"]:
            for dimension in [8, 96]:
                vectors = self.gaussian(600, dimension)
                name = f"nested_{version}_{dimension}"
                self.indexes[name] = ("l2", vectors)
                (self.out / name).mkdir(parents=True)
                self.column = "outer.`in.ner`.v"
                dataset = lance.write_dataset(in_structs(vectors[:400], version), self.out / name / "dataset.lance", max_rows_per_file=150,
                                              data_storage_version=version)
                dataset.create_index(self.column, "IVF_PQ", metric="l2", num_partitions=2, num_sub_vectors=4)
                lance.write_dataset(in_structs(vectors[400:], version), dataset.uri, mode="append")
                self.record(name, self.queries(vectors[1:200]), [10], [1, 2],
                            [{"fast_search": True}, {}, {"exact": True, "metric": "l2"}])
                self.column = "vector"

    def changed_schemas(self) -> None:
        """The column in files of its own, under other names, missing from a fragment, and with infinities behind an index."""
        vectors = self.gaussian(500, 16)
        for version in ["2.0", "2.1", "2.2"]:
            name = f"schema_{version}"
            self.indexes[name] = ("l2", vectors)
            (self.out / name).mkdir(parents=True)
            ids = pa.table({"id": pa.array(range(300), pa.int64()), "other": pa.array(range(300), pa.int64())})
            uri = self.out / name / "dataset.lance"
            dataset = lance.write_dataset(ids, uri, max_rows_per_file=120, data_storage_version=version)
            added = pa.table({"id": ids["id"], "embedding": vector_array(vectors[:300])})
            dataset.merge(added, "id")
            dataset.drop_columns(["other"])
            dataset.alter_columns({"path": "embedding", "name": "vector"})
            lance.write_dataset(pa.table({"id": pa.array(range(300, 340), pa.int64())}), uri, mode="append")
            more = pa.table({"id": pa.array(range(340, 500), pa.int64()), "vector": vector_array(vectors[340:])})
            lance.write_dataset(more, uri, mode="append")
            self.record(name, self.queries(vectors[:300]), [10, 500], [1], [{}, {"metric": "cosine"}])
            # The same with an index, and rows at infinity that it does not cover.
            dataset = lance.dataset(uri)
            # What it is asked for that rounds most.
            self.indexes[name + "_indexed"] = ("dot", vectors)
            shutil.copytree(uri, self.out / (name + "_indexed") / "dataset.lance")
            dataset = lance.dataset(self.out / (name + "_indexed") / "dataset.lance")
            dataset = dataset.create_index("vector", "IVF_PQ", metric="l2", num_partitions=3, num_sub_vectors=4)
            far = vectors[:20].copy()
            far[::4, 3] = np.inf
            far[1::4, 3] = -np.inf
            lance.write_dataset(pa.table({"id": pa.array(range(500, 520), pa.int64()), "vector": vector_array(far)}),
                                dataset.uri, mode="append")
            self.record(name + "_indexed", self.queries(vectors[:300]), [10, 600], [1, 3],
                        [{}, {"refine": 2}, {"metric": "dot"}, {"upper": 30.0}, {"fast_search": True}])

    def old_rabitq_layouts(self) -> None:
        """Ex codes one element's behind the other's: no release writes them any more, but pylance still reads them."""
        for bits in [2, 3, 4, 6, 7, 9]:
            name = f"sequential_ivf_rq{bits}_l2"
            vectors = self.gaussian(700, 72)
            dataset = self.indexed(name, vectors, "IVF_RQ", "l2", 3, bits=bits)
            rewrite_storage(dataset.uri, lambda rows, bits=bits: make_ex_codes_sequential(rows, bits - 1, 72))
            self.record(name, self.queries(vectors), [1, 10], [1, 3])

    def stable_row_ids(self) -> None:
        """Rows that keep their ids while updates and compactions move them, and ids that only the index still has."""
        for kind, sub_vectors in [("IVF_FLAT", None), ("IVF_PQ", 8), ("IVF_HNSW_FLAT", None)]:
            for change in ["deleted", "replaced", "updated"]:
                name = f"stable_{change}_{kind.lower()}"
                vectors = self.gaussian(900, 16)
                dataset = self.indexed(name, vectors[:700], kind, "l2", 3, sub_vectors, max_rows_per_file=150,
                                       enable_stable_row_ids=True)
                self.indexes[name] = ("l2", vectors)
                if change == "deleted":
                    dataset.delete("id % 7 = 3 OR id BETWEEN 300 AND 459")
                elif change == "replaced":
                    # Whole fragments, parts of them, and new rows.
                    rows = pa.table({"id": pa.array(range(240, 440), pa.int64()), "vector": vector_array(vectors[700:])})
                    dataset.merge_insert("id").when_matched_update_all().execute(rows)
                else:
                    dataset.update({"id": "id + 2000"}, where="id % 5 = 0")
                self.record_stable(name, vectors)
                for then in ["compacted", "optimized"]:
                    uri = str(self.out / f"{name}_{then}" / "dataset.lance")
                    shutil.copytree(dataset.uri, uri)
                    dataset = lance.dataset(uri)
                    (dataset.optimize.compact_files if then == "compacted" else dataset.optimize.optimize_indices)()
                    name = f"{name}_{then}"
                    self.indexes[name] = ("l2", vectors)
                    self.record_stable(name, vectors)

    def record_stable(self, name, vectors) -> None:
        # Only a filter makes pylance look for ids that no row has any more; without one it finds them, and then leaves
        # them out of the k rows that it was asked for.
        all_rows = {"filter": "id >= 0", "takes_all": True}
        covered = {"fast_search": True, **({"covered": "id < 240 OR id >= 440"} if "replaced" in name else {})}
        if "replaced" in name and name.endswith("optimized"):
            covered = {"fast_search": True}
        self.record(name, self.queries(vectors), [10], [1, 3],
                    [all_rows, {**covered, **all_rows}, {"refine": 3}, {"filter": "id % 3 = 0"},
                     {"exact": True, "metric": "l2"}], "hnsw" in name)
        case = json.loads((self.out / name / "case.json").read_text())
        for entry in case["expected"]:
            if entry.pop("takes_all", False):
                del entry["allowed"]
        (self.out / name / "case.json").write_text(json.dumps(case))

    def damaged(self) -> None:
        """Row ids in an index that no row has, or that stand there twice; and the two files of different indexes."""
        for stable in [False, True]:
            name = f"damaged_row_ids_{'stable' if stable else 'address'}"
            vectors = self.gaussian(400, 16)
            dataset = self.indexed(name, vectors, "IVF_FLAT", "l2", 3, enable_stable_row_ids=stable)
            entries = np.arange(400)
            entries[::10] = [(7 << 32) + i if i % 3 else 400 + i for i in range(40)]
            entries[1::10] = entries[2::10]
            rewrite_storage(dataset.uri, lambda rows, entries=entries: rows.set_column(
                rows.schema.get_field_index("_rowid"), "_rowid", pa.array(entries[rows["_rowid"].to_numpy()], pa.uint64())))
            queries = self.queries(vectors)
            expected = []
            for number, query in enumerate(queries):
                distances = ((vectors - query) ** 2).sum(axis=1)
                order = [i for i in np.argsort(distances) if entries[i] < 400]
                for k in [1, 10, 100, 400]:
                    nearest = {}
                    for i in order[:k]:
                        nearest.setdefault(int(entries[i]), float(distances[i]))
                    expected.append({"query": number, "k": k, "nprobes": 3, "rows": list(nearest.items())})
            self.write_case(name, queries, expected)
        name = "refused_other_metric"
        vectors = self.gaussian(300, 16)
        dataset = self.indexed(name, vectors, "IVF_FLAT", "l2", 3)
        self.record(name, self.queries(vectors), [10], [3], [{"exact": True, "metric": "l2"}],
                    refused="its 'distance_type' is dot, that of")
        rewrite_storage(dataset.uri, distance_type="dot")


def ex_bit_place(bits: int, bit: int, element: int) -> int:
    """Where a bit of an element of a block of 64 lies (docs/format/partition.md)."""
    k, b = divmod(element, 16)
    if bits in (3, 5, 7) and bit == bits - 1:
        return 64 * (bits - 1) + 8 * (b % 8) + 2 * k + b // 8
    if bits in (2, 3):
        return 8 * b + 2 * k + bit
    if bits == 4:
        return 8 * (8 * k + b % 8) + (0 if b < 8 else 4) + bit
    if bits == 5:
        return 8 * (16 * (k // 2) + b) + 4 * (k % 2) + bit
    if bits in (6, 7):
        return 8 * (16 * k + b) + bit if k < 3 else 8 * (16 * (bit // 2) + b) + 6 + bit % 2
    return (8 if bits == 8 else 1) * (16 * k + b) + bit


def make_ex_codes_sequential(rows: pa.Table, bits: int, dimension: int) -> pa.Table:
    """`__ex_codes` in place of `__blocked_ex_codes`."""
    column = rows.schema.get_field_index("__blocked_ex_codes")
    codes = rows.column(column).combine_chunks()
    blocked = np.unpackbits(codes.flatten().to_numpy().reshape(len(rows), -1), axis=1, bitorder="little")
    places = [element // 64 * 64 * bits + ex_bit_place(bits, bit, element % 64)
              for element in range(dimension) for bit in range(bits)]
    sequential = np.packbits(blocked[:, places], axis=1, bitorder="little")
    return rows.set_column(column, "__ex_codes", vector_array(sequential))


def rewrite_storage(uri: str, change=lambda rows: rows, **new_metadata: str) -> None:
    """Writes the only auxiliary.idx of a dataset anew, with other rows or metadata."""
    path = next(pathlib.Path(uri).glob("_indices/*/auxiliary.idx"))
    reader = LanceFileReader(str(path))
    rows = change(reader.read_all().to_table())
    metadata = reader.metadata().schema.metadata
    positions = int(metadata[b"lance:ivf"])
    assert positions == 1
    ivf = reader.read_global_buffer(positions)
    path.unlink()
    with LanceFileWriter(str(path), rows.schema.remove_metadata(), version="2.2") as writer:
        for key, value in metadata.items():
            writer.add_schema_metadata(key.decode(), new_metadata.get(key.decode(), value.decode()))
        writer.add_global_buffer(ivf)
        for batch in rows.to_batches():
            writer.write_batch(batch)
    # The manifest says how large the file is.
    manifest = min(path.parents[2].glob("_versions/*.manifest"))
    data = bytearray(manifest.read_bytes())
    at = data.index(b"auxiliary.idx\x10") + len(b"auxiliary.idx\x10")
    size = path.stat().st_size
    while True:
        more = data[at] & 128
        data[at] = size & 127 | more
        at, size = at + 1, size >> 7
        if not more:
            break
    assert size == 0
    manifest.write_bytes(data)


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    fixtures = Fixtures(out)
    fixtures.grid()
    fixtures.file_versions()
    fixtures.odd_shapes()
    fixtures.changed_after_indexing()
    fixtures.search_options()
    fixtures.every_kind()
    fixtures.walks()
    fixtures.compacted()
    fixtures.large_compaction()
    fixtures.vector_columns()
    fixtures.nested()
    fixtures.changed_schemas()
    fixtures.combined()
    fixtures.old_rabitq_layouts()
    fixtures.stable_row_ids()
    fixtures.damaged()


if __name__ == "__main__":
    main()
