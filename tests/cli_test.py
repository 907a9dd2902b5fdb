"""The command line as scripts and people use it: output forms, errors, exit codes."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pytest

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
DATASET = str(SOURCE / "examples" / "packages.lance")
QUERIES = str(SOURCE / "examples" / "packages_queries.npy")


def run(*arguments, code=0):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    if code != 0:
        assert done.stderr, "an error says something on stderr"
    return done


def query(*arguments, **options):
    return run("query", DATASET, "--column", "vector", *arguments, **options)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_form_of_a_row():
    (answer,) = lines(query("--row", 5, "-k", 3, "--nprobes", 4, "--json"))
    assert set(answer) == {"query", "rows"}
    assert answer["query"] == 0
    assert [set(row) for row in answer["rows"]] == [{"_rowid", "_distance"}] * 3
    assert answer["rows"][0]["_rowid"] == 5
    assert all(isinstance(row["_distance"], float) for row in answer["rows"])
    distances = [row["_distance"] for row in answer["rows"]]
    assert distances == sorted(distances)


def test_a_matrix_is_one_line_a_query():
    answers = lines(query("--vector", QUERIES, "-k", 4, "--json"))
    assert [answer["query"] for answer in answers] == list(range(6))
    assert all(len(answer["rows"]) == 4 for answer in answers)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npy_types_and_one_vector(tmp_path, dtype):
    vector = np.load(QUERIES)[2]
    np.save(tmp_path / "q.npy", vector.astype(dtype))
    (answer,) = lines(query("--vector", tmp_path / "q.npy", "-k", 1, "--json"))
    assert answer["rows"] == lines(query("--vector", QUERIES, "-k", 1, "--json"))[2]["rows"]


def test_stats_are_the_last_line():
    done = query("--vector", QUERIES, "--nprobes", 16, "--json", "--stats")
    stats = lines(done)[-1]["stats"]
    assert stats["seconds"] > 0
    assert set(stats["io"]) == {"manifest", "index", "data", "retries", "rounds", "seconds"}
    assert stats["io"]["manifest"]["requests"] == 2
    assert stats["io"]["index"]["bytes"] > 100_000
    assert stats["io"]["data"] == {"requests": 0, "bytes": 0}
    # 16 partitions, the state, and the metadata of two files, whose readers then read the partitions.
    assert stats["cache"]["loads"] == 19
    assert stats["cache"]["hits"] == 5 * 16
    assert stats["cache"]["bytes"] > 0


def test_reading_a_row_is_counted_as_data():
    stats = lines(query("--row", 4999, "--json", "--stats"))[-1]["stats"]
    assert stats["io"]["data"]["requests"] > 0
    assert 384 * 4 <= stats["io"]["data"]["bytes"] < 200_000


def test_cache_none_keeps_nothing():
    stats = lines(query("--vector", QUERIES, "--nprobes", 16, "--json", "--stats", "--cache", "none"))[-1]["stats"]
    assert stats["cache"]["hits"] == 0
    assert stats["cache"]["loads"] >= 6 * 16
    assert stats["cache"]["bytes"] == 0


def test_cache_does_not_change_the_answer():
    answers = {query("--vector", QUERIES, "--json", "--cache", cache).stdout
               for cache in ["none", "memory://", "memory://?capacity=100KiB", "memory://?capacity=2GiB"]}
    assert len(answers) == 1


def test_tables_for_people():
    table = query("--row", 5, "-k", 2, "--stats").stdout
    assert "_rowid" in table and "_distance" in table and "requests" in table
    info = run("info", DATASET).stdout
    for word in ["version 2", "5000 rows", "IVF_PQ", "cosine", "dimension 384", "16 partitions", "auxiliary.idx"]:
        assert word in info, word


def test_info_json():
    info = json.loads(run("info", DATASET, "--json").stdout)
    assert info["version"] == 2 and info["rows"] == 5000
    (index,) = info["indexes"]
    (segment,) = index["segments"]
    assert segment["type"] == "IVF_PQ" and segment["metric"] == "cosine" and segment["rows"] == 5000
    assert len(segment["files"]) == 2
    for file in segment["files"]:
        assert (pathlib.Path(DATASET) / file["path"]).stat().st_size == file["bytes"]


def test_a_given_version():
    assert json.loads(run("info", DATASET, "--dataset-version", 1, "--json").stdout)["indexes"] == []
    assert "version 3" in query("--row", 0, "--dataset-version", 3, code=3).stderr


def test_an_unreachable_store_and_a_full_disk():
    uri = "s3://bucket/x?endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1"
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "PATH": os.environ["PATH"]}
    done = subprocess.run([BINARY, "info", uri], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 5, done.stderr
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "info", DATASET], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_help_and_version():
    assert "Example" in run("--help").stdout
    assert "Example" in run("query", "--help").stdout
    assert run("--version").stdout.startswith("fewter ")


def test_usage_errors(tmp_path):
    run(code=2)
    run("query", code=2)
    run("frobnicate", code=2)
    query(code=2)
    query("--row", 0, "--vector", QUERIES, code=2)
    query("--row", 0, "-k", 0, code=2)
    query("--row", 0, "--nprobes", -3, code=2)
    assert "--nprobes 20" in query("--row", 0, "--max-nprobes", 3, code=2).stderr
    assert "--dataset-version" in query("--row", 0, "--dataset-version", -1, code=2).stderr
    query("--row", -1, code=2)
    assert "5000 rows" in query("--row", 5000, code=2).stderr
    query("--row", 0, "--cache", "floppy:///dev/fd0", code=2)
    assert "several tiers" in query("--row", 0, "--cache", "./a,redis://127.0.0.1:1", code=2).stderr
    assert "not a number" in query("--row", 0, "--distance-below", "nan", code=2).stderr
    np.save(tmp_path / "q.npy", np.zeros((2, 7), np.float32))
    assert "384" in query("--vector", tmp_path / "q.npy", code=2).stderr
    np.save(tmp_path / "q.npy", np.full(384, np.nan, np.float32))
    assert "finite" in query("--vector", tmp_path / "q.npy", code=2).stderr
    (tmp_path / "q.npy").write_bytes(b"not numpy")
    assert "q.npy" in query("--vector", tmp_path / "q.npy", code=2).stderr


def test_things_that_are_not_there(tmp_path):
    assert "nowhere" in run("info", tmp_path / "nowhere", code=3).stderr
    assert "nowhere" in query("--vector", tmp_path / "nowhere.npy", code=3).stderr
    assert "colour" in run("query", DATASET, "--column", "colour", "--row", 0, code=3).stderr
    assert "other_idx" in query("--row", 0, "--index", "other_idx", code=3).stderr
    # A column of text has no vectors to read.
    run("query", DATASET, "--column", "name", "--row", 0, code=6)


def test_corrupt_files_are_named(tmp_path):
    copy = tmp_path / "copy.lance"
    for name in ["auxiliary.idx", "index.idx"]:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(DATASET, copy)
        (path,) = copy.rglob(name)
        path.write_bytes(path.read_bytes()[:-1] + b"X")
        done = run("query", copy, "--column", "vector", "--vector", QUERIES, "--cache", "none", code=6)
        assert name in done.stderr
    shutil.rmtree(copy)
    shutil.copytree(DATASET, copy)
    manifest = max((copy / "_versions").glob("*.manifest"), key=lambda path: -int(path.stem))
    manifest.write_bytes(manifest.read_bytes()[:40])
    assert manifest.name in run("info", copy, code=6).stderr


def test_a_missing_index_file(tmp_path):
    copy = tmp_path / "copy.lance"
    shutil.copytree(DATASET, copy)
    (path,) = copy.rglob("auxiliary.idx")
    path.unlink()
    assert "auxiliary.idx" in run("query", copy, "--column", "vector", "--vector", QUERIES, code=3).stderr
    # What can be shown is shown.
    assert "cannot be read" in run("info", copy).stdout


@pytest.fixture
def pylance():
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance


def vectors(count, dimension=8, seed=1):
    values = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimension), values


def test_several_vectors_a_row_are_refused(tmp_path, pylance):
    lists = pa.ListArray.from_arrays(pa.array(range(0, 801, 2), pa.int32()), vectors(800)[0])
    dataset = pylance.write_dataset(pa.table({"v": lists}), tmp_path / "d.lance")
    dataset.create_index("v", "IVF_FLAT", metric="cosine", num_partitions=2)
    np.save(tmp_path / "q.npy", np.ones(8, np.float32))
    for how in [], ["--exact"]:
        done = run("query", tmp_path / "d.lance", "--column", "v", "--vector", tmp_path / "q.npy", *how, code=6)
        assert "column 'v' has several vectors a row" in done.stderr


def test_names_that_are_mistyped_are_repeated():
    assert "no command 'fewter frob'" in run("frob", code=2).stderr
    assert "no command 'cache frob'" in run("cache", "frob", code=2).stderr
    assert "'foo' is none of cosine|dot|hamming|l2" in query("--row", 0, "--metric", "foo", code=2).stderr
    assert "'foo' is none of accurate|fast|normal" in query("--row", 0, "--approx-mode", "foo", code=2).stderr
    assert lines(query("--row", 5, "-k", 1, "--metric", "DOT", "--json")) == lines(
        query("--row", 5, "-k", 1, "--metric", "dot", "--json"))


def test_what_is_no_file_of_vectors_is_a_matter_of_usage(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "values of type |O;" in query("--vector", tmp_path / "objects.npy", code=2).stderr
    for arguments in (["query", DATASET, "--vector", tmp_path], ["bench", DATASET, "--queries", tmp_path],
                      ["bench", DATASET, "--queries", QUERIES, "--truth", tmp_path]):
        assert "a folder, not an npy file" in run(*arguments, "--column", "vector", code=2).stderr


def test_messages_can_be_printed():
    done = subprocess.run([BINARY, "query", DATASET, "--column", b"a\xff\x1b[31m", "--row", "0"], capture_output=True)
    assert done.returncode == 3
    assert b"no column 'a\\xff\\x1b[31m'" in done.stderr


def test_an_index_that_is_gone_or_cut_off_leaves_exact_search(tmp_path):
    copy = shutil.copytree(DATASET, tmp_path / "d.lance")
    (storage,) = copy.glob("_indices/*/auxiliary.idx")
    arguments = ["query", copy, "--column", "vector", "--row", 0, "-k", 1, "--cache", "none"]
    storage.write_bytes(storage.read_bytes()[:1000])
    assert "--exact" in run(*arguments, code=6).stderr
    storage.unlink()
    assert re.search("auxiliary.idx: No such file or directory; .*; search without it", run(*arguments, code=3).stderr)
    run(*arguments, "--exact")


def test_of_two_indexes_the_first_is_used(tmp_path, pylance):
    array, values = vectors(400)
    dataset = pylance.write_dataset(pa.table({"v": array}), tmp_path / "d.lance")
    dataset.create_index("v", "IVF_FLAT", metric="l2", num_partitions=2, name="zz")
    dataset.create_index("v", "IVF_FLAT", metric="dot", num_partitions=2, name="aa")
    np.save(tmp_path / "q.npy", values[7])
    arguments = ["query", tmp_path / "d.lance", "--column", "v", "--vector", tmp_path / "q.npy", "-k", 3, "--nprobes", 2]
    expected = dataset.to_table(nearest={"column": "v", "q": values[7], "k": 3, "nprobes": 2}, with_row_id=True)
    (answer,) = lines(run(*arguments, "--json"))
    assert [row["_rowid"] for row in answer["rows"]] == expected["_rowid"].to_pylist()
    assert answer["rows"][0] == {"_rowid": 7, "_distance": 0.0}
    (by_name,) = lines(run(*arguments, "--index", "aa", "--json"))
    assert by_name["rows"][0]["_distance"] < 0


def test_rows_that_moved_behind_the_index_are_found(tmp_path, pylance):
    array, values = vectors(600)
    uri = tmp_path / "d.lance"
    dataset = pylance.write_dataset(pa.table({"v": array}), uri, max_rows_per_file=200)
    dataset.create_index("v", "IVF_FLAT", metric="l2", num_partitions=2)
    dataset.optimize.compact_files(defer_index_remap=True)
    np.save(tmp_path / "q.npy", values[7])
    arguments = ["query", uri, "--column", "v", "--vector", tmp_path / "q.npy", "-k", 1, "--nprobes", 2, "--json",
                 "--fast-search"]
    moved = dataset.to_table(columns=[], with_row_id=True)["_rowid"].to_pylist()[7]
    (answer,) = lines(run(*arguments))
    assert answer["rows"] == [{"_rowid": moved, "_distance": 0.0}]
    dataset = pylance.dataset(uri)
    dataset.create_index("v", "IVF_FLAT", metric="l2", num_partitions=2, replace=True)
    (answer,) = lines(run(*arguments))
    assert answer["rows"][0]["_distance"] == 0.0


def test_a_search_beyond_the_index(tmp_path, pylance):
    """Rows that no index covers, candidates ordered anew, ranges: as pylance."""
    array, values = vectors(600)
    uri = tmp_path / "d.lance"
    dataset = pylance.write_dataset(pa.table({"v": array.slice(0, 400)}), uri)
    dataset.create_index("v", "IVF_PQ", metric="l2", num_partitions=2, num_sub_vectors=2)
    np.save(tmp_path / "q.npy", values[77])
    arguments = ["query", uri, "--column", "v", "--vector", tmp_path / "q.npy", "-k", 5, "--nprobes", 2, "--json"]

    def same(*options, fast_search=False, **nearest):
        expected = pylance.dataset(uri).to_table(
            columns=["_distance"], with_row_id=True, fast_search=fast_search,
            nearest={"column": "v", "q": values[77], "k": 5, "nprobes": 2, **nearest})
        (answer,) = lines(run(*arguments, *options))
        assert [row["_rowid"] for row in answer["rows"]] == expected["_rowid"].to_pylist()
        assert np.allclose([row["_distance"] for row in answer["rows"]], expected["_distance"].to_numpy(), atol=1e-4)

    same("--refine", 3, refine_factor=3)
    same("--exact", use_index=False)
    same("--metric", "dot", metric="dot")
    same("--distance-from", 1, "--distance-below", 100, distance_range=(1.0, 100.0))
    pylance.write_dataset(pa.table({"v": array.slice(400)}), uri, mode="append")
    same()
    same("--fast-search", fast_search=True)
    same("--fast-search", "--exact", fast_search=True, use_index=False)
    same("--fast-search", "--metric", "dot", fast_search=True, metric="dot")
    assert "ef is 3" in run(*arguments, "--ef", 3, code=2).stderr


def test_infinite_distances_are_numbers_in_json(tmp_path, pylance):
    rows = np.array([[1, 2], [np.inf, 0]], dtype=np.float32)
    array = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 2)
    pylance.write_dataset(pa.table({"v": array}), tmp_path / "d.lance")
    np.save(tmp_path / "q.npy", rows[0])
    (answer,) = lines(run("query", tmp_path / "d.lance", "--column", "v", "--vector", tmp_path / "q.npy", "--json"))
    assert [row["_distance"] for row in answer["rows"]] == [0.0, np.inf]


def test_a_column_without_an_index_is_searched_exactly(tmp_path, pylance):
    array, values = vectors(50)
    pylance.write_dataset(pa.table({"v": array}), tmp_path / "d.lance")
    np.save(tmp_path / "q.npy", values[3])
    arguments = ["query", tmp_path / "d.lance", "--column", "v", "--vector", tmp_path / "q.npy", "-k", 2, "--json"]
    (answer,) = lines(run(*arguments))
    assert answer["rows"][0] == {"_rowid": 3, "_distance": 0.0}
    # No index covers any row.
    assert lines(run(*arguments, "--fast-search")) == [{"query": 0, "rows": []}]
