"""`fewter bench`: its forms, its errors, and that recall counts the right rows. Never how fast it is."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pyarrow as pa
import pytest

os.environ.setdefault("LANCE_LOG", "error")

import lance  # noqa: E402

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
DATASET = str(SOURCE / "examples" / "packages.lance")
QUERIES = str(SOURCE / "examples" / "packages_queries.npy")
DIMENSION = 8


def run(*arguments, code=0):
    done = subprocess.run([BINARY, "bench", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    if code != 0:
        assert done.stderr and not done.stdout
    return done


def bench(*arguments, uri=DATASET, column="vector", queries=QUERIES, **options):
    return run(uri, "--column", column, "--queries", queries, *arguments, **options)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def vectors(count, seed=1):
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def table(values, first=0):
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return pa.table({"v": lists, "n": pa.array(range(first, first + len(values)), pa.int32())})


def nearest(base, queries, k):
    """[queries, k] row numbers by L2 distance."""
    return np.array([np.argsort(((base - query) ** 2).sum(axis=1), kind="stable")[:k] for query in queries])


def test_json_has_a_line_a_setting():
    measured = lines(bench("-k", 3, "--nprobes", "1,5", "--threads", "1,2", "--json"))
    assert [(line["nprobes"], line["threads"]) for line in measured] == [(1, 1), (1, 2), (5, 1), (5, 2)]
    for line in measured:
        assert set(line) == {"k", "nprobes", "threads", "p50_us", "p99_us", "qps"}
        assert line["k"] == 3
        assert 0 < line["p50_us"] <= line["p99_us"] and line["qps"] > 0


def test_defaults_and_lists_of_the_other_options():
    (line,) = lines(bench("--json"))
    assert set(line) == {"nprobes", "threads", "p50_us", "p99_us", "qps"}
    assert (line["nprobes"], line["threads"]) == (20, 1)
    measured = lines(bench("--ef", "30,60", "--refine", "1,2", "--json"))
    assert [(line["ef"], line["refine"]) for line in measured] == [(30, 1), (30, 2), (60, 1), (60, 2)]


def test_options_may_stand_before_the_uri():
    assert len(lines(run("--nprobes", "1,2", DATASET, "--column", "vector", "--queries", QUERIES, "--json"))) == 2


def test_a_table_for_people(tmp_path):
    np.save(tmp_path / "truth.npy", np.zeros((6, 10), np.int32))
    head, line = bench("--nprobes", 2, "--ef", 40, "--truth", tmp_path / "truth.npy").stdout.splitlines()
    assert head.split() == ["nprobes", "ef", "threads", "p50", "µs", "p99", "µs", "queries/s", "recall"]
    assert line.split()[:3] == ["2", "40", "1"]


@pytest.mark.parametrize("stable_row_ids", [False, True])
def test_recall_of_row_numbers(tmp_path, stable_row_ids):
    """Row numbers leave out deleted rows and go on from fragment to fragment, whatever the row ids are."""
    values = vectors(900)
    uri = tmp_path / "d.lance"
    dataset = lance.write_dataset(table(values[:700]), uri, max_rows_per_file=300, enable_stable_row_ids=stable_row_ids)
    dataset.delete("n % 7 = 3")
    # Moves rows to another fragment, where stable ids remain what they are.
    dataset.optimize.compact_files()
    dataset = lance.write_dataset(table(values[700:], first=700), uri, mode="append")
    dataset.delete("n % 5 = 3")
    assert len(dataset.get_fragments()) == 2
    dataset.create_index("v", "IVF_FLAT", metric="l2", num_partitions=4)
    order = dataset.to_table(columns=["n"])["n"].to_numpy()
    assert len(order) < 900
    queries = vectors(20, seed=2)
    np.save(tmp_path / "q.npy", queries)
    for dtype in ["int32", "int64", "uint32", "uint64"]:
        np.save(tmp_path / "truth.npy", nearest(values[order], queries, 12).astype(dtype))
        arguments = ["-k", 10, "--truth", tmp_path / "truth.npy", "--json"]
        (line,) = lines(bench(*arguments, "--nprobes", 4, uri=uri, column="v", queries=tmp_path / "q.npy"))
        assert line["recall"] == 1.0
    (line,) = lines(bench(*arguments, "--nprobes", 1, uri=uri, column="v", queries=tmp_path / "q.npy"))
    found = dataset.to_table(columns=["n"], nearest={"column": "v", "q": queries[0], "k": 10, "nprobes": 1})
    assert 0.1 < line["recall"] < 1.0 and len(found) == 10


def test_recall_is_the_share_of_true_rows_among_the_answers(tmp_path):
    values = vectors(300)
    dataset = lance.write_dataset(table(values), tmp_path / "d.lance")
    dataset.create_index("v", "IVF_PQ", metric="l2", num_partitions=4, num_sub_vectors=2)
    queries = vectors(30, seed=2)
    np.save(tmp_path / "q.npy", queries)
    truth = nearest(values, queries, 5)
    np.save(tmp_path / "truth.npy", truth.astype(np.int32))
    arguments = {"uri": tmp_path / "d.lance", "column": "v", "queries": tmp_path / "q.npy"}
    settings = ["-k", 5, "--truth", tmp_path / "truth.npy", "--nprobes", "1,2", "--refine", "1,4", "--json"]
    for line in lines(bench(*settings, **arguments)):
        found = 0
        for query, rows in zip(queries, truth):
            options = {"nprobes": line["nprobes"], "refine_factor": line["refine"]}
            answer = dataset.to_table(columns=["n"], nearest={"column": "v", "q": query, "k": 5, **options})
            found += len(set(answer["n"].to_pylist()) & set(rows.tolist()))
        assert line["recall"] == pytest.approx(found / truth.size)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8"])
def test_query_types(tmp_path, dtype):
    values = np.random.default_rng(3).integers(0, 256, size=(400, DIMENSION)).astype("uint8")
    metric = "hamming" if dtype == "uint8" else "l2"
    base = values if dtype == "uint8" else values.astype(np.float32)
    lance.write_dataset(table(base), tmp_path / "d.lance").create_index(
        "v", "IVF_FLAT", metric=metric, num_partitions=2)
    np.save(tmp_path / "q.npy", values[:5].astype(dtype))
    np.save(tmp_path / "truth.npy", np.arange(5).reshape(5, 1))
    (line,) = lines(bench("-k", 1, "--nprobes", 2, "--truth", tmp_path / "truth.npy", "--json",
                          uri=tmp_path / "d.lance", column="v", queries=tmp_path / "q.npy"))
    assert line["recall"] == 1.0


def test_a_given_cache_is_used(tmp_path):
    bench("--cache", f"memory://,disk://{tmp_path}/cache", "--json")
    assert any((tmp_path / "cache").rglob("*"))
    assert lines(bench("--cache", "none", "--nprobes", 1, "--json"))


def test_usage_errors(tmp_path):
    run(code=2)
    run(DATASET, "--queries", QUERIES, code=2)
    run(DATASET, "--column", "vector", code=2)
    for option, value in [("--nprobes", "1,0"), ("--nprobes", "1,x"), ("--threads", "0"), ("--ef", "-1"), ("-k", "0"),
                          ("--cache", "floppy:///dev/fd0")]:
        bench(option, value, code=2)
    # The second setting is refused before the first is measured.
    assert "ef is 20" in bench("--ef", 20, "--refine", "1,3", "--json", code=2).stderr
    np.save(tmp_path / "q.npy", np.zeros((2, 7), np.float32))
    assert "384" in bench(queries=tmp_path / "q.npy", code=2).stderr
    np.save(tmp_path / "q.npy", np.full(384, np.nan, np.float32))
    assert "q.npy: vector 0 is not finite" in bench(queries=tmp_path / "q.npy", code=2).stderr


def test_a_truth_that_does_not_fit(tmp_path):
    def says(rows):
        np.save(tmp_path / "truth.npy", rows)
        return bench("-k", 4, "--truth", tmp_path / "truth.npy", code=2).stderr

    assert "6 queries, and 4 rows" in says(np.zeros((5, 4), np.int32))
    assert "6 x 3 row numbers" in says(np.zeros((6, 3), np.int32))
    assert "row 5000 of a dataset of 5000 rows" in says(np.full((6, 4), 5000))
    assert "negative" in says(np.full((6, 4), -1))
    assert "int32, int64" in says(np.zeros((6, 4), np.float32))


def test_things_that_are_not_there(tmp_path):
    assert "nowhere.npy" in bench(queries=tmp_path / "nowhere.npy", code=3).stderr
    assert "nowhere.npy" in bench("--truth", tmp_path / "nowhere.npy", code=3).stderr
    assert "nowhere" in bench(uri=tmp_path / "nowhere", code=3).stderr
    assert "colour" in bench(column="colour", code=3).stderr
