"""What accelerate answers, beside pylance."""

import logging

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import write_rows

import fewter


@pytest.fixture
def fast(dataset):
    return fewter.accelerate(dataset, cache="memory://")


def same(found: pa.Table, expected: pa.Table) -> None:
    assert found.schema == expected.schema
    for name in expected.schema.names:
        if name == "_distance":
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-6)
        else:
            assert found[name].combine_chunks() == expected[name].combine_chunks(), name


SERVED = [
    {},
    {"columns": ["id"]},
    {"columns": []},
    {"columns": ["_distance", "id"]},
    {"columns": ["_rowid", "text"]},
    {"columns": ["id"], "with_row_id": True},
    {"columns": ["_rowid", "id"], "with_row_id": True},
    {"with_row_id": True, "with_row_address": True},
    {"limit": 4},
    {"limit": 4, "offset": 3},
    {"limit": 12, "offset": 4, "nearest": {"k": None}},
    {"nearest": {"k": None}},
    {"fast_search": True},
    {"columns": ["id"], "disable_scoring_autoprojection": True},
    {"prefilter": True},
    {"batch_size": 3},
    {"filter": "id < 900 AND text IS NOT NULL", "prefilter": True},
    {"filter": "id < 900 AND text IS NOT NULL"},
    {"filter": (pc.field("id") > 100) & pc.field("text").is_valid(), "prefilter": True, "columns": ["id"]},
    {"filter": "more.half > 300", "prefilter": True, "limit": 3},
    {"filter": "id = -1", "prefilter": True},
    {"columns": ["more.half", "id", "more.odd"], "filter": "more.odd"},
    {"columns": ["more", "more.half", "_rowid", "_distance"], "with_row_id": True},
    {"filter": "_rowid < 900 AND _rowid >= 4", "prefilter": True, "columns": ["_rowid"]},
    {"nearest": {"k": 3}},
    {"nearest": {"k": 3, "metric": "cosine"}},
    {"nearest": {"use_index": False}},
    {"nearest": {"refine_factor": 3}},
    {"nearest": {"distance_range": (2.0, 20.0)}},
    {"nearest": {"minimum_nprobes": 8, "maximum_nprobes": 8}},
    {"nearest": {"k": 30, "ef": 40, "query_parallelism": 2, "approx_mode": "fast"}},
]


@pytest.mark.parametrize("options", SERVED, ids=str)
@pytest.mark.parametrize("is_batch", [False, True])
def test_the_same_as_pylance(dataset, fast, queries, options, is_batch, monkeypatch):
    nearest = {"column": "vector", "q": queries if is_batch else queries[2], "k": 7, "nprobes": 8}
    nearest.update(options.get("nearest", {}))
    if "minimum_nprobes" in nearest:
        del nearest["nprobes"]
    options = {**options, "nearest": nearest}
    expected = dataset.to_table(**options)
    monkeypatch.setattr(lance.LanceDataset, "scanner", None)  # That pylance is not asked.
    same(fast.to_table(**options), expected)


def test_scanners_and_batches(dataset, fast, queries):
    nearest = {"column": "vector", "q": queries[0], "k": 10, "nprobes": 8}
    expected = dataset.to_table(nearest=nearest, columns=["id"])
    scanner = fast.scanner(columns=["id"], nearest=nearest, batch_size=4)
    same(scanner.to_table(), expected)
    same(scanner.to_reader().read_all(), expected)
    assert [batch.num_rows for batch in fast.to_batches(columns=["id"], nearest=nearest, batch_size=4)] == [4, 4, 2]
    assert scanner.count_rows() == 10
    assert "KNN" in scanner.explain_plan() or "ANN" in scanner.explain_plan()
    assert fast.to_pandas(columns=["id"], nearest=nearest)["id"].tolist() == expected["id"].to_pylist()


def test_everything_else_is_pylances(dataset, fast):
    assert fast.to_table(columns=["id"], filter="id < 10") == dataset.to_table(columns=["id"], filter="id < 10")
    assert fast.count_rows() == dataset.count_rows() == len(fast)
    assert fast.schema == dataset.schema
    assert fast.take([1, 2]) == dataset.take([1, 2])
    assert fast.to_pandas().equals(dataset.to_pandas())
    assert fast.lance is dataset
    assert "accelerate" in repr(fast)
    with pytest.raises(AttributeError):
        _ = fast.no_such_thing


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"columns": {"twice": "id * 2"}}, "expressions"),
        ({"nearest": {"search_effort": 0.9}}, "search_effort"),
        ({"order_by": ["id"]}, "order_by"),
        ({"filter": "array_has(make_array(id), 5)"}, "make_array"),
    ],
)
def test_what_fewter_does_not_do_pylance_does(dataset, fast, queries, options, reason, caplog):
    nearest = {"column": "vector", "q": queries[0], "k": 5, "nprobes": 8, **options.get("nearest", {})}
    options = {**options, "nearest": nearest}
    with caplog.at_level(logging.INFO, "fewter"):
        found = fast.to_table(**options)
    assert found == dataset.to_table(**options)
    assert reason in caplog.text


def test_it_follows_the_dataset(tmp_path, values):
    written = write_rows(tmp_path / "x.lance", values[:200])
    fast = fewter.accelerate(written)
    nearest = {"column": "vector", "q": values[250], "k": 1}
    assert fast.to_table(nearest=nearest)["id"][0].as_py() < 200
    fast.insert(write_rows(tmp_path / "y.lance", values[200:300], first=200).to_table())
    assert fast.to_table(nearest=nearest)["id"].to_pylist() == [250]


def test_a_search_that_fails_is_pylances(dataset, fast, queries, monkeypatch, caplog):
    def fail(*arguments):
        raise OSError("the line is cut")

    nearest = {"column": "vector", "q": queries[0], "k": 5, "nprobes": 8}
    monkeypatch.setattr(fast.table, "_rows_of", fail)
    with caplog.at_level(logging.INFO, "fewter"):
        assert fast.to_table(nearest=nearest) == dataset.to_table(nearest=nearest)
    assert "the line is cut" in caplog.text


@pytest.mark.parametrize(
    "nearest",
    [
        {"column": "vector"},
        {"column": "vector", "q": [1.0], "k": 1},
        {"q": [1.0] * 16},
        {"column": "nope", "q": [1.0] * 16},
        {"column": "vector", "q": [1.0] * 16, "k": 0},
        {"column": "vector", "q": [1.0] * 16, "nonsense": 1},
    ],
)
def test_errors_are_those_of_pylance(dataset, fast, nearest):
    with pytest.raises(Exception) as expected:
        dataset.to_table(nearest=nearest)
    with pytest.raises(type(expected.value)) as raised:
        fast.to_table(nearest=nearest)
    assert str(raised.value) == str(expected.value)
