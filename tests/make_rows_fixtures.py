"""Writes datasets whose schema and rows changed over time, with pylance, and beside each what it holds now.

    python tests/make_rows_fixtures.py FOLDER

empties FOLDER and makes <name>/dataset.lance with <name>/rows.arrow in it, for rows_test: all rows in order, with the
columns _rowid and _rowaddr; <name>/nested.arrow: columns inside structs; and <name>/nearest.arrow, a batch for each of QUERIES: the columns of the nearest rows.
"""

import pathlib
import shutil
import sys

import lance
import pyarrow as pa


TRIPLE = pa.struct(
    [("a", pa.int8()), ("b", pa.list_(pa.int32())), ("c", pa.struct([("d", pa.int64()), ("e", pa.string())]))]
)

# What a struct in several data files is made of later.
MORE_OF_TRIPLE = pa.struct([("c", pa.struct([("f", pa.int64())])), ("g", pa.string())])
# Columns inside structs, of whatever there is in the end.
NESTED = ["triple.g", "pair.right", "triple.c", "pair.left", "pair.first", "triple.c.d", "triple.c.f", "triple.a"]

# The last is near rows that the index does not cover, where there are any.
QUERIES = [[50.25, 0.5], [199.75, 0.0], [1010.25, 0.5]]


def triple(i, version):
    if version != "2.0" and i % 4 == 0:
        return None
    return {"a": i % 100, "b": [i], "c": None if version != "2.0" and i % 5 == 0 else {"d": i, "e": None}}


def nested(dataset):
    paths = {"pair.left", "pair.right", "pair.first"} & {f"pair.{field.name}" for field in dataset.schema.field("pair").type}
    fields = dataset.schema.field("triple").type
    paths |= {f"triple.{field.name}" for field in fields}
    paths |= {f"triple.c.{field.name}" for field in fields.field("c").type}
    return dataset.to_table(columns=[path for path in NESTED if path in paths]).combine_chunks()


def nearest(dataset, query):
    columns = ["_rowaddr", *reversed(dataset.schema.names), "_rowid"]
    columns.insert(3, "_distance")
    found = dataset.to_table(columns=columns, nearest={"column": "vector", "q": query, "k": 25, "nprobes": 2})
    return found.combine_chunks().to_batches()[0]


def table(start, rows, version):
    """Version 2.0 has no null structs."""
    numbers = range(start, start + rows)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "title": pa.array([None if i % 5 == 0 else f"title {i}" for i in numbers]),
            "pair": pa.array([{"left": i, "right": f"right {i}"} for i in numbers]),
            "triple": pa.array([triple(i, version) for i in numbers], TRIPLE),
            "tags": pa.array([[f"tag {j}" for j in range(i % 4)] for i in numbers]),
            "vector": pa.array([[float(i), 0.5] for i in numbers], pa.list_(pa.float32(), 2)),
            "gone": pa.array([i % 3 for i in numbers], pa.int32()),
        }
    )


def change(dataset, folder, version):
    """Adds, drops and renames columns, deletes rows, and appends rows without some of the columns."""
    if version == "2.2":
        merged = pa.array([None if i % 3 == 0 else {"c": {"f": i}, "g": str(i)} for i in range(250)], MORE_OF_TRIPLE)
        dataset.add_columns(pa.table({"triple": merged}).to_reader())
    dataset.delete("id % 7 = 3")
    dataset.add_columns({"added": "id * 2", "label": "concat('label ', cast(id as string))"})
    dataset.drop_columns(["gone", "triple.b", "triple.c.e"])
    if version != "2.0":
        dataset.alter_columns({"path": "triple.a", "data_type": pa.int16()})
    dataset.alter_columns({"path": "title", "name": "renamed"}, {"path": "pair.left", "name": "first"})
    rest = table(1000, 40, version).drop_columns(["gone", "title", "pair", "triple"])
    lance.write_dataset(rest, folder, mode="append", data_storage_version=version)


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    for version in ("2.0", "2.1", "2.2"):
        for stable in (False, True):
            for changed in (False, True):
                name = f"{version}_{'stable' if stable else 'address'}_{'changed' if changed else 'plain'}"
                path = folder / name / "dataset.lance"
                options = {"data_storage_version": version, "enable_stable_row_ids": stable}
                dataset = lance.write_dataset(table(0, 250, version), str(path), max_rows_per_file=100, **options)
                dataset.create_index("vector", "IVF_FLAT", num_partitions=2)
                if changed:
                    change(dataset, str(path), version)
                    dataset = lance.dataset(str(path))
                rows = dataset.scanner(with_row_id=True, with_row_address=True).to_table().combine_chunks()
                with pa.ipc.new_file(folder / name / "rows.arrow", rows.schema) as out:
                    out.write_table(rows)
                columns = nested(dataset)
                with pa.ipc.new_file(folder / name / "nested.arrow", columns.schema) as out:
                    out.write_table(columns)
                answers = [nearest(dataset, query) for query in QUERIES]
                with pa.ipc.new_file(folder / name / "nearest.arrow", answers[0].schema) as out:
                    for answer in answers:
                        out.write_batch(answer)


if __name__ == "__main__":
    main()
