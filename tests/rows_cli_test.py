"""The commands that return rows: scan, head, schema, count, and the columns of a query."""

import base64
import datetime
import decimal
import json
import os
import pathlib
import signal
import subprocess
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

os.environ.setdefault("LANCE_LOG", "error")
import lance  # noqa: E402

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
DATASET = str(SOURCE / "examples" / "packages.lance")


def run(*arguments, code=0, **options):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=120, **options)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    if code != 0:
        assert done.stderr, "an error says something on stderr"
    return done


def message(*arguments, code):
    return run(*arguments, code=code).stderr.decode()


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def table_of(rows, kinds):
    utc = datetime.timezone.utc
    count = len(rows)
    return pa.table({
        "id": pa.array([2**60 + i for i in rows], pa.int64()),
        "text": pa.array(["ä\n\"%d\"" % i if i % 3 else None for i in rows]),
        "half": pa.array(np.array(rows, dtype=np.float16) / 8),
        "price": pa.array([decimal.Decimal(i) / 100 for i in rows], pa.decimal128(10, 2)),
        "when": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3, i, utc) for i in rows], pa.timestamp("us", "UTC")),
        "day": pa.array([datetime.date(1969, 12, 31 - i) for i in rows]),
        "bytes": pa.array([bytes([i, 255]) for i in rows], pa.binary()),
        "kind": pa.array((kinds * count)[:count]).dictionary_encode(),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(count * 4, dtype=np.float32)), 4),
        "nested": pa.array([{"tags": ["x"] * (i % 3), "of": {"n": i}} for i in rows]),
    })


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two fragments, some rows deleted, columns of many types."""
    uri = str(tmp_path_factory.mktemp("rows") / "d.lance")
    lance.write_dataset(table_of(range(20), ["a", "b", None]), uri)
    made = lance.write_dataset(table_of(range(20, 30), ["c", "b"]), uri, mode="append")
    made.delete("id in (%d, %d)" % (2**60 + 3, 2**60 + 25))
    return made


def test_count_and_schema(dataset):
    assert run("count", dataset.uri).stdout == b"28\n"
    assert run("count", dataset.uri, "--dataset-version", 1).stdout == b"20\n"
    schema = json.loads(run("schema", dataset.uri, "--json").stdout)
    assert [field["name"] for field in schema["fields"]] == dataset.schema.names
    vector = schema["fields"][8]
    assert vector["type"] == "fixed_size_list<item: float>[4]" and vector["nullable"]
    assert vector["fields"] == [{"name": "item", "type": "float", "nullable": True}]
    assert b"decimal128(10, 2)" in run("schema", dataset.uri).stdout


def test_json_lines_of_every_kind(dataset):
    rows = lines(run("scan", dataset.uri))
    expected = dataset.to_table().to_pylist()
    assert len(rows) == 28
    for row, values in zip(rows, expected, strict=True):
        assert row.pop("price") == str(values.pop("price"))
        assert row.pop("when") == values.pop("when").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert row.pop("day") == values.pop("day").isoformat()
        assert row.pop("bytes") == base64.b64encode(values.pop("bytes")).decode()
        assert row == values


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_files_hold_what_pylance_reads(dataset, tmp_path, ending):
    output = tmp_path / f"rows.{ending}"
    run("scan", dataset.uri, "--output", output)
    read = pa.parquet.read_table(output) if ending == "parquet" else pa.ipc.open_file(output).read_all()
    expected = dataset.to_table()
    assert read.schema.equals(expected.schema)
    # Dictionaries of several files are one or several here, and compared by their values.
    assert read.to_pylist() == expected.to_pylist()
    assert os.listdir(tmp_path) == [output.name]


def test_an_arrow_stream_for_a_pipe():
    done = run("scan", DATASET, "--columns", "name,vector", "--format", "arrow")
    assert pa.ipc.open_stream(done.stdout).read_all().equals(lance.dataset(DATASET).to_table())


def test_rows_by_number(dataset):
    ids = [row["id"] - 2**60 for row in lines(run("scan", dataset.uri, "--rows", "23,3,0,3", "--columns", "id"))]
    assert ids == [24, 4, 0, 4]
    (row,) = lines(run("scan", dataset.uri, "--rows", 20, "--columns", "_rowaddr,_rowid,id"))
    assert row == {"_rowaddr": (1 << 32) + 1, "_rowid": (1 << 32) + 1, "id": 2**60 + 21}
    assert "28 rows" in message("scan", dataset.uri, "--rows", 28, code=2)


def test_numbers_are_decimal_and_fit():
    tenth = run("scan", DATASET, "--rows", "10", "--columns", "name").stdout
    assert run("scan", DATASET, "--rows", "010", "--columns", "name").stdout == tenth
    assert "not a whole number from 0 on" in message("scan", DATASET, "--rows", "0x1", code=2)
    assert "too large a number" in message("head", DATASET, "-n", 99999999999999999999, code=2)
    assert "not a whole number from 1 on" in message("count", DATASET, "--dataset-version", "0", code=2)


def test_an_empty_filter_is_a_mistake():
    assert "for all rows leave it out" in message("count", DATASET, "--filter", "", code=2)


def test_head(dataset):
    assert lines(run("head", dataset.uri, "-n", 3, "--json")) == lines(run("scan", dataset.uri, "--rows", "0,1,2"))
    assert len(lines(run("head", dataset.uri, "--json"))) == 10
    assert len(lines(run("head", dataset.uri, "-n", 99, "--json"))) == 28
    assert run("head", dataset.uri, "-n", 0, "--json").stdout == b""
    header, first, second = run("head", dataset.uri, "-n", 2, "--columns", "text,id").stdout.decode().splitlines()
    assert header.split() == ["text", "id"]
    assert first.split() == ["null", str(2**60)]
    assert second.split() == ["ä", '"1"', str(2**60 + 1)]


def test_columns_of_a_query():
    names = lance.dataset(DATASET).to_table(columns=["name"])["name"].to_pylist()
    arguments = ["query", DATASET, "--column", "vector", "--row", 5, "-k", 3]
    (answer,) = lines(run(*arguments, "--columns", "name,_rowaddr,_rowid", "--json"))
    for row in answer["rows"]:
        assert list(row) == ["_rowid", "_distance", "name", "_rowaddr"]
        assert row["name"] == names[row["_rowid"]] and row["_rowaddr"] == row["_rowid"]
    assert names[5] in run(*arguments, "--columns", "name").stdout.decode()
    assert "no column 'nope'" in message(*arguments, "--columns", "nope", code=3)


def test_filters(dataset):
    condition = "day < date '1969-12-20' AND text IS NOT NULL"
    expected = dataset.to_table(columns=["id"], filter=condition).to_pylist()
    assert 0 < len(expected) < 28
    assert lines(run("scan", dataset.uri, "--columns", "id", "--filter", condition)) == expected
    assert lines(run("head", dataset.uri, "--columns", "id", "--filter", condition, "-n", 2, "--json")) == expected[:2]
    assert int(run("count", dataset.uri, "--filter", condition).stdout) == len(expected)
    arguments = ["query", DATASET, "--column", "vector", "--row", 5, "-k", 3, "--nprobes", 16, "--json", "--columns", "name"]
    (answer,) = lines(run(*arguments, "--filter", "name LIKE 'p%'"))
    assert len(answer["rows"]) == 3 and all(row["name"].startswith("p") for row in answer["rows"])
    (answer,) = lines(run(*arguments, "--filter", "name LIKE 'p%'", "--filter-after"))
    assert len(answer["rows"]) < 3
    assert "nope" in message("count", dataset.uri, "--filter", "nope = 1", code=3)
    for wrong in ["scan", dataset.uri, "--filter", "price >"], ["count", dataset.uri, "--filter", "text > 1"], [
            "scan", dataset.uri, "--filter", "id = 1", "--rows", 1], [*arguments, "--filter-after"]:
        message(*wrong, code=2)


def test_no_rows_at_all(tmp_path):
    empty = lance.write_dataset(pa.table({"a": pa.array([], pa.int32())}), tmp_path / "d.lance")
    assert run("count", empty.uri).stdout == b"0\n"
    assert run("scan", empty.uri).stdout == b"" == run("head", empty.uri, "--json").stdout
    assert run("head", empty.uri).stdout == b"a\n"
    for ending in "arrow", "parquet":
        run("scan", empty.uri, "--output", tmp_path / f"rows.{ending}")
    assert pa.parquet.read_table(tmp_path / "rows.parquet").schema == empty.schema
    assert pa.ipc.open_file(tmp_path / "rows.arrow").read_all().equals(empty.to_table())


def test_what_cannot_be_written_leaves_nothing(dataset, tmp_path):
    output = tmp_path / "rows.parquet"
    output.write_text("what was there before")
    assert "no column 'nope'" in message("scan", dataset.uri, "--columns", "nope", "--output", output, code=3)
    assert "28 rows" in message("scan", dataset.uri, "--rows", 99, "--output", output, code=2)
    damaged = lance.write_dataset(pa.table({"a": ["x" * 100] * 100}), tmp_path / "d.lance")
    (data,) = (tmp_path / "d.lance" / "data").iterdir()
    data.write_bytes(b"\0" * data.stat().st_size)
    assert data.name in message("scan", damaged.uri, "--output", output, code=6)
    assert output.read_text() == "what was there before"
    assert sorted(os.listdir(tmp_path)) == ["d.lance", "rows.parquet"]
    assert "which format" in message("scan", dataset.uri, "--output", tmp_path / "rows.txt", code=2)
    assert "folder" in message("scan", dataset.uri, "--output", tmp_path, "--format", "arrow", code=2)
    assert "No such file" in message("scan", dataset.uri, "--output", tmp_path / "no" / "x.arrow", code=3)
    assert "to a file" in message("scan", dataset.uri, "--format", "parquet", code=2)


def test_devices_that_are_full_and_readers_that_leave(dataset):
    for form in "arrow", "parquet", "json":
        assert "No space left" in message("scan", dataset.uri, "--format", form, "--output", "/dev/full", code=1)
        run("scan", dataset.uri, "--format", form, "--output", "/dev/null")
    for arguments in ["scan", DATASET], ["head", DATASET], ["head", DATASET, "--json"], ["count", DATASET], [
            "schema", DATASET]:
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1 and "cannot write to standard output" in done.stderr
        assert done.stderr.count("\n") == 1
    scan = subprocess.Popen([BINARY, "scan", DATASET], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert scan.stdout.readline().startswith(b"{")
    scan.stdout.close()
    assert scan.wait(timeout=60) == -signal.SIGPIPE and scan.stderr.read() == b""


def test_a_signal_takes_the_unfinished_file_away(tmp_path):
    lance.write_dataset(pa.table({"a": range(5_000_000)}), tmp_path / "d.lance")
    scan = subprocess.Popen([BINARY, "scan", tmp_path / "d.lance", "--output", tmp_path / "rows.jsonl"])
    while not list(tmp_path.glob(".rows.jsonl.*")):
        assert scan.poll() is None
        time.sleep(0.001)
    scan.terminate()
    assert scan.wait(timeout=60) == -signal.SIGTERM
    assert os.listdir(tmp_path) == ["d.lance"]


def test_a_link_stays_a_link(dataset, tmp_path):
    (tmp_path / "link.arrow").symlink_to(tmp_path / "target.arrow")
    (tmp_path / "target.arrow").touch()
    run("scan", dataset.uri, "--columns", "id", "--output", tmp_path / "link.arrow")
    assert (tmp_path / "link.arrow").is_symlink()
    assert pa.ipc.open_file(tmp_path / "target.arrow").read_all().num_rows == 28
