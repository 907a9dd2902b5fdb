"""Reads every dataset below a folder with the command line and with pylance, and writes what comes of it as a table.

    python tests/upstream_data/compare.py FEWTER FOLDER DOCUMENT

replaces the table in DOCUMENT. Fails if one is read and not as pylance reads it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import lance
import pyarrow as pa

BEGIN, END = "<!-- table: upstream_test_data -->", "<!-- end -->"


class Refused(Exception):
    """The command line says that it does not read something."""


class Differs(Exception):
    """What it reads is not what pylance reads."""


def fewter(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Refused(done.stderr.strip().removeprefix("fewter: "))
    return done.stdout


def datasets_below(folder):
    found = {path.parent.parent if path.parent.name == "_versions" else path.parent
             for path in folder.rglob("*.manifest")}
    return sorted(found, key=lambda path: ([int(part) for part in re.findall(r"\d+", path.parent.name)], path))


def same(what, ours, theirs):
    if ours != theirs:
        raise Differs(f"{what}: {ours!r}, pylance has {theirs!r}"[:300])


def of_pylance(read):
    """What pylance reads; or nothing, and what it says instead."""
    try:
        return read(), ""
    except (Exception, BaseException) as error:  # A panic is no Exception.
        return None, str(error).split("\n")[0].partition(", /")[0]


def compare(binary, path, dataset, table, work):
    """What pylance's dataset holds, if it can be read, is what the command line says; the number of rows."""
    info = json.loads(fewter(binary, "info", path, "--json"))
    schema = json.loads(fewter(binary, "schema", path, "--json"))
    count = int(fewter(binary, "count", path))
    fewter(binary, "scan", path, "--output", work / "rows.arrow")
    read = pa.ipc.open_file(work / "rows.arrow").read_all()
    same("rows", read.num_rows, count)
    if dataset is not None:
        same("version", info["version"], dataset.version)
        same("columns", [field["name"] for field in schema["fields"]], dataset.schema.names)
    if table is not None:
        same("rows", count, table.num_rows)
        same("types", read.schema.types, table.schema.types)
        same("values", read.to_pylist(), table.to_pylist())
    return count


def cell(text, path):
    """The text without the place where the dataset lies, which pylance gives without its first slash."""
    text = re.sub(rf"/?{re.escape(str(path)[1:])}(/|: )", "", text)
    return text.replace("|", "\\|").replace("\n", " ")


def main():
    binary, folder, document = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    rows = ["| dataset | fewter | pylance " + lance.__version__ + " |", "| --- | --- | --- |"]
    differing = 0
    for path in datasets_below(folder):
        dataset, failure = of_pylance(lambda: lance.dataset(str(path)))
        table, failure = of_pylance(dataset.to_table) if dataset is not None else (None, failure)
        with tempfile.TemporaryDirectory() as work:
            try:
                count = compare(binary, path, dataset, table, pathlib.Path(work))
                outcome = f"read: {count} rows" + ("" if table is None else ", the same")
            except Refused as refused:
                outcome = f"refused: {refused}"
            except Differs as differs:
                outcome = f"differs in {differs}"
                differing += 1
        pylance = "fails: " + failure if table is None else f"{table.num_rows} rows"
        rows.append(f"| {path.relative_to(folder)} | {cell(outcome, path)} | {cell(pylance, path)} |")
        print(rows[-1], flush=True)
    text = document.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    document.write_text(text[:begin] + "\n\n" + "\n".join(rows) + "\n\n" + text[end:])
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
