"""Writes Lance files of every type and with every option of compression, and beside each its content as Arrow has it.

    python tests/make_types_fixtures.py FOLDER [--wide]

empties FOLDER and makes <name>.lance with <name>.arrow in it, for file_reader_fixtures_test. What is expected comes
from pylance's own reader. Each table is written with no nulls, with some, and with nothing but nulls. With --wide, also
with 100,000 rows, and many more random tables are written.
"""

import argparse
import datetime
import decimal
import pathlib
import random
import shutil
import string
import tempfile

import lance
import numpy as np
import pyarrow as pa
from lance.file import LanceFileReader, LanceFileWriter

VERSIONS = ("2.0", "2.1", "2.2")
NULLS = {"none": 0.0, "some": 0.2, "all": 1.0}
PACKED = {"packed": "true"}
BLOB = {"lance-encoding:blob": "true"}

SCALARS = [
    pa.bool_(), pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(),
    pa.float16(), pa.float32(), pa.float64(), pa.decimal128(20, 2), pa.decimal256(50, 3), pa.date32(), pa.date64(),
    pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"), pa.timestamp("ms"),
    pa.timestamp("us", "UTC"), pa.timestamp("ns", "+01:30"), pa.duration("s"), pa.duration("ns"), pa.string(),
    pa.binary(), pa.large_string(), pa.large_binary(), pa.binary(5), pa.binary(300),
]  # fmt: skip
PAIR = pa.struct([("number", pa.int64()), ("text", pa.string())])
NESTED = {
    "struct": PAIR,
    "structs": pa.struct(
        [("a", pa.struct([("b", pa.struct([("c", pa.int32())])), ("d", pa.string())])), ("e", pa.bool_())]
    ),
    "list_text": pa.list_(pa.string()),
    "large_list": pa.large_list(pa.float32()),
    "list_struct": pa.list_(PAIR),
    "large_list_struct": pa.large_list(PAIR),
    "list_list": pa.list_(pa.list_(pa.int32())),
    "list_list_list": pa.list_(pa.list_(pa.list_(pa.string()))),
    "struct_list": pa.struct([("l", pa.list_(pa.int32())), ("m", pa.list_(pa.list_(pa.string()))), ("n", pa.int8())]),
    "list_struct_list": pa.list_(pa.struct([("l", pa.list_(pa.int16())), ("s", PAIR)])),
    "list_vector": pa.list_(pa.list_(pa.float32(), 3)),
    "struct_vector": pa.struct([("v", pa.list_(pa.float32(), 4)), ("w", pa.list_(pa.float32(), 100))]),
    "vector_bool": pa.list_(pa.bool_(), 3),
    "vector_date": pa.list_(pa.date32(), 2),
    "vector_vector": pa.list_(pa.list_(pa.int16(), 2), 3),
}
NESTED_2_2 = {
    "map": pa.map_(pa.string(), pa.int32()),
    "map_struct": pa.map_(pa.int32(), PAIR),
    "list_map": pa.list_(pa.map_(pa.string(), pa.string())),
}
# pylance's file reader reads these only by themselves.
ALONE_2_2 = {
    "vector_struct": pa.list_(PAIR, 3),
    "vector_struct_narrow": pa.list_(pa.struct([("x", pa.float32())]), 2),
    "vector_structs": pa.list_(pa.struct([("x", PAIR), ("y", pa.list_(pa.int8(), 2))]), 2),
}


class Values:
    """Makes values of any type as Python has them."""

    def __init__(self, seed, null_share, version, longest=4):
        self.random = random.Random(seed)
        self.null_share = null_share
        self.longest = longest
        # Files of version 2.0 have none.
        self.null_structs = version != "2.0"

    def maybe(self, type_, nullable=True):
        nullable = nullable and (self.null_structs or not pa.types.is_struct(type_))
        if nullable and self.random.random() < self.null_share:
            return None
        return self.value(type_)

    def value(self, type_):
        pick = self.random
        if pa.types.is_struct(type_):
            return {field.name: self.maybe(field.type, field.nullable) for field in type_}
        if pa.types.is_fixed_size_list(type_):
            return [self.maybe(type_.value_type) for _ in range(type_.list_size)]
        if pa.types.is_map(type_):
            keys = {self.value(type_.key_type) for _ in range(pick.randrange(4))}
            return [(key, self.maybe(type_.item_type)) for key in keys]
        if pa.types.is_nested(type_):
            return [self.maybe(type_.value_type) for _ in range(pick.randrange(self.longest + 1))]
        if pa.types.is_boolean(type_):
            return pick.random() < 0.5
        if pa.types.is_floating(type_):
            return float(np.float16(pick.gauss(0, 1))) if type_ == pa.float16() else pick.gauss(0, 1)
        if pa.types.is_decimal(type_):
            return decimal.Decimal(pick.randrange(-(10**9), 10**9)).scaleb(-type_.scale)
        if pa.types.is_fixed_size_binary(type_):
            return bytes([pick.randrange(256)] * type_.byte_width)
        word = pick.choice(("a fewter", "holds", "the lance", "steady", ""))
        text = f"{word} {pick.randrange(50)}" * pick.randrange(3)
        if pa.types.is_string(type_) or pa.types.is_large_string(type_):
            return text
        if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
            return text.encode()
        if pa.types.is_date64(type_):
            return datetime.date(1970, 1, 1) + datetime.timedelta(days=pick.randrange(20_000))
        if pa.types.is_temporal(type_):
            return pick.randrange(80_000)
        bits = type_.bit_width - (0 if pa.types.is_unsigned_integer(type_) else 1)
        return pick.randrange(1 << min(bits, pick.choice((3, 7, 20, 64))))

    def array(self, rows, type_):
        values = [self.maybe(type_) for _ in range(rows)]
        if pa.types.is_float16(type_):
            return pa.array([None if v is None else np.float16(v) for v in values], type_)
        return pa.array(values, type_)


def field_of(name, type_, metadata=None):
    return pa.field(name, type_, metadata=metadata)


def types_table(rows, nulls, version, seed=0):
    """A column of every type."""
    values = Values(seed, NULLS[nulls], version)
    fields = [field_of(str(type_), type_) for type_ in SCALARS]
    fields += [field_of(name, type_) for name, type_ in NESTED.items()]
    if version == "2.2":
        fields += [field_of(name, type_) for name, type_ in NESTED_2_2.items()]
    arrays = [values.array(rows, field.type) for field in fields]
    mask = np.array([values.random.random() < NULLS[nulls] for _ in range(rows)], bool)

    def add(name, array, metadata=None):
        fields.append(field_of(name, array.type, metadata))
        arrays.append(array)

    add("nothing", pa.nulls(rows))
    if rows > 0 and version != "2.0":
        add("view", values.array(rows, pa.string()).cast(pa.string_view()))
    add("same_text", pa.array(["the same"] * rows, mask=mask))
    add("same_long_text", pa.array(["the same " * 9] * rows, pa.large_string(), mask=mask))
    add("same_decimal", pa.array([decimal.Decimal("1.25")] * rows, pa.decimal128(10, 2), mask=mask))
    add("same_bytes", pa.array([b"x" * 40] * rows, pa.binary(40), mask=mask))
    add("unique_text", pa.array([f"{i} unique {i * i}" for i in range(rows)], mask=mask))
    add("long_text", pa.array([f"{i} " * (i % 400) for i in range(rows)], mask=mask))
    add("long_bytes", pa.array([bytes([i % 256]) * (3000 if i % 50 == 0 else 100) for i in range(rows)], mask=mask))
    add("lists_of_long_text", pa.array([[f"{i} " * 200] * (i % 3) for i in range(rows)], mask=mask))
    add("null_elements", pa.array([[None] * 3] * rows, pa.list_(pa.float32(), 3), mask=mask))
    add("null_vectors", pa.array([[[None], [None]]] * rows, pa.list_(pa.list_(pa.int16(), 1), 2), mask=mask))
    add("dictionary", pa.array([f"word {i % 7}" for i in range(rows)], pa.string(), mask=mask).dictionary_encode())
    pairs = Values(seed, 0.0, version)
    numbers = [("a", pa.int64()), ("b", pa.float32()), ("d", pa.uint8())]
    add("packed", pairs.array(rows, pa.struct(numbers)), PACKED)
    if version == "2.2":
        add("packed_text", pairs.array(rows, PAIR), PACKED)
        add("packed_vector", pairs.array(rows, pa.struct(numbers + [("c", pa.list_(pa.int16(), 3))])), PACKED)
    if nulls == "none":
        # At the end: pylance's file reader takes the columns behind it for others.
        add("struct_of_nothing", pa.array([{}] * rows, pa.struct([])))
    return pa.table(arrays, schema=pa.schema(fields))


def options_table(rows, seed=0):
    """Columns for which compression can be chosen."""
    pick = np.random.default_rng(seed)
    mask = pick.random(rows) < 0.1
    words = np.array(["".join(pick.choice(list(string.ascii_lowercase), 12)) for _ in range(200)])

    def phrases(length):
        return [" ".join(words[pick.integers(0, 200, length)]) for _ in range(rows)]

    short_runs = np.repeat(pick.integers(0, 1 << 14, rows // 3 + 1).astype("int16"), 3)[:rows]
    return pa.table(
        {
            "runs": pa.array(np.repeat(pick.integers(0, 1 << 60, rows // 100 + 1), 100)[:rows]),
            "short_runs": pa.array(short_runs, mask=mask),
            "floats": pa.array(np.cumsum(pick.normal(size=rows)).astype("float32")),
            "doubles": pa.array(np.round(pick.normal(size=rows), 2), mask=mask),
            "few": pa.array((pick.integers(0, 30, rows) * 0x123456789ABC).astype("uint64")),
            "small": pa.array(pick.integers(0, 50, rows).astype("int32"), mask=mask),
            "decimal": pa.array([decimal.Decimal(int(i)) for i in pick.integers(0, 40, rows)], pa.decimal128(20, 0)),
            "words": pa.array(words[pick.integers(0, 200, rows)], mask=mask),
            "sentences": pa.array(phrases(9)),
            "large": pa.array(phrases(4), pa.large_string(), mask=mask),
            "bytes": pa.array([words[i].encode() for i in pick.integers(0, 200, rows)], pa.binary(12)),
            "lists": pa.array([[int(v) for v in pick.integers(0, 9, i % 4)] for i in range(rows)], mask=mask),
        }
    )


OPTIONS = {
    "none": {"compression": "none"},
    "zstd": {"compression": "zstd", "compression-level": "3"},
    "lz4": {"compression": "lz4"},
    "fsst": {"compression": "fsst", "dict-divisor": "1000000"},
    "rle": {"rle-threshold": "1.0"},
    "rle_zstd": {"rle-threshold": "1.0", "compression": "zstd"},
    "bss": {"bss": "on"},
    "bss_lz4": {"bss": "on", "compression": "lz4"},
    "no_bss": {"bss": "off"},
    "dictionary": {"dict-divisor": "1", "dict-size-ratio": "1.0", "dict-values-compression": "zstd"},
    "no_dictionary": {"dict-divisor": "1000000", "minichunk-size": "1024"},
    "full_zip": {"structural-encoding": "fullzip"},
    "full_zip_zstd": {"structural-encoding": "fullzip", "compression": "zstd"},
    "full_zip_fsst": {"structural-encoding": "fullzip", "compression": "fsst"},
    "mini_block": {"structural-encoding": "miniblock"},
}


OPTIONS_2_0 = {name: OPTIONS[name] for name in ("none", "zstd", "lz4")}


def with_options(table, options):
    metadata = {"lance-encoding:" + key: value for key, value in options.items()}
    return table.cast(pa.schema([field.with_metadata(metadata) for field in table.schema]))


def random_type(pick, version, depth=0):
    kinds = ["scalar"] * 3 + (["struct", "list", "large_list", "vector"] if depth < 3 else [])
    if version == "2.2" and depth < 2:
        kinds.append("map")
    kind = pick.choice(kinds)
    if kind == "struct":
        names = pick.sample(string.ascii_lowercase, pick.randrange(1, 4))
        return pa.struct([(name, random_type(pick, version, depth + 1)) for name in names])
    if kind == "list":
        return pa.list_(random_type(pick, version, depth + 1))
    if kind == "large_list":
        return pa.large_list(random_type(pick, version, depth + 1))
    if kind == "vector":
        return pa.list_(pick.choice((pa.float32(), pa.int8(), pa.bool_(), pa.timestamp("us"))), pick.randrange(1, 6))
    if kind == "map":
        return pa.map_(pick.choice((pa.string(), pa.int16())), random_type(pick, version, depth + 1))
    return pick.choice(SCALARS)


def random_table(seed, version):
    """Random types, with random shares of nulls, in a random number of rows."""
    pick = random.Random(seed)
    rows = pick.choice((1, 2, 17, 300, 3000))
    columns = {}
    for number in range(4):
        null_share = pick.choice((0.0, 0.01, 0.3, 0.9))
        values = Values(seed * 100 + number, null_share, version, pick.choice((1, 4, 40)))
        columns[f"column_{number}"] = values.array(rows, random_type(pick, version))
    return pa.table(columns)


class Fixtures:
    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def expect(self, path, table):
        with pa.ipc.new_file(path.with_suffix(".arrow"), table.schema) as out:
            out.write_table(table.combine_chunks())

    def write(self, name, table, version, max_page_bytes=None, rows_per_batch=10_000):
        """With `max_page_bytes`, pages are also cut wherever a batch ends."""
        path = self.folder / f"{name}.lance"
        sizes = {} if max_page_bytes is None else {"max_page_bytes": max_page_bytes, "data_cache_bytes": 1}
        with LanceFileWriter(str(path), table.schema, version=version, **sizes) as writer:
            for batch in table.to_batches(max_chunksize=rows_per_batch):
                writer.write_batch(batch)
        empty = table.schema.empty_table()
        results = LanceFileReader(str(path)).read_all(batch_size=1 << 20)
        self.expect(path, results.to_table() if table.num_rows else empty)

    def write_dataset(self, name, table, version):
        """For what datasets present in another form than files: blobs."""
        with tempfile.TemporaryDirectory() as scratch:
            dataset = lance.write_dataset(table, scratch + "/blobs.lance", data_storage_version=version)
            path = self.folder / f"{name}.lance"
            shutil.copyfile(next(pathlib.Path(scratch).glob("blobs.lance/data/*.lance")), path)
            self.expect(path, dataset.to_table())


def blobs_table(rows, nulls):
    null_rows = {"none": set(), "some": set(range(1, rows, 4)), "all": set(range(rows))}[nulls]
    blobs = [None if i in null_rows else b"blob %d" % i * (i % 3) for i in range(rows)]
    return pa.table([pa.array(blobs, pa.large_binary())], schema=pa.schema([field_of("blob", pa.large_binary(), BLOB)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", action="store_true", help="write many more random tables")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    fixtures = Fixtures(arguments.folder)
    for version in VERSIONS:
        for nulls in NULLS:
            for rows in (1, 1000):
                fixtures.write(f"types_{version}_{nulls}_{rows}", types_table(rows, nulls, version), version)
                for name, type_ in ALONE_2_2.items() if version == "2.2" else ():
                    alone = pa.table({name: Values(1, NULLS[nulls], version).array(rows, type_)})
                    fixtures.write(f"{name}_{version}_{nulls}_{rows}", alone, version)
            if arguments.wide:
                large = pa.concat_tables([types_table(10_000, nulls, version)] * 10)
                fixtures.write(f"types_{version}_{nulls}_100000", large.combine_chunks(), version, None, large.num_rows)
            fixtures.write_dataset(f"blobs_{version}_{nulls}", blobs_table(200, nulls), version)
        fixtures.write(f"types_{version}_0", types_table(0, "none", version), version)
        # pylance 14 fails to write slices of some structs.
        table = types_table(900, "some", version, 1)
        fixtures.write(f"types_pages_{version}", table.drop_columns("structs"), version, 20_000, 130)
        for name, options in OPTIONS.items() if version != "2.0" else OPTIONS_2_0.items():
            fixtures.write(f"options_{version}_{name}", with_options(options_table(3000), options), version)
        if version == "2.0":
            # pylance 14 fails on large strings with this.
            text = options_table(3000).select(["words", "sentences"])
            fixtures.write("options_2.0_fsst", with_options(text, OPTIONS["fsst"]), version)
        for seed in range(300 if arguments.wide else 15):
            fixtures.write(f"random_{version}_{seed}", random_table(seed, version), version)
        long = options_table(100_000 if arguments.wide else 20_000).select(["words", "short_runs", "lists"])
        fixtures.write(f"long_{version}", long, version)
    blobs = pa.table({"blob": lance.blob_array([b"abc", None, b"", b"xyz" * 30])})
    fixtures.write_dataset("blobs_v2", blobs, "2.2")


if __name__ == "__main__":
    main()
