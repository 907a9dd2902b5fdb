"""Datasets on S3, through a proxy that counts requests and makes them fail."""

import json
import os
import pathlib
import subprocess
import time

import lance
import numpy as np
import pyarrow as pa
import pytest

import s3_proxy
from s3_proxy import Fault

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
PARITY = SOURCE / "build" / "fixtures" / "parity"
QUERIES = str(SOURCE / "examples" / "packages_queries.npy")

# A dataset of every kind of index, with deletion files, with stable row ids, of several segments, of an old container.
FIXTURES = ["combined_ivf_flat_l2", "combined_ivf_pq8_cosine", "combined_ivf_pq4_l2", "combined_ivf_sq_dot",
            "combined_ivf_rq1_l2", "combined_ivf_rq5_cosine", "combined_ivf_hnsw_flat_l2", "combined_ivf_hnsw_sq_l2",
            "combined_ivf_hnsw_pq8_l2", "combined_ivf_flat_hamming", "deleted_stable_ivf_pq", "deleted_address_ivf_flat"]


@pytest.fixture(scope="module")
def s3():
    server = s3_proxy.S3()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def packages(s3):
    return s3.put(SOURCE / "examples" / "packages.lance", "packages")


@pytest.fixture(autouse=True)
def calm(s3):
    s3.proxy.faults.clear()
    s3.proxy.delay = 0.0
    s3.proxy.take()


def options(s3, **changed):
    return [part for name, value in s3.storage_options(**changed).items()
            for part in ("--storage-option", f"{name}={value}")]


def run(*arguments, code=0, env=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | (env or {})
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    for secret in (s3_proxy.KEYS["aws_access_key_id"], s3_proxy.KEYS["aws_secret_access_key"]):
        assert secret not in done.stdout + done.stderr
    return done


def query(s3, uri, *arguments, column="vector", code=0, vector=QUERIES, **changed):
    """The answers, the stats, and the requests that the proxy saw."""
    done = run("query", uri, "--column", column, "--vector", vector, "--json", "--stats", *options(s3, **changed),
               *arguments, code=code)
    if code != 0:
        return done
    *answers, stats = [json.loads(line) for line in done.stdout.splitlines()]
    return answers, stats["stats"], s3.proxy.take()


def in_step(s3, ask):
    """What `ask()`, whose last result are the requests, returns, and the rounds that it took."""
    with s3.proxy.in_step():
        result = ask()
    return *result, len({request.step for request in result[-1]})


def one_query(path, values):
    np.save(path, np.asarray(values, dtype=np.float32))
    return path


@pytest.mark.parametrize("name", FIXTURES)
def test_what_local_files_answer_and_few_requests(s3, tmp_path, name):
    case = json.loads((PARITY / name / "case.json").read_text())
    local = PARITY / name / "dataset.lance"
    uri = s3.put(local, name)
    vector = one_query(tmp_path / "q.npy", case["queries"][0])
    common = ["--nprobes", 4, "-k", 5]
    done = run("query", local, "--column", case["column"], "--vector", vector, "--json", "--cache", "none", *common)
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    s3.proxy.delay = 0.03

    cache = ["--cache", f"{tmp_path}/cache"]
    answers, stats, requests, rounds = in_step(
        s3, lambda: query(s3, uri, *common, *cache, column=case["column"], vector=vector))
    assert answers == expected
    of = {part: [request.path for request in requests if part in request.path]
          for part in ("_versions", "_indices", "_deletions", "data/")}
    # A listing and the manifest; two files a segment and its deletion files, each read once; and what rows that no
    # segment covers take: the data files' ends and, for larger ones, pages.
    assert len(of["_versions"]) == 2
    assert len(of["_indices"]) == len(set(of["_indices"]))
    assert len(of["_deletions"]) == len(set(of["_deletions"]))
    assert len(of["data/"]) <= 2 * len(set(of["data/"]))
    assert 3 <= rounds <= 3 + (1 if of["_deletions"] else 0) + (4 if of["data/"] else 0)
    # What is counted is what was sent.
    assert sum(stats["io"][kind]["requests"] for kind in ("manifest", "index", "data")) == len(requests)
    assert stats["io"]["rounds"] >= 3 and stats["io"]["seconds"] > 3 * s3.proxy.delay

    answers, stats, requests = query(s3, uri, *common, *cache, column=case["column"], vector=vector)
    assert answers == expected
    assert [request.is_listing for request in requests] == [True]
    version = str(lance.dataset(str(local)).version)
    answers, stats, requests = query(s3, uri, *common, *cache, "--dataset-version", version, column=case["column"],
                                     vector=vector)
    assert answers == expected and requests == [] and stats["io"]["rounds"] == 0


def test_a_table_of_20000_rows(s3, tmp_path):
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(20_000, 64)).astype(np.float32)
    table = pa.table({"title": [f"the title of row {i}" for i in range(20_000)], "number": range(20_000),
                      "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 64)})
    dataset = lance.write_dataset(table, tmp_path / "table.lance")
    dataset.create_index("vector", "IVF_PQ", num_partitions=64, num_sub_vectors=16, sample_rate=8)
    uri = s3.put(tmp_path / "table.lance", "table")
    common = ["--nprobes", 10, "-k", 10, "--cache", f"{tmp_path}/cache"]
    vector = one_query(tmp_path / "q.npy", vectors[5])
    _, _, requests, rounds = in_step(s3, lambda: query(s3, uri, *common, vector=vector))
    assert len(requests) <= 4 and rounds <= 3
    # Two columns of ten rows.
    columns = ["--columns", "title,number"]
    answers, _, requests, rounds = in_step(s3, lambda: query(s3, uri, *common, *columns, vector=vector))
    assert len(requests) <= 1 + 3 and rounds <= 1 + 3
    for row in answers[0]["rows"]:
        assert (row["title"], row["number"]) == (f"the title of row {row['_rowid']}", row["_rowid"])
    # The vectors of 50 candidates, all over a file of 5 MB.
    _, _, requests, rounds = in_step(s3, lambda: query(s3, uri, *common, "--refine", 5, vector=vector))
    assert len(requests) <= 12 and rounds <= 3
    assert sum(request.bytes for request in requests) < 6_000_000
    _, _, requests = query(s3, uri, *common, *columns, "--refine", 5, vector=vector)
    assert [request.is_listing for request in requests] == [True]
    pinned = ["--dataset-version", dataset.version]
    answers, _, requests = query(s3, uri, *common, *columns, "--refine", 5, *pinned, vector=vector)
    assert requests == [] and answers[0]["rows"][0]["_rowid"] == 5
    # Another query finds the small index file in the cache.
    other = one_query(tmp_path / "other.npy", vectors[77])
    _, _, requests = query(s3, uri, *common, *pinned, vector=other)
    assert requests == []


def test_filters_over_several_fragments(s3, tmp_path):
    rng = np.random.default_rng(7)
    rows = 8_000
    vectors = rng.normal(size=(rows, 16)).astype(np.float32)
    table = pa.table({"title": [f"the title of row {i}" for i in range(rows)], "number": range(rows), "price": rng.random(rows),
                      "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 16)})
    dataset = lance.write_dataset(table, tmp_path / "table.lance", max_rows_per_file=rows // 8)
    dataset.create_index("vector", "IVF_FLAT", num_partitions=4)
    dataset.delete("number % 1000 = 3")
    uri = s3.put(tmp_path / "table.lance", "filtered")
    vector = one_query(tmp_path / "q.npy", vectors[5])
    condition = "price < 0.02 AND title LIKE '%7%'"
    expected = dataset.to_table(columns=["title", "number"], filter=condition).to_pylist()
    assert len(expected) > 20
    # Deletions and ends of data files, and pages of two columns, those of all fragments together.
    for command in (["count"], ["scan", "--columns", "title,number"]):
        done, requests, rounds = in_step(s3, lambda: (
            run(command[0], uri, *command[1:], "--filter", condition, *options(s3)), s3.proxy.take()))
        assert rounds <= 2 + 2
        answer = [json.loads(line) for line in done.stdout.splitlines()]
        assert answer == ([len(expected)] if command[0] == "count" else expected)
        assert len(requests) <= 2 + 3 * 8
    nearest = {"column": "vector", "q": vectors[5], "k": 10, "nprobes": 4}
    for after in ([], ["--filter-after"]):
        common = ["--nprobes", 4, "-k", 10, "--filter", condition, *after]
        ids = dataset.to_table(nearest=nearest, filter=condition, prefilter=not after, with_row_id=True)["_rowid"].to_pylist()
        common += ["--cache", f"{tmp_path}/{len(after)}"]
        answers, _, requests, rounds = in_step(s3, lambda: query(s3, uri, *common, vector=vector))
        assert rounds <= 2 + 2 + 1 + len(after)
        assert {row["_rowid"] for row in answers[0]["rows"]} == set(ids)
        assert len(requests) <= 2 + 3 * 8 + 2
        _, _, requests = query(s3, uri, *common, vector=vector)
        assert [request.is_listing for request in requests] == [True]
        answers, _, requests = query(s3, uri, *common, "--dataset-version", dataset.version, vector=vector)
        assert {row["_rowid"] for row in answers[0]["rows"]} == set(ids) and requests == []


# Rows, dimension and options; one file of each has more than 8 MiB: that with the codes, or that with the graphs. Of
# IVF_HNSW_FLAT both have.
LARGE_INDEXES = [("IVF_FLAT", 20_000, 128, {}), ("IVF_SQ", 20_000, 448, {}), ("IVF_RQ", 20_000, 448, {"num_bits": 8}),
                 ("IVF_PQ", 100_000, 88, {"num_sub_vectors": 88, "sample_rate": 2}), ("IVF_HNSW_FLAT", 52_000, 48, {}),
                 ("IVF_HNSW_PQ", 52_000, 8, {"num_sub_vectors": 4, "sample_rate": 2}), ("IVF_HNSW_SQ", 52_000, 8, {})]


@pytest.mark.parametrize("index, rows, dimension, how", LARGE_INDEXES, ids=[large[0] for large in LARGE_INDEXES])
def test_index_files_too_large_to_be_read_whole(s3, tmp_path, index, rows, dimension, how):
    vectors = np.random.default_rng(7).normal(size=(rows, dimension)).astype(np.float32)
    table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension)})
    dataset = lance.write_dataset(table, tmp_path / "table.lance")
    dataset.create_index("vector", index, num_partitions=100, ivf_centroids=vectors[:100], **how)
    large = [file.stat().st_size for file in (tmp_path / "table.lance" / "_indices").rglob("*.idx")]
    assert max(large) > 8 << 20
    uri = s3.put(tmp_path / "table.lance", index)
    vector = one_query(tmp_path / "q.npy", vectors[5])
    done = run("query", tmp_path / "table.lance", "--column", "vector", "--vector", vector, "--json", "--nprobes", 10)
    expected = json.loads(done.stdout)
    for nprobes in (3, 10):
        common = ["--nprobes", nprobes, "-k", 10, "--cache", f"{tmp_path}/{nprobes}"]
        answers, _, requests, rounds = in_step(s3, lambda: query(s3, uri, *common, vector=vector))
        assert rounds <= 4
        if nprobes == 10:
            assert answers == [expected]
        # The listing, the manifest, both files' ends or one of them whole, and the partitions.
        assert len(requests) <= 4 + nprobes
        assert sum(request.bytes for request in requests) < sum(large)
        ranges = sorted((request.path, *map(int, request.range.removeprefix("bytes=").split("-")))
                        for request in requests if "_indices" in request.path)
        for (path, _, end), (other, begin, _) in zip(ranges, ranges[1:]):
            assert path != other or end < begin  # nothing is read twice
        _, _, requests = query(s3, uri, *common, vector=vector)
        assert [request.is_listing for request in requests] == [True]
    # Without a cache either.
    answers, _, requests = query(s3, uri, "--nprobes", 10, "-k", 10, "--cache", "none", vector=vector)
    assert answers == [expected] and len(requests) <= 14


def test_rows_without_an_index_are_read_beside_it(s3, tmp_path):
    vectors = np.random.default_rng(9).normal(size=(3_000, 16)).astype(np.float32)
    table = pa.table({"id": range(3_000),
                      "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 16)})
    dataset = lance.write_dataset(table.slice(0, 2_000), tmp_path / "table.lance")
    dataset.create_index("vector", "IVF_FLAT", num_partitions=8, ivf_centroids=vectors[:8])
    lance.write_dataset(table.slice(2_000), tmp_path / "table.lance", mode="append")
    lance.dataset(tmp_path / "table.lance").delete("id % 7 = 0")
    dataset = lance.dataset(tmp_path / "table.lance")
    expected = dataset.to_table(nearest={"column": "vector", "q": vectors[2_500], "k": 20, "nprobes": 8}, with_row_id=True)
    uri = s3.put(tmp_path / "table.lance", "partly")
    vector = one_query(tmp_path / "q.npy", vectors[2_500])
    answers, _, requests, rounds = in_step(
        s3, lambda: query(s3, uri, "--nprobes", 8, "-k", 20, "--cache", "none", vector=vector))
    assert [row["_rowid"] for row in answers[0]["rows"]] == expected["_rowid"].to_pylist()
    # The listing, the manifest, the index and the deletion files; then the footer, the pages' chunks, and the vectors.
    assert rounds <= 6 and len(requests) <= 12


def test_places_are_written_as_people_do(s3, tmp_path):
    table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(8, np.float32)), 8)})
    lance.write_dataset(table, tmp_path / "table.lance")
    uri = s3.put(tmp_path / "table.lance", "my table/\u00fc#1")
    for place in (uri, uri.replace(" ", "%20").replace("#", "%23").replace("\u00fc", "%C3%BC")):
        assert "1 rows" in run("info", place, *options(s3)).stdout
    done = run("info", f"{uri} no", *options(s3), code=3)
    assert f"{uri} no: is not a Lance dataset" in done.stderr and "endpoint" not in done.stderr
    for place in ("s3:///table", "s3://", "ftp://server/table"):
        assert place.partition(":")[0] in run("info", place, code=2).stderr


def test_prewarming_takes_few_large_requests(s3, packages, tmp_path):
    cache = ["--cache", f"{tmp_path}/cache"]
    done = run("cache", "prewarm", packages, "--column", "vector", "--strict", "--json", *cache, *options(s3))
    assert json.loads(done.stdout)["loaded"] == 16
    assert len(s3.proxy.take()) == 4
    _, _, requests = query(s3, packages, "--nprobes", 16, "--dataset-version", 2, *cache)
    assert requests == []
    bounded = ["--max-bytes", "0B", "--bandwidth", "1GiB", "--cache", f"{tmp_path}/other"]
    done = run("cache", "prewarm", packages, "--column", "vector", "--json", *bounded, *options(s3))
    assert json.loads(done.stdout)["loaded"] == 0


def test_pages_of_data_files_may_have_a_cache_of_their_own(s3, packages, tmp_path):
    own = ["--cache", f"{tmp_path}/cache", "--data-cache", f"{tmp_path}/pages"]
    query(s3, packages, "--refine", 3, *own)
    _, _, requests = query(s3, packages, "--refine", 3, "--dataset-version", 2, *own)
    assert requests == []
    (pages,) = json.loads(run("cache", "stats", f"{tmp_path}/pages", "--json").stdout)
    assert set(pages["types"]) == {"fewter.lance.Bytes"}
    (rest,) = json.loads(run("cache", "stats", f"{tmp_path}/cache", "--json").stdout)
    assert rest["types"]["fewter.vector.Partition"]["entries"] > 0


def test_every_request_is_a_line(s3, packages):
    done = run("info", packages, "--json", "--trace-io", *options(s3))
    lines = [line.split() for line in done.stderr.splitlines()]
    assert len(lines) == len(s3.proxy.take()) == 4
    assert [line[6:8] for line in lines[:2]] == [["manifest", "list"], ["manifest", "read"]]
    assert all(line[0] == "io" and line[-1] == "ok" for line in lines)


def test_a_dataset_made_anew_is_seen(s3, tmp_path):
    for rows, value in ((40, 1.0), (60, 2.0)):
        table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(pa.array(np.full(rows * 8, value, np.float32)), 8)})
        lance.write_dataset(table, tmp_path / f"{rows}.lance")
        uri = s3.put(tmp_path / f"{rows}.lance", "anew")
        vector = one_query(tmp_path / "q.npy", np.full(8, value))
        answers, _, _ = query(s3, uri, "-k", 100, "--cache", f"{tmp_path}/cache", vector=vector)
        assert [len(answer["rows"]) for answer in answers] == [rows]
        assert answers[0]["rows"][0]["_distance"] == 0
        time.sleep(1.1)  # S3 tells times in seconds


@pytest.mark.parametrize("kind", ["500", "503", "reset", "short", "wrong_length"])
@pytest.mark.parametrize("where", ["list-type", "auxiliary.idx"])
def test_what_passes_is_tried_again(s3, packages, kind, where):
    expected, _, _ = query(s3, packages, "--cache", "none")
    s3.proxy.faults.append(Fault(kind, where, times=2))
    answers, stats, _ = query(s3, packages, "--cache", "none")
    assert answers == expected and stats["io"]["retries"] == 2
    s3.proxy.faults.append(Fault(kind, where, times=1_000))
    begin = time.monotonic()
    done = query(s3, packages, "--cache", "none", code=6 if (kind, where) == ("wrong_length", "auxiliary.idx") else 5, client_max_retries="3")
    assert time.monotonic() - begin < 5
    assert "after 4 attempts" in done.stderr


def test_a_stall_is_broken_off(s3, packages):
    expected, _, _ = query(s3, packages, "--cache", "none")
    s3.proxy.faults.append(Fault("stall", "auxiliary.idx"))
    begin = time.monotonic()
    answers, stats, _ = query(s3, packages, "--cache", "none", timeout="2s")
    assert answers == expected and stats["io"]["retries"] == 1 and time.monotonic() - begin < 25


def test_a_slow_store_is_waited_for(s3, packages, monkeypatch):
    monkeypatch.setattr(s3.proxy, "delay", 4.0)  # Amazon's library waits for 3 seconds, if it is not told
    done = run("count", packages, *options(s3))
    assert "5000" in done.stdout
    s3.proxy.take()


@pytest.mark.parametrize("kind", ["expired", "refused"])
def test_credentials_that_are_no_good_are_not_tried_again(s3, packages, kind):
    s3.proxy.faults.append(Fault(kind, "auxiliary.idx", times=1_000))
    done = query(s3, packages, "--cache", "none", code=4)
    assert "auxiliary.idx" in done.stderr
    assert len([request for request in s3.proxy.take() if "auxiliary.idx" in request.path]) == 1


def test_a_file_replaced_by_another_is_an_error(s3, tmp_path):
    local = PARITY / "grid_ivf_pq8_l2_64" / "dataset.lance"
    case = json.loads((PARITY / "grid_ivf_pq8_l2_64" / "case.json").read_text())
    uri = s3.put(local, "replaced")
    (file,) = (local / "_indices").rglob("auxiliary.idx")
    key = f"replaced/{file.relative_to(local)}"
    vector = one_query(tmp_path / "q.npy", case["queries"][0])
    for content, code in ((file.read_bytes()[:-100], 6), (b"\0" * file.stat().st_size, 6), (b"1234" + file.read_bytes(), 6)):
        s3.client.put_object(Bucket=s3_proxy.BUCKET, Key=key, Body=content)
        done = run("query", uri, "--column", case["column"], "--vector", vector, "--cache", "none",
                   *options(s3, client_max_retries="1"), code=code)
        assert "auxiliary.idx" in done.stderr
    s3.client.delete_object(Bucket=s3_proxy.BUCKET, Key=key)
    done = run("query", uri, "--column", case["column"], "--vector", vector, "--cache", "none", *options(s3), code=3)
    assert "No such file" in done.stderr


def test_options_by_every_name_and_from_the_environment(s3, packages):
    endpoint = s3.proxy.endpoint
    keys = {"AWS_ACCESS_KEY_ID": s3_proxy.KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": s3_proxy.KEYS["aws_secret_access_key"]}
    run("info", packages, env={**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"})
    run("info", packages, "--storage-option", f"endpoint={endpoint}", "--storage-option", "AWS_REGION=us-east-1", env=keys)
    assert all(request.signed for request in s3.proxy.take())
    run("info", packages, *options(s3, session_token="the-token", aws_server_side_encryption="AES256", timeout="30s"))
    assert {request.token for request in s3.proxy.take()} == {"the-token"}
    run("info", packages, "--storage-option", f"endpoint={endpoint}", "--storage-option", "region=x",
        "--storage-option", "skip_signature=true", code=4)
    assert not any(request.signed for request in s3.proxy.take())


def test_a_profile_by_its_name(s3, packages, tmp_path):
    (tmp_path / "keys").write_text("[default]\naws_access_key_id = other\n[mine]\naws_access_key_id = my-id\n"
                                   "# a comment\naws_secret_access_key=my/secret\naws_session_token = my-token\n")
    (tmp_path / "config").write_text(f"[profile mine]\nregion = us-east-1\nendpoint_url = {s3.proxy.endpoint}\n"
                                     "[profile role]\nrole_arn = arn:x\n")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    run("info", packages, "--storage-option", "aws_profile=mine", env=env)
    assert {(request.key, request.token) for request in s3.proxy.take()} == {("my-id", "my-token")}
    run("info", packages, env={**env, "AWS_PROFILE": "mine", "AWS_REGION": "us-east-1"})
    assert {(request.key, request.token) for request in s3.proxy.take()} == {("my-id", "my-token")}
    assert "AWS_PROFILE" in run("info", packages, "--storage-option", "profile=role", code=6, env=env).stderr
    assert "'none'" in run("info", packages, "--storage-option", "profile=none", code=3, env=env).stderr


@pytest.mark.parametrize("wrong, says", [("secret", "key=value"), ("no_such_option=1", "no_such_option"),
                                         ("skip_signature=maybe", "neither true nor false"),
                                         ("access_key_id=alone", "go together"), ("endpoint=http://a/b", "endpoint")])
def test_wrong_options_are_refused_without_their_values(wrong, says):
    done = run("info", "s3://nowhere/table", "--storage-option", "region=x", "--storage-option", wrong, code=2)
    assert says in done.stderr and wrong.rpartition("=")[2] not in done.stderr.replace(says, "")
