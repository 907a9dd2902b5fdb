"""Searches, and the forms in which queries and rows come and go."""

import asyncio
import re

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import DIMENSION, vectors_of

import fewter


def ids_of(found: pa.Table) -> list:
    return found["id"].to_pylist()


def test_finds_what_pylance_finds(dataset, table, queries):
    for query in queries:
        nearest = {"column": "vector", "q": query, "k": 12, "nprobes": 3}
        expected = dataset.to_table(nearest=nearest, with_row_id=True)
        found = table.search(query, 12, nprobes=3, with_row_id=True)
        assert found.schema == expected.schema
        assert found.drop(["_distance"]) == expected.drop(["_distance"])
        np.testing.assert_allclose(found["_distance"], expected["_distance"], rtol=1e-5)


def test_an_exact_search_compares_all_rows(table, values, queries):
    left = np.array([number for number in range(len(values)) if number % 50 != 3 or number >= 1800])
    distances = ((values[left] - queries[0]) ** 2).sum(axis=1)
    found = table.search(queries[0], 20, use_index=False)
    assert ids_of(found) == left[np.argsort(distances, kind="stable")[:20]].tolist()


def test_a_batch_is_the_searches_of_its_queries(dataset, table, queries):
    found = table.search(queries, 4, columns=["id"])
    assert found.schema.names == ["query_index", "id", "_distance"]
    assert found.schema.field("query_index") == pa.field("query_index", pa.int32(), nullable=False)
    assert found["query_index"].to_pylist() == [query for query in range(5) for _ in range(4)]
    for number, query in enumerate(queries):
        one = table.search(query, 4, columns=["id"])
        assert found.slice(4 * number, 4).drop(["query_index"]).combine_chunks() == one
    nearest = {"column": "vector", "q": queries, "k": 4, "nprobes": 20}
    assert found.drop(["_distance"]) == dataset.to_table(nearest=nearest, columns=["id"]).drop(["_distance"])
    assert table.search(queries[:1], 4, columns=["id"])["query_index"].to_pylist() == [0] * 4


@pytest.mark.parametrize(
    "form",
    [
        lambda q: q.tolist(),
        tuple,
        lambda q: q.astype(np.float64),
        lambda q: q.astype(">f4"),
        lambda q: np.repeat(q, 2)[::2],
        pa.array,
        lambda q: pa.scalar(q.tolist()),
        lambda q: pa.chunked_array([q[:3], q[3:]]),
        lambda q: vectors_of(q[np.newaxis])[0],
        pandas.Series,
        polars.Series,
        lambda q: np.lib.stride_tricks.as_strided(q, writeable=False),
    ],
)
def test_forms_of_a_query(table, queries, form):
    expected = table.search(queries[0])
    assert table.search(form(queries[0])) == expected


@pytest.mark.parametrize(
    "form",
    [
        lambda q: q.tolist(),
        lambda q: list(q),
        np.asfortranarray,
        vectors_of,
        lambda q: pa.chunked_array([vectors_of(q[:2]), vectors_of(q[2:])]),
        lambda q: pandas.Series(list(q)),
        lambda q: np.concatenate([q, q])[:5],
    ],
)
def test_forms_of_a_batch(table, queries, form):
    assert table.search(form(queries)) == table.search(queries)


def test_half_floats_are_converted(table, queries):
    half = queries[0].astype(np.float16)
    assert table.search(half) == table.search(half.astype(np.float32))


def test_bytes_by_hamming_distance(tmp_path):
    import lance

    rows = np.random.default_rng(3).integers(0, 256, (300, 8), np.uint8)
    lance.write_dataset(pa.table({"id": range(300), "code": vectors_of(rows)}), tmp_path / "codes.lance")
    found = fewter.open(tmp_path / "codes.lance").search(rows[9], 3, columns=["id"])
    bits = np.unpackbits(rows ^ rows[9], axis=1).sum(axis=1)
    assert ids_of(found)[0] == 9
    assert found["_distance"].to_pylist() == np.sort(bits)[:3].tolist()


@pytest.mark.parametrize(
    "query, error",
    [
        ("vector", TypeError),
        (None, TypeError),
        ([], ValueError),
        ([1.0] * (DIMENSION - 1), ValueError),
        ([[1.0] * DIMENSION, [1.0]], ValueError),
        ([float("nan")] * DIMENSION, ValueError),
        ([1e300] * DIMENSION, ValueError),
        ([True] * DIMENSION, TypeError),
        (["1"] * DIMENSION, TypeError),
        (np.zeros((1, 1, DIMENSION), np.float32), TypeError),
        (pa.array([1.0, None]), ValueError),
    ],
)
def test_queries_that_do_not_fit(table, query, error):
    with pytest.raises(error):
        table.search(query)


def test_a_batch_of_no_queries(table):
    found = table.search(np.zeros((0, DIMENSION), np.float32), columns=["id"])
    assert found.num_rows == 0
    assert found.schema.names == ["query_index", "id", "_distance"]


def test_columns(table, queries):
    def names(**options):
        return table.search(queries[0], 2, **options).schema.names

    assert names() == ["id", "vector", "text", "more", "_distance"]
    assert names(columns=["text"]) == ["text", "_distance"]
    assert names(columns=["_distance", "id"]) == ["_distance", "id"]
    assert names(columns=[]) == ["_distance", "_rowid"]
    assert names(columns=[], with_row_id=False) == ["_distance"]
    assert names(columns=["more.half", "id", "more"]) == ["more.half", "id", "more", "_distance"]
    assert names(columns=["id", "_rowaddr"], with_row_id=True) == ["id", "_rowaddr", "_distance", "_rowid"]
    with pytest.raises(TypeError, match="not a string"):
        names(columns="text")
    with pytest.raises(KeyError, match="no column 'nope'"):
        names(columns=["nope"])


def test_no_data_is_read_for_row_ids(tmp_path, values):
    from conftest import write_rows

    write_rows(tmp_path / "x.lance", values).create_index("vector", "IVF_FLAT", num_partitions=4)
    table = fewter.open(tmp_path / "x.lance")
    table.search(values[0], columns=[])
    assert table.io_stats()["index"]["requests"] > 0
    assert table.io_stats()["data"]["requests"] == 0


def test_options(dataset, table, queries):
    def both(**options):
        nearest = {"column": "vector", "q": queries[1], "k": 8, "nprobes": 8, **options}
        renamed = {key: value for key, value in nearest.items() if key not in ("q", "column")}
        assert ids_of(table.search(queries[1], **renamed)) == ids_of(dataset.to_table(nearest=nearest))

    both()
    both(metric="cosine")
    both(metric="dot")
    both(refine_factor=2)
    both(distance_range=(3.0, 12.0))
    both(distance_range=(None, 9.0))
    both(distance_range=(9.0, None))
    both(use_index=False)
    found = table.search(queries[1], 8, nprobes=8, fast_search=True)
    assert ids_of(found) == ids_of(
        dataset.to_table(nearest={"column": "vector", "q": queries[1], "k": 8, "nprobes": 8}, fast_search=True)
    )
    assert max(ids_of(found)) < 1800
    assert set(ids_of(table.search(queries[1], 50, fragments=[2]))) <= set(range(1200, 1800))


def test_rows_that_are_allowed_or_blocked(table, queries):
    everything = table.search(queries[0], 10, nprobes=8, columns=["id"], with_row_id=True)
    ids = everything["_rowid"].to_numpy()
    found = table.search(queries[0], 10, nprobes=8, allow_rows=ids[::2], columns=["id"])
    assert ids_of(found) == ids_of(everything)[::2]
    found = table.search(queries[0], 5, nprobes=8, block_rows=pa.array(ids[:5]), columns=["id"])
    assert ids_of(found) == ids_of(everything)[5:]
    found = table.search(queries[0], 5, nprobes=8, allow_rows=ids.tolist(), block_rows=ids[1:], columns=["id"])
    assert ids_of(found) == ids_of(everything)[:1]


def test_filters(dataset, table, queries):
    for filter in ["id < 300 AND text IS NOT NULL", pc.field("id").isin(list(range(0, 2000, 7)))]:
        for prefilter in [True, False]:
            nearest = {"column": "vector", "q": queries[3], "k": 20, "nprobes": 8}
            expected = dataset.to_table(nearest=nearest, filter=filter, prefilter=prefilter, columns=["id"])
            found = table.search(queries[3], 20, nprobes=8, filter=filter, prefilter=prefilter, columns=["id"])
            assert ids_of(found) == ids_of(expected)
    assert table.search(queries, 5, filter="id < 0").num_rows == 0
    with pytest.raises(KeyError, match="nope"):
        table.search(queries[0], filter="nope = 1")


@pytest.mark.parametrize(
    "options, error",
    [
        ({"k": 0}, ValueError),
        ({"k": -1}, ValueError),
        ({"k": 2.5}, TypeError),
        ({"k": True}, TypeError),
        ({"k": 2**32}, ValueError),
        ({"nprobes": 0}, ValueError),
        ({"ef": 0}, ValueError),
        ({"refine_factor": 0}, ValueError),
        ({"metric": "euclid"}, ValueError),
        ({"column": "nope"}, KeyError),
        ({"column": "text"}, NotImplementedError),
        ({"index": "nope"}, KeyError),
        ({"approx_mode": "sloppy"}, ValueError),
        ({"query_parallelism": -2}, ValueError),
        ({"distance_range": (float("nan"), None)}, ValueError),
        ({"timeout": -1.0}, ValueError),
        ({"timeout": "soon"}, TypeError),
        ({"allow_rows": [-1]}, ValueError),
        ({"allow_rows": [0.5]}, TypeError),
        ({"frobnicate": 1}, TypeError),
    ],
)
def test_options_that_make_no_sense(table, queries, options, error):
    with pytest.raises(error) as raised:
        table.search(queries[0], **options)
    assert str(raised.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"nprobe": 5}, "no option 'nprobe'; did you mean 'nprobes'?"),
        ({"column_names": []}, "did you mean"),
        ({"distance_range": 5}, "distance_range is a pair"),
        ({"distance_range": (1, 2, 3)}, "distance_range is a pair"),
        ({"allow_rows": 7}, "a list of row ids"),
    ],
)
def test_what_was_meant(table, queries, options, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        table.search(queries[0], **options)


def test_a_search_whose_time_is_over(dataset, queries):
    table = fewter.open(dataset.uri, cache="memory://")
    for search in (table.search, table.search_arrays):
        with pytest.raises(TimeoutError, match="time is over"):
            search(queries[:1], timeout=0)
    assert table.search(queries[0], timeout=60).num_rows == 10


def test_the_vector_column_is_named_if_there_are_several(tmp_path, values):
    import lance

    two = pa.table({"a": vectors_of(values[:20]), "b": vectors_of(values[20:40, :8])})
    lance.write_dataset(two, tmp_path / "two.lance")
    table = fewter.open(tmp_path / "two.lance")
    with pytest.raises(ValueError, match="a, b"):
        table.search(values[0])
    assert table.search(values[20, :8], 1, column="b", columns=["_rowid"])["_rowid"].to_pylist() == [0]
    lance.write_dataset(pa.table({"id": [1]}), tmp_path / "none.lance")
    with pytest.raises(ValueError, match="none"):
        fewter.open(tmp_path / "none.lance").search(values[0])


def test_the_result_goes_on_without_a_copy(table, queries):
    found = table.search(queries[0], 3, columns=["id", "text"])
    assert isinstance(found, pa.Table)
    assert found.to_pandas()["id"].tolist() == ids_of(found)
    assert polars.from_arrow(found)["text"].to_list() == found["text"].to_pylist()
    batch = table._dataset.take(np.arange(3, dtype=np.uint64), ["id"], False)
    first, second = pa.record_batch(batch), pa.record_batch(batch)
    assert first["id"].buffers()[1].address == second["id"].buffers()[1].address


def test_async(table, queries):
    async def all_at_once():
        return await asyncio.gather(*(table.search_async(query, 3, columns=["id"]) for query in queries))

    found = asyncio.run(all_at_once())
    assert [ids_of(one) for one in found] == [ids_of(table.search(query, 3)) for query in queries]


def test_as_a_faiss_index(table, queries):
    index = table.as_faiss(nprobes=8)
    assert (index.d, index.ntotal, index.nprobe) == (DIMENSION, table.count_rows(), 8)
    distances, ids = index.search(queries, 6)
    assert (distances.dtype, distances.shape, ids.dtype, ids.shape) == (np.float32, (5, 6), np.int64, (5, 6))
    found = table.search(queries, 6, nprobes=8, columns=["_rowid", "_distance"])
    assert ids.ravel().tolist() == found["_rowid"].to_pylist()
    assert distances.ravel().tolist() == found["_distance"].to_pylist()
    index.nprobe = 1
    few, few_ids = index.search(queries[:1], 1000)
    assert (few_ids == -1).any() and np.isinf(few[few_ids == -1]).all()
    _, again_ids = index.search(queries[:1], 1000, nprobe=8)
    assert (again_ids >= 0).sum() > (few_ids >= 0).sum()
    with pytest.raises(ValueError, match="two dimensions"):
        index.search(queries[0], 6)
