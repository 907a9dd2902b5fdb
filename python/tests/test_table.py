"""Opening datasets, and reading rows of them."""

import copy
import datetime
import pathlib
import pickle
import subprocess
import sys

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import write_rows

import fewter


def test_what_a_table_says(dataset, table):
    assert table.schema == dataset.schema
    assert table.count_rows() == dataset.count_rows()
    assert table.version == dataset.version
    assert table.uri == dataset.uri
    assert "rows.lance" in repr(table)


def test_versions(tmp_path, values):
    write_rows(tmp_path / "x.lance", values[:100])
    session = fewter.Session()
    first = fewter.open(tmp_path / "x.lance", session=session)
    assert first.latest() is first
    write_rows(tmp_path / "x.lance", values[100:150], mode="append")
    assert first.count_rows() == 100
    second = first.latest()
    assert (second.version, second.count_rows(), second.session) == (2, 150, session)
    assert fewter.open(str(tmp_path / "x.lance"), version=1).count_rows() == 100
    with pytest.raises(KeyError, match="no version 9"):
        fewter.open(tmp_path / "x.lance", version=9)


def test_following(tmp_path, values):
    write_rows(tmp_path / "x.lance", values[:100])
    latest = fewter.follow(tmp_path / "x.lance", interval=3600)
    first = latest.table
    assert (first.version, latest.table, latest.refresh()) == (1, first, first)
    write_rows(tmp_path / "x.lance", values[100:150], mode="append")
    assert latest.table is first, "nobody looks before the interval is over"
    assert (latest.refresh().count_rows(), latest.table.count_rows(), first.count_rows()) == (150, 150, 100)
    assert latest.table.session is first.session
    (tmp_path / "x.lance").rename(tmp_path / "y.lance")
    with pytest.raises(KeyError):
        latest.refresh()
    assert latest.table.version == 2 and "x.lance" in (latest.last_error or "")
    with pytest.raises(ValueError, match="interval"):
        fewter.follow(tmp_path / "y.lance", interval=-1)


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(KeyError, match="is not a Lance dataset"):
        fewter.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match="version"):
        fewter.open(tmp_path / "nothing", version=-1)
    with pytest.raises(ValueError, match="ftp"):
        fewter.open("ftp://host/x.lance")
    with pytest.raises(ValueError, match="give one of the two"):
        fewter.open(tmp_path, cache="none", session=fewter.Session())
    with pytest.raises(TypeError):
        fewter.open(7)
    with pytest.raises(TypeError, match="'region' is of type int"):
        fewter.open("s3://bucket/x.lance", storage_options={"region": 1})
    with pytest.raises(OSError):
        fewter.open(
            "s3://bucket/x.lance",
            storage_options={
                "aws_endpoint": "http://127.0.0.1:1",
                "aws_region": "us-east-1",
                "allow_http": "true",
                "aws_access_key_id": "a",
                "aws_secret_access_key": "b",
                "client_max_retries": "0",
            },
        )


def test_a_damaged_file(tmp_path, values):
    written = write_rows(tmp_path / "x.lance", values[:100])
    manifest = next(pathlib.Path(written.uri, "_versions").glob("*.manifest"))
    manifest.write_bytes(manifest.read_bytes()[:50])
    with pytest.raises(ValueError, match="manifest"):
        fewter.open(tmp_path / "x.lance")


def test_take(dataset, table):
    ids = dataset.to_table(columns=[], with_row_id=True)["_rowid"].to_pylist()
    wanted = [ids[5], ids[1900], ids[0], ids[5]]
    taken = table.take(wanted)
    assert taken.schema == dataset.schema
    assert taken["id"].to_pylist() == [dataset.take([row])["id"][0].as_py() for row in (5, 1900, 0, 5)]
    assert table.take(pa.array(wanted, pa.uint64()), ["text", "_rowid"])["_rowid"].to_pylist() == wanted
    assert table.take(np.array(wanted), ["more"])["more"] == taken["more"]
    assert table.take([], ["id"]).num_rows == 0
    for ids, error in [([2**40], KeyError), ([-1], ValueError), (["a"], TypeError), ([3], KeyError)]:
        with pytest.raises(error):
            table.take(ids)
    with pytest.raises(ValueError, match="names none"):
        table.take([0], [])


def test_rows_at_positions_are_those_that_pylance_takes(dataset, table):
    wanted = [5, 1900, 0, 5, table.count_rows() - 1]
    assert table.rows(wanted) == dataset.take(wanted).combine_chunks()
    assert table.rows(np.array(wanted), ["text"]) == dataset.take(wanted, columns=["text"]).combine_chunks()
    assert table.rows([], ["id"]).num_rows == 0
    assert table.head() == dataset.head(5).combine_chunks()
    assert table.head(700, ["id"]).combine_chunks() == dataset.head(700, columns=["id"]).combine_chunks()
    assert table.head(0).num_rows == 0 and table.head(5000).num_rows == table.count_rows()
    for positions, error in [([table.count_rows()], IndexError), ([-1], ValueError), (3, TypeError)]:
        with pytest.raises(error, match="position"):
            table.rows(positions)


def test_a_scan_fails_as_other_calls_do(tmp_path, values):
    write_rows(tmp_path / "x.lance", values[:100]).delete("id = 3")
    next((tmp_path / "x.lance" / "_deletions").iterdir()).unlink()
    table = fewter.open(tmp_path / "x.lance", cache="memory://")
    for read in [table.to_table, lambda: table.take([0]), lambda: table.scan().read_all(), lambda: next(table.scan())]:
        with pytest.raises(FileNotFoundError, match="_deletions"):
            read()
    with pytest.raises(ValueError) as raised:
        fewter.open(tmp_path / "x.lance", version=1).scan(filter="id / 0 > 1").read_all()
    assert str(raised.value) == "the filter has no value for a row: divide by zero"


def test_versions_that_were_cleaned_up(tmp_path, values):
    for count in 100, 90, 80:
        dataset = write_rows(tmp_path / "x.lance", values[:count], mode="overwrite")
    opened = fewter.open(dataset.uri, version=1)
    dataset.cleanup_old_versions(older_than=datetime.timedelta(0), delete_unverified=True)
    with pytest.raises(FileNotFoundError, match=r"\.lance: No .*; version 1 of the dataset has it, so a cleanup"):
        opened.to_table()
    with pytest.raises(KeyError, match="has no version 2 any more.*; there is 3"):
        fewter.open(dataset.uri, version=2)
    assert fewter.open(dataset.uri).count_rows() == 80


def test_copies_and_pickles(table):
    assert copy.copy(table) is copy.deepcopy(table) is table
    for kept in (table, table.session):
        with pytest.raises(TypeError, match="is not pickled"):
            pickle.dumps(kept)


def test_scan(dataset, table):
    reader = table.scan(batch_size=256)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.schema == dataset.schema
    batches = list(reader)
    assert max(batch.num_rows for batch in batches) == 256
    assert pa.Table.from_batches(batches) == dataset.to_table().combine_chunks()
    assert table.scan(["more", "id"]).read_all() == dataset.to_table(columns=["more", "id"]).combine_chunks()
    with pytest.raises(KeyError, match="no column 'absent'; there are: id, vector, text, more, more.half, "):
        table.scan(["absent"])
    with pytest.raises(KeyError, match="no column 'more.hal'; did you mean 'more.half'"):
        table.take([0], ["more.hal"])
    with pytest.raises(ValueError):
        table.scan(batch_size=0)


def test_blobs(tmp_path):
    values = [b"%d" % i * (i % 5) for i in range(1000)] + [None, b"x" * 2**20 * 40, b"y" * 2**20 * 40, b"z"]
    field = pa.field("blob", pa.large_binary(), metadata={"lance-encoding:blob": "true"})
    rows = pa.table(
        [pa.array(range(len(values))), pa.array(values, pa.large_binary())], pa.schema([("id", pa.int64()), field])
    )
    dataset = lance.write_dataset(rows, tmp_path / "x.lance", data_storage_version="2.1")
    table = fewter.open(dataset.uri)
    assert table.take([1, 1000], ["blob"])["blob"].to_pylist() == dataset.take([1, 1000], ["blob"])["blob"].to_pylist()
    batches = list(table.scan(blobs="binary", batch_size=2000))
    assert [batch.num_rows for batch in batches] == [1002, 2]
    assert pa.Table.from_batches(batches) == rows
    before = table.io_stats()["data"]["requests"]
    assert table.take(range(1000), ["blob"], blobs="binary")["blob"].to_pylist() == values[:1000]
    assert table.io_stats()["data"]["requests"] - before < 20
    assert table.rows([999, 1000, 1003, 999], ["blob"], blobs="binary")["blob"].to_pylist() == [
        b"999" * 4,
        None,
        b"z",
        b"999" * 4,
    ]
    assert table.take([], blobs="binary").schema == rows.schema
    with pytest.raises(ValueError, match="blobs must be 'binary' or 'descriptions'"):
        table.scan(blobs="all_binary")


def test_filters(dataset, table):
    for condition in ["id < 100", "text LIKE '%9' AND more.odd", "id IN (5, 6, 7)", "text IS NULL", "id < 0"]:
        expected = dataset.to_table(filter=condition)
        assert table.scan(filter=condition).read_all() == expected.combine_chunks(), condition
        assert table.count_rows(condition) == expected.num_rows
        assert table.to_table(filter=condition, limit=3) == expected.slice(0, 3).combine_chunks()
    expression = pc.field("id").isin([1, 2, 4]) | (pc.field("id") > 900)
    assert table.scan(filter=expression).read_all() == dataset.to_table(filter=expression).combine_chunks()
    for wrong, error in [("id <", ValueError), ("nope = 1", KeyError), ("id = 'x'", ValueError), (7, TypeError)]:
        with pytest.raises(error):
            table.count_rows(wrong)


def test_index_info(dataset, table):
    (index,) = table.index_info()
    assert index["name"] == "vector_idx"
    (segment,) = index["segments"]
    assert (segment["type"], segment["metric"], segment["partitions"]) == ("IVF_FLAT", "l2", 8)
    assert segment["uuid"] == dataset.describe_indices()[0].segments[0].uuid


def test_prewarm(table, queries):
    seen = []
    report = table.prewarm(progress=lambda *state: seen.append(state))
    assert report.partitions == report.loaded == report.resident["memory"] == 8
    assert (report.failed, report.first_error) == (0, "")
    assert seen[-1][:2] == (8, 8) and seen[-1][2] > 0
    before = table.io_stats()["index"]
    table.search(queries[0], nprobes=8)
    assert table.io_stats()["index"] == before
    assert table.prewarm(progress=True, strict=True).loaded == 0
    for wrong in [{"max_bytes": -1}, {"bytes_per_second": -1}, {"bytes_per_second": 2**64}]:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            table.prewarm(**wrong)


def test_prewarm_ends_with_what_its_progress_raises(table):
    def stop(done, total, read):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        table.prewarm(progress=stop)


def test_stats(table, queries):
    table.search(queries[0], nprobes=2)
    table.search(queries[0], nprobes=2)
    stats = table.stats()
    assert set(stats) == {"cache", "io"}
    (tier,) = stats["cache"]["tiers"]
    assert tier["kind"] == "memory" and tier["state"] == "healthy"
    assert tier["types"]["fewter.vector.Partition"]["hits"] >= 2
    assert stats["io"]["manifest"]["requests"] >= 2


def test_pylance_and_fewter_in_one_process_in_either_order(dataset):
    for first, second in [("lance", "fewter"), ("fewter", "lance")]:
        code = f"import {first}, {second}; print(fewter.open({dataset.uri!r}).count_rows() == lance.dataset({dataset.uri!r}).count_rows())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert done.stdout == "True\n", done.stderr


def test_the_same_rows_as_pylance_in_its_words(dataset, table):
    for options in [
        {},
        {"columns": ["text"]},
        {"limit": 7},
        {"limit": 700, "offset": 500, "columns": ["id"]},
        {"offset": 1990},
        {"with_row_id": True},
        {"columns": ["id"], "with_row_address": True},
    ]:
        assert table.to_table(**options).combine_chunks() == dataset.to_table(**options).combine_chunks(), options
