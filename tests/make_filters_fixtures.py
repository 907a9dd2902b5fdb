"""Datasets, and which of their rows pylance takes for filters: datasets of every scalar type with nulls, deletions and
several fragments; a few hundred random conditions in SQL; searches with filters before and after; expressions of pyarrow
as Substrait.

    python tests/make_filters_fixtures.py OUTPUT

OUTPUT/NAME.lance is the dataset, OUTPUT/NAME.json what pylance answers."""

import datetime
import decimal
import json
import pathlib
import random
import sys

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ROWS = 600
DIMENSION = 8
WORDS = ["", "a", "ab", "abc", "b", "B", "Ab%", "a_c", "ärger", "ÄRGER", "x\\y", "it's", "zz top", " pad "]
INTEGERS = {"i8": (pa.int8(), -128, 127), "i16": (pa.int16(), -300, 300), "i32": (pa.int32(), -1000, 1000),
            "i64": (pa.int64(), -(2**62), 2**62), "u8": (pa.uint8(), 0, 255), "u16": (pa.uint16(), 0, 300),
            "u32": (pa.uint32(), 0, 1000), "u64": (pa.uint64(), 0, 2**64 - 1)}


def nullable(rng, values):
    return [None if rng.random() < 0.15 else value for value in values]


def make_table(seed, null_structs):
    rng = random.Random(seed)
    columns = {}
    for name, (kind, low, high) in INTEGERS.items():
        columns[name] = pa.array(nullable(rng, [rng.choice([rng.randint(low, high), rng.randint(0, 9), low, high])
                                                for _ in range(ROWS)]), kind)
    floats = [rng.choice([rng.uniform(-3, 3), 0.0, 0.1, 1.0, float("nan"), float("inf")]) for _ in range(ROWS)]
    columns["f32"] = pa.array(nullable(rng, floats), pa.float32())
    rng.shuffle(floats)
    columns["f64"] = pa.array(nullable(rng, floats), pa.float64())
    columns["flag"] = pa.array(nullable(rng, [rng.random() < 0.5 for _ in range(ROWS)]))
    columns["text"] = pa.array(nullable(rng, [rng.choice(WORDS) for _ in range(ROWS)]))
    columns["large"] = pa.array(nullable(rng, [rng.choice(WORDS) for _ in range(ROWS)]), pa.large_string())
    columns["Title"] = pa.array(nullable(rng, [rng.choice(WORDS) for _ in range(ROWS)]))
    columns["title"] = pa.array(nullable(rng, [rng.choice(WORDS) for _ in range(ROWS)]))
    columns["kind of"] = pa.array(nullable(rng, [rng.choice("xyz") for _ in range(ROWS)])).dictionary_encode()
    columns["bytes"] = pa.array(nullable(rng, [rng.choice([b"", b"\x00\xff", b"ab", b"b"]) for _ in range(ROWS)]))
    columns["price"] = pa.array(nullable(rng, [decimal.Decimal(rng.randint(-500, 500)) / 100 for _ in range(ROWS)]),
                                pa.decimal128(9, 2))
    day = datetime.date(2020, 1, 1)
    columns["day"] = pa.array(nullable(rng, [day + datetime.timedelta(rng.randint(-20000, 400)) for _ in range(ROWS)]))
    moment = datetime.datetime(2020, 1, 1)
    moments = [moment + datetime.timedelta(hours=rng.randint(-200, 200)) for _ in range(ROWS)]
    columns["at"] = pa.array(nullable(rng, moments), pa.timestamp("us"))
    columns["at_ms"] = pa.array(nullable(rng, moments), pa.timestamp("ms"))
    columns["at_utc"] = pa.array(nullable(rng, moments), pa.timestamp("us", "UTC"))
    parts = [{"x": rng.choice([None, 1, 2, 3]), "Y y": rng.choice(WORDS)} for _ in range(ROWS)]
    columns["part"] = pa.array(nullable(rng, parts) if null_structs else parts)
    columns["tags"] = pa.array(nullable(rng, [[rng.choice(["a", "b", None]) for _ in range(rng.randint(0, 3))]
                                              for _ in range(ROWS)]))
    numbers = np.random.default_rng(seed).standard_normal((ROWS, DIMENSION)).astype(np.float32)
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), DIMENSION)
    return pa.table(columns)


class Conditions:
    """Random conditions that pylance has no reason to refuse, and whose answer docs/filters.md says is the same: no NaN or
    zero with a sign, no letter that is longer in upper case."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def text(self):
        return "'" + self.rng.choice(WORDS).replace("'", "''") + "'"

    def integer(self, name):
        low, high = INTEGERS[name][1:]
        return str(self.rng.choice([self.rng.randint(low, high), self.rng.randint(0, 9), high]))

    def literal(self, name):
        if name in INTEGERS:
            return self.integer(name)
        if name in ("f32", "f64"):
            return self.rng.choice(["0.0", "0.25", "1", "-1.5", "2.25", "1e3", "-2"])
        if name == "price":
            return self.rng.choice(["0", "1", "-2", "4"])
        if name == "day":
            return "date '" + self.rng.choice(["2020-01-01", "1969-12-31", "1990-06-15"]) + "'"
        if name in ("at", "at_ms", "at_utc"):
            return "timestamp '" + self.rng.choice(["2020-01-01 00:00:00", "2019-12-31 12:00:00", "2020-01-04"]) + "'"
        if name == "bytes":
            return self.rng.choice(["X'00ff'", "X'6162'", "X''"])
        return self.text()

    def comparison(self):
        name = self.rng.choice([*INTEGERS, "f32", "f64", "price", "day", "at", "at_ms", "at_utc", "text", "large",
                                "Title", "title", "`kind of`", "part.`Y y`", "part.x", "bytes"])
        key = "i8" if name == "part.x" else name.strip("`")
        operator = self.rng.choice(["=", "<>", "!=", "<", "<=", ">", ">=", "=="])
        form = self.rng.randrange(7)
        if form == 0:
            return f"{self.literal(key)} {operator} {name}"
        if form == 1:
            return f"{name} {self.rng.choice(['', 'NOT '])}BETWEEN {self.literal(key)} AND {self.literal(key)}"
        if form == 2 and key not in ("price", "f32", "f64", "bytes"):
            values = [self.literal(key) for _ in range(self.rng.randint(1, 4))]
            values += ["NULL"] if self.rng.random() < 0.2 else []
            return f"{name} {self.rng.choice(['', 'NOT '])}IN ({', '.join(values)})"
        if form == 3:
            return f"{name} IS {self.rng.choice(['', 'NOT '])}NULL"
        return f"{name} {operator} {self.literal(key)}"

    def between_columns(self):
        a, b = self.rng.choice([("i8", "i64"), ("i32", "u8"), ("u64", "i64"), ("u32", "i32"), ("f32", "f64"),
                                ("i16", "f64"), ("text", "large"), ("day", "at"), ("at", "at_ms"), ("price", "i8"),
                                ("Title", "title"), ("u64", "u8"), ("price", "f64"), ("f32", "i16")])
        return f"{a} {self.rng.choice(['=', '<', '>=', '<>'])} {b}"

    def calculation(self):
        name = self.rng.choice(["i8", "i16", "i32", "u8", "u16", "u32", "part.x"])
        operator = self.rng.choice(["+", "-", "*", "/", "%"])
        number = self.rng.choice(["1", "2", "3", "7"])
        return f"{name} {operator} {number} {self.rng.choice(['=', '<', '>='])} {self.rng.randint(-5, 9)}"

    def function(self):
        name = self.rng.choice(["text", "large", "title"])
        word = self.text()
        number = self.rng.choice(["i8", "i32", "f64", "i16"])
        return self.rng.choice([
            f"lower({name}) = {word}", f"upper({name}) < {word}", f"length({name}) > {self.rng.randint(0, 4)}",
            f"starts_with({name}, {word})", f"ends_with({name}, {word})", f"contains({name}, {word})",
            f"regexp_like({name}, '^[a-b]+')", f"regexp_match({name}, 'b')", f"trim({name}) = {word}",
            f"{name} LIKE '{self.rng.choice(['a%', '%b%', 'a_c', 'a%c', '_', '%', 'a' + chr(92) + '_c'])}'",
            f"{name} NOT LIKE '%{self.rng.choice('abz')}'", f"{name} ILIKE '{self.rng.choice(['A%', 'är%', '%B'])}'",
            f"coalesce({name}, 'none') <> 'none'", f"coalesce({number}, 0) > 0", f"abs({number}) < 5",
            f"{name} || 'x' = 'ax'", f"concat({name}, 'b') = 'ab'", f"nullif({number}, 1) > 0",
            f"ceil(f64) = {self.rng.randint(-2, 2)}", f"floor(f32) < {self.rng.randint(-2, 2)}", "round(f64) = 1",
            "sqrt(abs(f64)) > 1", f"CAST({number} AS DOUBLE) > 0.5", f"i32::bigint * 2 > {self.rng.randint(-100, 100)}",
            "CAST(i8 AS STRING) = '7'", "is_valid(text)", "-i8 > 5", "-i16 < 0", "octet_length(text) = 2",
            "date_part('year', day) < 1990", "date_part('month', at) = 1", "isnan(f64)", "part['x'] = 1", "array_has(tags, 'a')",
            "NOT array_contains(tags, 'b')",
        ])

    def boolean(self):
        return self.rng.choice(["flag", "flag = true", "flag IS TRUE", "flag IS NOT TRUE", "flag IS FALSE",
                                "flag IS NOT FALSE", "flag IS NULL", "NOT flag", "TRUE", "NULL = flag"])

    def condition(self, depth):
        if depth == 0 or self.rng.random() < 0.3:
            return self.rng.choice([self.comparison] * 4 + [self.between_columns, self.calculation, self.function,
                                                            self.function, self.boolean])()
        if self.rng.random() < 0.2:
            return f"NOT ({self.condition(depth - 1)})"
        joint = self.rng.choice([" AND ", " OR ", " and "])
        return joint.join(f"({self.condition(depth - 1)})" for _ in range(self.rng.randint(2, 3)))


def ids_of(dataset, condition):
    return dataset.scanner(filter=condition, columns=[], with_row_id=True).to_table()["_rowid"].to_pylist()


def answers(dataset, seed, count):
    conditions = Conditions(seed)
    found, refused = [], []
    while len(found) < count:
        condition = conditions.condition(conditions.rng.randrange(3))
        try:
            found.append({"filter": condition, "ids": ids_of(dataset, condition)})
        except Exception as error:
            refused.append(f"{condition}: {str(error)[:200]}")
    assert len(refused) < count / 10, refused[:20]
    return found


def searches(dataset, seed, count):
    conditions = Conditions(seed)
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        condition = conditions.comparison()
        query = rng.standard_normal(DIMENSION).astype(np.float32)
        nearest = {"column": "vector", "q": query, "k": 10, "nprobes": 4}
        try:
            results = {name: dataset.scanner(nearest=nearest, filter=condition, prefilter=name == "before", columns=[],
                                             with_row_id=True).to_table()["_rowid"].to_pylist()
                       for name in ("before", "after")}
        except Exception:
            continue
        found.append({"filter": condition, "query": query.tolist(), **results})
    return found


def substrait(dataset):
    f = pc.field
    expressions = [
        f("i32") > 5, (f("i8") == 7) | f("text").is_null(), ~(f("u8") < 100), f("text").isin(["a", "b", "zz top"]),
        f("price") >= decimal.Decimal("1.25"), f("day") < datetime.date(1990, 1, 1), f("flag"),
        f("at") > datetime.datetime(2020, 1, 1), (f("i32") + f("i16")) * 2 > 40, f("f64") < 0.5, f("part", "x") == 2,
        f("large") == "ab", f("bytes") == b"ab", f("title").is_valid() & (f("Title") == "b"), f("u64") > pa.scalar(2**63, pa.uint64()),
        f("i64").cast("float64") > 0.5, pc.starts_with(f("text"), "a"), pc.utf8_lower(f("text")) == "b",
    ]
    schema = pa.schema([field for field in dataset.schema if field.name not in ("kind of", "vector")])
    table = dataset.to_table(columns=schema.names, with_row_id=True)
    found = []
    for expression in expressions:
        try:
            message = expression.to_substrait(schema)
        except pa.ArrowException:
            continue  # Arrow cannot say it in Substrait.
        found.append({"expression": str(expression), "substrait": bytes(message).hex(),
                      "ids": table.filter(expression)["_rowid"].to_pylist()})
    assert len(found) > 10
    return found


def write(out, name, seed, **options):
    path = str(out / f"{name}.lance")
    null_structs = name != "v2_0"
    dataset = lance.write_dataset(make_table(seed, null_structs), path, max_rows_per_file=ROWS // 4, **options)
    dataset.create_index("vector", "IVF_FLAT", num_partitions=4, metric="l2")
    dataset = lance.write_dataset(make_table(seed + 1, null_structs).slice(0, 70), path, mode="append")
    dataset.delete("i16 % 7 = 1")
    if name == "stable":
        dataset.optimize.compact_files(target_rows_per_fragment=ROWS // 3)
        dataset = lance.dataset(path)
        dataset.delete("i32 > 990 AND u8 > 250")
    (out / f"{name}.json").write_text(json.dumps({
        "filters": answers(dataset, seed + 2, 400), "searches": searches(dataset, seed + 3, 30),
        "substrait": substrait(dataset)}))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True)
    write(out, "plain", 1)
    write(out, "stable", 100, enable_stable_row_ids=True)
    write(out, "v2_0", 200, data_storage_version="2.0")


if __name__ == "__main__":
    main()
