"""Writes Lance files with pylance, and beside each its content as an Arrow IPC file.

    python tests/make_lance_file_fixtures.py FOLDER [--wide]

empties FOLDER and makes <name>.lance or <name>.idx with <name>.arrow in it, for file_reader_fixtures_test; files that
hold what is not read go to the folder "unsupported" below it. What is expected comes from pylance's own reader. With
--wide, many more shapes are written: more row counts, page sizes, dimensions and index types than the tests need every
time.
"""

import argparse
import pathlib
import shutil
import tempfile

import lance
import numpy as np
import pyarrow as pa
from lance.file import LanceFileReader, LanceFileWriter

VERSIONS = ("2.0", "2.1", "2.2")
INDEX_TYPES = ("IVF_FLAT", "IVF_PQ", "IVF_SQ", "IVF_RQ", "IVF_HNSW_FLAT", "IVF_HNSW_PQ", "IVF_HNSW_SQ")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def vectors(rows, dimension, dtype="float32", seed=0):
    generator = np.random.default_rng(seed)
    if dtype == "uint8":
        return generator.integers(0, 256, (rows, dimension), dtype=np.uint8)
    centres = generator.normal(size=(16, dimension))
    return (centres[generator.integers(0, 16, rows)] + 0.3 * generator.normal(size=(rows, dimension))).astype(dtype)


def fixed_size_list(values, mask=None):
    flat = pa.array(values.ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=None if mask is None else pa.array(mask))


def lists(rows, make_values, seed, longest=9, kinds="empty null"):
    """A list array with, as `kinds` says, some lists empty and some null."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, rows)
    if "empty" in kinds:
        lengths[generator.random(rows) < 0.2] = 0
    mask = generator.random(rows) < 0.1 if "null" in kinds else np.zeros(rows, bool)
    lengths[mask] = 0
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("int32")
    return pa.ListArray.from_arrays(
        pa.array(offsets), make_values(int(offsets[-1])), mask=pa.array(mask) if mask.any() else None
    )


def scalar_table(rows, seed=0):
    """Every primitive type, with small, large, constant and repetitive values, with and without nulls."""
    generator = np.random.default_rng(seed)
    nulls = generator.random(rows) < 0.2
    columns = {}
    for name in INTEGERS:
        bounds = np.iinfo(name)
        columns[name] = pa.array(generator.integers(bounds.min, bounds.max, rows, dtype=name, endpoint=True))
        columns[name + "_small"] = pa.array(generator.integers(0, 5, rows).astype(name))
        columns[name + "_null"] = pa.array(generator.integers(0, 100, rows).astype(name), mask=nulls)
    for name in ("float16", "float32", "float64"):
        columns[name] = pa.array(generator.normal(size=rows).astype(name))
        columns[name + "_null"] = pa.array(generator.normal(size=rows).astype(name), mask=nulls)
    columns["ascending"] = pa.array(np.arange(rows, dtype="uint64"))
    columns["same"] = pa.array(np.full(rows, 7, "uint64"))
    columns["same_null"] = pa.array(np.full(rows, 7, "int32"), mask=nulls)
    columns["all_null"] = pa.array(np.zeros(rows, "float32"), mask=np.ones(rows, bool))
    columns["runs"] = pa.array(np.repeat(np.arange(rows, dtype="uint32"), 50)[:rows])
    columns["repeated"] = pa.array((np.arange(rows, dtype="uint64") % 37) * 0x123456789AB)
    columns["bool"] = pa.array(generator.random(rows) < 0.5)
    columns["bool_null"] = pa.array(generator.random(rows) < 0.5, mask=nulls)
    columns["bool_same"] = pa.array(np.ones(rows, bool))
    return pa.table(columns)


def compressible_table(rows):
    """Values that repeat, but not in runs, and that have all their bits: only byte compression makes them smaller."""
    generator = np.random.default_rng(5)
    columns = {}
    for name in ("uint32", "int64", "float32"):
        bits = generator.integers(0, 256, 20 * np.dtype(name).itemsize, dtype=np.uint8)
        values = bits.view(name) if name != "float32" else generator.normal(size=20).astype(name)
        columns[name] = pa.array(values[generator.integers(0, 20, rows)])
        mask = generator.random(rows) < 0.1
        columns[name + "_null"] = pa.array(values[generator.integers(0, 20, rows)], mask=mask)
    return pa.table(columns)


def with_null_items(values, mask=None, share=0.1):
    """Vectors some of whose elements are null."""
    items = pa.array(values.ravel(), mask=np.random.default_rng(7).random(values.size) < share)
    return pa.FixedSizeListArray.from_arrays(items, values.shape[1], mask=None if mask is None else pa.array(mask))


def vector_table(rows, dimension, seed=0):
    mask = np.random.default_rng(seed).random(rows) < 0.15
    columns = {"id": pa.array(np.arange(rows))}
    for dtype in ("uint8", "float16", "float32", "float64"):
        columns[dtype] = fixed_size_list(vectors(rows, dimension, dtype, seed))
        columns[dtype + "_null"] = fixed_size_list(vectors(rows, dimension, dtype, seed), mask)
        values = vectors(rows, dimension, dtype, seed)
        columns[dtype + "_items"] = with_null_items(values)
        columns[dtype + "_items_null"] = with_null_items(values, mask)
    # A few nulls, so that most pages have none.
    columns["few_items"] = with_null_items(vectors(rows, dimension, "float32", seed), share=0.2 / dimension / 100)
    # None at all, under which the file has no values.
    columns["null_items"] = with_null_items(np.zeros((rows, dimension), "float32"), share=1)
    columns["null_items_null"] = with_null_items(np.zeros((rows, dimension), "float32"), mask, share=1)
    columns["same"] = fixed_size_list(np.ones((rows, dimension), "float32"))
    columns["all_null"] = fixed_size_list(np.ones((rows, dimension), "float32"), np.ones(rows, bool))
    return pa.table(columns)


def list_table(rows, dimension, seed=0, nullable_items=True):
    def numbers(count):
        return pa.array(np.random.default_rng(seed).integers(0, 1000, count, dtype="uint32"))

    def numbers_with_nulls(count):
        generator = np.random.default_rng(seed)
        return pa.array(generator.normal(size=count).astype("float32"), mask=generator.random(count) < 0.1)

    def same(count):
        return pa.array(np.full(count, 3, "float32"))

    def wide(count):
        return fixed_size_list(vectors(count, dimension, "float32", seed))

    columns = {"id": pa.array(np.arange(rows))}
    for kinds in ("", "empty", "null", "empty null"):
        suffix = kinds.replace(" ", "_") or "full"
        columns["numbers_" + suffix] = lists(rows, numbers, seed, kinds=kinds)
        columns["same_" + suffix] = lists(rows, same, seed, kinds=kinds)
        columns["vectors_" + suffix] = lists(rows, wide, seed, longest=4, kinds=kinds)
        if nullable_items:
            columns["nullable_" + suffix] = lists(rows, numbers_with_nulls, seed, kinds=kinds)
    columns["long"] = lists(rows, numbers, seed, longest=600) if rows <= 2000 else columns["numbers_full"]
    nothing = pa.array(np.zeros(rows + 1, "int32"))
    columns["all_empty"] = pa.ListArray.from_arrays(nothing, pa.array([], "uint32"))
    columns["all_null"] = pa.ListArray.from_arrays(nothing, pa.array([], "uint32"), mask=pa.array(np.ones(rows, bool)))
    return pa.table(columns)


def with_metadata(table, **metadata):
    """The table with the same metadata on every field, which steers how it is encoded."""
    metadata = {"lance-encoding:" + key.replace("_", "-"): value for key, value in metadata.items()}
    return table.cast(pa.schema([field.with_metadata(metadata) for field in table.schema]))


class Fixtures:
    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def write(self, name, table, version, max_page_bytes=None, rows_per_batch=10_000):
        """With `max_page_bytes`, pages are also cut wherever a batch ends."""
        path = self.folder / f"{name}.lance"
        cache = {} if max_page_bytes is None else {"data_cache_bytes": 1}
        with LanceFileWriter(
            str(path), table.schema, version=version, max_page_bytes=max_page_bytes, **cache
        ) as writer:
            for batch in table.to_batches(max_chunksize=rows_per_batch):
                writer.write_batch(batch)
        self.write_expected(path)

    def write_expected(self, path):
        reader = LanceFileReader(str(path))
        metadata = reader.metadata()
        if metadata.num_rows == 0:
            table = metadata.schema.empty_table()
        else:
            table = reader.read_all(batch_size=1 << 20).to_table()
        with pa.ipc.new_file(path.with_suffix(".arrow"), table.schema) as out:
            out.write_table(table.combine_chunks())

    def keep(self, name, dataset_path):
        """Copies the files of a dataset and of its indexes."""
        files = sorted(dataset_path.glob("data/*.lance")) + sorted(dataset_path.glob("_indices/*/*.idx"))
        for number, source in enumerate(files):
            path = self.folder / f"{name}_{number}_{source.stem if source.suffix == '.idx' else 'data'}{source.suffix}"
            shutil.copyfile(source, path)
            self.write_expected(path)

    def index(self, name, index_type, table, version, metric="l2", partitions=2, **options):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / name
            dataset = lance.write_dataset(table, str(path), data_storage_version=version)
            if "PQ" in index_type:
                options.setdefault("num_sub_vectors", 4)
            dataset.create_index("vector", index_type, metric=metric, num_partitions=partitions, **options)
            self.keep(name, path)

    def unsupported(self, name, table, version):
        folder = self.folder / "unsupported"
        folder.mkdir(exist_ok=True)
        with LanceFileWriter(str(folder / f"{name}.lance"), table.schema, version=version) as writer:
            writer.write_batch(table)


def indexed_table(rows, dimension, dtype="float32", mask=None, seed=1):
    return pa.table(
        {"id": pa.array(np.arange(rows)), "vector": fixed_size_list(vectors(rows, dimension, dtype, seed), mask)}
    )


def write_tables(fixtures, wide):
    row_counts = (1, 2, 3, 1000, 1023, 1024, 1025, 5000) if wide else (1, 2, 1000, 5000)
    dimensions = (1, 3, 8, 63, 64, 65, 128, 384) if wide else (8, 64)
    for version in VERSIONS:
        for rows in row_counts:
            fixtures.write(f"scalars_{version}_{rows}", scalar_table(rows, rows), version)
            fixtures.write(f"lists_{version}_{rows}", list_table(rows, 8, rows, version != "2.0"), version)
        for dimension in dimensions:
            fixtures.write(f"vectors_{version}_{dimension}", vector_table(700, dimension), version)
        for max_page_bytes in (1024, 20_000, 100_000) if wide else (20_000,):
            suffix = f"{version}_{max_page_bytes}"
            lists_of_pages = list_table(1200, 66, 1, version != "2.0")
            fixtures.write(f"scalars_pages_{suffix}", scalar_table(5000), version, max_page_bytes, 1700)
            fixtures.write(f"lists_pages_{suffix}", lists_of_pages, version, max_page_bytes, 170)
            fixtures.write(f"vectors_pages_{suffix}", vector_table(700, 33), version, max_page_bytes, 130)
        if version != "2.0":
            for scheme in ("lz4", "zstd"):
                compressed = with_metadata(compressible_table(20_000), compression=scheme, bss="off")
                fixtures.write(f"compressed_{scheme}_{version}", compressed, version)
            narrow = scalar_table(5000).select(["float32", "float64_null", "int64", "runs", "int32_small"])
            fixtures.write(f"zipped_{version}", with_metadata(narrow, structural_encoding="fullzip"), version)
        # Full-zip lists: items of 256 bytes and more.
        fixtures.write(f"lists_wide_{version}", list_table(300, 64, 2, version != "2.0"), version)
        fixtures.write(f"rows_{version}", scalar_table(70_000).select(["ascending", "runs", "float32_null"]), version)
        fixtures.write(f"empty_{version}", pa.table({"x": pa.array([], "float32")}), version)


def write_indexes(fixtures, wide):
    for index_type in INDEX_TYPES:
        for version in VERSIONS:
            fixtures.index(f"{index_type}_{version}", index_type, indexed_table(600, 16), version)
        for dtype in ("float16", "float64") if wide else ():
            fixtures.index(f"{index_type}_{dtype}", index_type, indexed_table(600, 16, dtype), "2.2")
        same = pa.table({"vector": fixed_size_list(np.ones((400, 16), "float32"))})
        fixtures.index(f"{index_type}_same", index_type, same, "2.2")
        for rows in (1, 2, 5) if wide else (1, 2):
            if "PQ" not in index_type:
                fixtures.index(f"{index_type}_rows_{rows}", index_type, indexed_table(rows, 16), "2.2", partitions=1)
    fixtures.index("wide_flat", "IVF_FLAT", indexed_table(300, 384), "2.2")
    fixtures.index("wide_sq", "IVF_SQ", indexed_table(300, 384), "2.1")
    fixtures.index("wide_rq", "IVF_RQ", indexed_table(300, 384), "2.2", num_bits=5)
    nulls = np.arange(600) % 7 == 0
    fixtures.index("nulls", "IVF_PQ", indexed_table(600, 16, mask=nulls), "2.2")
    multivector = pa.table({"vector": lists(500, lambda n: fixed_size_list(vectors(n, 16)), 3, kinds="")})
    for version in ("2.1", "2.2"):
        fixtures.index(f"multivector_{version}", "IVF_FLAT", multivector, version, metric="cosine")
    if wide:
        for dimension in (8, 96, 128, 384):
            for index_type in INDEX_TYPES:
                fixtures.index(f"{index_type}_d{dimension}", index_type, indexed_table(1200, dimension), "2.2")
        many = pa.table({"vector": lists(3000, lambda n: fixed_size_list(vectors(n, 16)), 3, kinds="")})
        fixtures.index("multivector_many", "IVF_PQ", many, "2.2", metric="cosine")
        fixtures.index("large_hnsw", "IVF_HNSW_SQ", indexed_table(70_000, 8), "2.2", partitions=4)


def write_unsupported(fixtures):
    lists_in_vectors = pa.array([[{"a": [i]}, {"a": []}] for i in range(10)])
    vectors_of_structs = lists_in_vectors.cast(pa.list_(lists_in_vectors.type.value_type, 2))
    fixtures.unsupported("lists_in_vectors", pa.table({"lists": vectors_of_structs}), "2.2")
    fixtures.unsupported("version_2.3", pa.table({"id": pa.array(np.arange(1000))}), "2.3")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", action="store_true", help="write many more shapes")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    fixtures = Fixtures(arguments.folder)
    write_tables(fixtures, arguments.wide)
    write_indexes(fixtures, arguments.wide)
    write_unsupported(fixtures)


if __name__ == "__main__":
    main()
