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
NUMBERS = [1e-7, 0.00001, 0.1, 2.5, 1e15, 1e16, 1.5e300, -0.0]
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
    floats = [rng.choice([rng.uniform(-3, 3), 0.0, -0.0, 0.1, 1.0, float("nan"), float("inf"), rng.choice(NUMBERS)])
              for _ in range(ROWS)]
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
    columns["long"] = pa.array(nullable(rng, [decimal.Decimal(rng.randint(-10**6, 10**6)).scaleb(-5) for _ in range(ROWS)]),
                               pa.decimal128(38, 10))
    day = datetime.date(2020, 1, 1)
    columns["day"] = pa.array(nullable(rng, [day + datetime.timedelta(rng.randint(-20000, 400)) for _ in range(ROWS)]))
    moment = datetime.datetime(2020, 1, 1)
    moments = [moment + datetime.timedelta(hours=rng.randint(-200, 200), milliseconds=rng.choice([0, 0, 250, 7]))
               for _ in range(ROWS)]
    columns["at"] = pa.array(nullable(rng, moments), pa.timestamp("us"))
    columns["at_ms"] = pa.array(nullable(rng, moments), pa.timestamp("ms"))
    columns["at_utc"] = pa.array(nullable(rng, moments), pa.timestamp("us", "UTC"))
    columns["at_ny"] = pa.array(nullable(rng, moments), pa.timestamp("us", "America/New_York"))
    columns["clock"] = pa.array(nullable(rng, [datetime.time(rng.randint(0, 23), 5, 7, rng.choice([0, 250000, 7])) for _ in range(ROWS)]),
                                pa.time64("us"))
    parts = [{"x": rng.choice([None, 1, 2, 3]), "Y y": rng.choice(WORDS), "deep": {"z": rng.choice("xyz")}}
             for _ in range(ROWS)]
    columns["part"] = pa.array(nullable(rng, parts) if null_structs else parts)
    columns["tags"] = pa.array(nullable(rng, [[rng.choice(["a", "b", None]) for _ in range(rng.randint(0, 3))]
                                              for _ in range(ROWS)]))
    columns["numbers"] = pa.array(nullable(rng, [[rng.choice([1, 2, 3, 7, None]) for _ in range(rng.randint(0, 4))]
                                                 for _ in range(ROWS)]), pa.list_(pa.int64()))
    numbers = np.random.default_rng(seed).standard_normal((ROWS, DIMENSION)).astype(np.float32)
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), DIMENSION)
    return pa.table(columns)


class Conditions:
    """Random conditions that pylance has no reason to refuse, and whose answer docs/filters.md says is the same: no
    letter that is longer in upper case."""

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
            return self.rng.choice(["0.0", "0.1", "0.25", "1", "-1.5", "2.25", "1e3", "-2", "-0.0", "cast('NaN' as double)",
                                    "cast('-inf' as double)"])
        if name in ("price", "long"):
            return self.rng.choice(["0", "1", "-2", "4"])
        if name == "day":
            return "date '" + self.rng.choice(["2020-01-01", "1969-12-31", "1990-06-15"]) + "'"
        if name in ("at", "at_ms", "at_utc", "at_ny"):
            return "timestamp '" + self.rng.choice(["2020-01-01 00:00:00", "2019-12-31 12:00:00", "2020-01-04", "2020-01-02T03:00:00.25Z",
                                                    "2020-01-01 05:00:00+02:00"]) + "'"
        if name == "bytes":
            return self.rng.choice(["X'00ff'", "X'6162'", "X''"])
        return self.text()

    def comparison(self):
        name = self.rng.choice([*INTEGERS, "f32", "f64", "price", "long", "day", "at", "at_ms", "at_utc", "at_ny", "text", "large",
                                "Title", "title", "`kind of`", "part.`Y y`", "part.x", "bytes"])
        key = "i8" if name == "part.x" else name.strip("`")
        operator = self.rng.choice(["=", "<>", "!=", "<", "<=", ">", ">=", "=="])
        form = self.rng.randrange(7)
        if form == 0:
            return f"{self.literal(key)} {operator} {name}"
        if form == 1:
            return f"{name} {self.rng.choice(['', 'NOT '])}BETWEEN {self.literal(key)} AND {self.literal(key)}"
        if form == 2:
            values = [self.literal(key) for _ in range(self.rng.randint(1, 4))]
            values += ["NULL"] if self.rng.random() < 0.2 else []
            return f"{name} {self.rng.choice(['', 'NOT '])}IN ({', '.join(values)})"
        if form == 3:
            return f"{name} IS {self.rng.choice(['', 'NOT '])}NULL"
        return f"{name} {operator} {self.literal(key)}"

    def between_columns(self):
        a, b = self.rng.choice([("i8", "i64"), ("i32", "u8"), ("u64", "i64"), ("u32", "i32"), ("f32", "f64"),
                                ("i16", "f64"), ("text", "large"), ("day", "at"), ("at", "at_ms"), ("price", "i8"),
                                ("Title", "title"), ("u64", "u8"), ("price", "f64"), ("f32", "i16"), ("price", "long"),
                                ("at_ny", "at"), ("at_utc", "at_ny"), ("at_ms", "at_ny"), ("day", "at_ny")])
        return f"{a} {self.rng.choice(['=', '<', '>=', '<>'])} {b}"

    def calculation(self):
        name = self.rng.choice(["i8", "i16", "i32", "u8", "u16", "u32", "part.x"])
        operator = self.rng.choice(["+", "-", "*", "/", "%"])
        number = self.rng.choice(["1", "2", "3", "7"])
        return f"{name} {operator} {number} {self.rng.choice(['=', '<', '>='])} {self.rng.randint(-5, 9)}"

    def decimals(self):
        """Arithmetic of decimals and of uint64, whose sums are decimals beside signed numbers."""
        wide = self.rng.choice(["price", "long", "u64"])
        other = self.rng.choice(["price", "long", "i8", "i64", "u64", "u8", "2", "3", "7", "f64", "f32"])
        operator = self.rng.choice(["+", "-", "*"])
        if other in ("2", "3", "7"):
            operator = self.rng.choice(["+", "-", "*", "/", "%"])
        a, b = self.rng.choice([(wide, other), (other, wide)]) if operator not in "/%" else (wide, other)
        return self.rng.choice([f"{a} {operator} {b} {self.rng.choice(['=', '<', '>='])} {self.rng.randint(-5, 9)}",
                                f"{a} {operator} {b} > i16", f"(price {operator} 3) * 2 - price < 4", "price * price * price > 8",
                                f"round({self.rng.choice(['price', 'long'])}, 1) = {self.rng.randint(-2, 2)}",
                                "CAST(price AS decimal(5,1)) > i8", "CAST(price AS INT) = i32", "abs(long) > 3", "-price > 2", "long % 1 = 0", "price / 7 > 0.5"])

    def text_of(self):
        """Values of all kinds as strings."""
        name, texts = self.rng.choice([
            ("i8", ["7", "-128"]), ("u64", ["7", "0"]), ("f64", ["1.0", "NaN", "inf", "0.0", "-0.0", "0.1", "1e-7", "0.00001", "1e16",
            "1000000000000000.0", "1.5e300"]), ("f32", ["1.0", "NaN", "0.1", "0.00001", "1e16", "1e-7"]), ("price", ["0.00", "-1.25", "0.50"]),
            ("long", ["0.0000000000"]), ("flag", ["true"]), ("day", ["2019-12-31"]), ("at", ["2020-01-01T00:00:00", "2020-01-01T01:00:00.250"]),
            ("at_ms", ["2020-01-01T00:00:00.007"]), ("at_utc", ["2020-01-01T02:00:00Z"]), ("at_ny", ["2020-01-01T03:00:00-05:00"]),
            ("clock", ["12:05:07", "12:05:07.000007"])])
        text = self.rng.choice(texts)
        return self.rng.choice([f"CAST({name} AS STRING) = '{text}'", f"CAST({name} AS STRING) < '{text}'", f"{name} || 'x' > '{text}'",
                                f"concat('a', {name}) <= 'a{text}'", f"length({name}) > {len(text)}", f"{name} || title LIKE '%1%b%'"])

    def date(self):
        part = self.rng.choice(["year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "hour", "minute", "second", "epoch",
                                "millisecond", "microsecond", "isoyear"])
        name = self.rng.choice(["day", "at", "at_ms", "at_utc", "at_ny"])
        number = self.rng.choice([0, 1, 2, 3, 4, 7, 12, 40, 250, 1000, 7250, 1990, 2020, 1577836800])
        return self.rng.choice([f"date_part('{part}', {name}) {self.rng.choice(['=', '<', '>='])} {number}",
                                f"date_trunc('{self.rng.choice(['year', 'quarter', 'month', 'week', 'day', 'hour', 'second'])}', at) <= "
                                f"{self.literal('at')}", f"date_part('{self.rng.choice(['hour', 'minute', 'second'])}', clock) < {number}",
                                f"CAST({name} AS DATE) = {self.literal('day')}", "CAST(at_ny AS TIMESTAMP) < at"])

    def lists(self):
        numbers = ", ".join(self.rng.choice(["1", "2", "3", "NULL", "9"]) for _ in range(self.rng.randint(1, 3)))
        words = ", ".join(self.rng.choice(["'a'", "'b'", "'c'"]) for _ in range(self.rng.randint(1, 2)))
        place = self.rng.choice([1, 2, -1, -2, 0, 3])
        return self.rng.choice([
            f"array_has_any(numbers, [{numbers}])", f"NOT array_has_all(numbers, [{numbers}])", f"array_has_all(tags, [{words}])",
            f"array_has_any(tags, make_array({words}))", "array_has(numbers, i8)", "array_has(tags, text)", "NOT array_has(numbers, i64)",
            f"numbers[{place}] > {self.rng.randint(0, 3)}", f"tags[{place}] = 'a'", f"numbers[{place}] IS NULL", "numbers[1] + numbers[2] = 3",
            f"array_length(numbers) = {self.rng.randint(0, 4)}", "cardinality(tags) > 1", "empty(numbers)", "array_has_any(numbers, [])",
            f"array_has([1, 2, 7], {self.rng.choice(['i8', 'i64', 'u8'])})", "array_has_all(numbers, [])", "array_has(['a', 'b'], title)"])

    def rare(self):
        return self.rng.choice([
            "regexp_match(text, 'b') IS NULL", "regexp_match(text, 'b') IS NOT NULL", "NOT regexp_match(text, '^a')",
            "regexp_like(title, 'AB', 'i')", "text IS DISTINCT FROM title", "text IS NOT DISTINCT FROM NULL", "i8 IS DISTINCT FROM 1",
            "part.deep.z = 'x'", "part['deep']['z'] <> 'y'", "part.deep['z'] IS NULL", "get_field(part, 'x') = 2", "NOT f32 > 0.1",
            "f32 > 0.1", "NOT (f32 = 0.1)", "f32 + 0 > 0.1", "f64 - f64 = 0", "-f64 < 0", "f64 = f32", "f64 > f64 - 0", "f64 / 0 > 1",
            "left(text, 1) = 'a'", "title LIKE text", "NOT text LIKE large",
            "starts_with(title, text)", "contains(large, title)", "ends_with(title, large)", "title LIKE left(text, 1) || '%'", "right(title, 2) = 'bc'", "replace(text, 'b', 'a') = 'aaa'", "nvl(i8, 5) = 5", "f64 % 0 > 0",
            "title LIKE 'a' || '%'", "f64 BETWEEN -1.0 AND 0.1", "nanvl(f64, 1.0) = 1.0", "cast('2020-01-01T00:00:00Z' AS timestamp) < at"])

    def function(self):
        name = self.rng.choice(["text", "large", "title"])
        word = self.text()
        number = self.rng.choice(["i8", "i32", "f64", "i16"])
        return self.rng.choice([
            f"lower({name}) = {word}", f"upper({name}) < {word}", f"length({name}) > {self.rng.randint(0, 4)}",
            f"starts_with({name}, {word})", f"ends_with({name}, {word})", f"contains({name}, {word})",
            f"regexp_like({name}, '^[a-b]+')", f"regexp_match({name}, 'b')", f"btrim({name}) = {word}",
            f"{name} LIKE '{self.rng.choice(['a%', '%b%', 'a_c', 'a%c', '_', '%', 'a' + chr(92) + '_c'])}'",
            f"{name} NOT LIKE '%{self.rng.choice('abz')}'", f"{name} ILIKE '{self.rng.choice(['A%', 'är%', '%B'])}'",
            f"coalesce({name}, 'none') <> 'none'", f"coalesce({number}, 0) > 0", f"abs(f64) < 5",
            f"{name} || 'x' = 'ax'", f"concat({name}, 'b') = 'ab'", f"nullif({number}, 1) > 0",
            "round(f64) = 1", f"trunc(f64) < {self.rng.randint(-2, 2)}",
            "sqrt(f64) > 1", f"CAST({number} AS DOUBLE) > 0.5", f"i32::bigint * 2 > {self.rng.randint(-100, 100)}",
            "CAST(i8 AS STRING) = '7'", "is_valid(text)", "-i8 > 5", "-i16 < 0", "octet_length(text) = 2",
            "date_part('year', day) < 1990", "date_part('month', at) = 1", "isnan(f64)", "part['x'] = 1", "array_has(tags, 'a')",
            "NOT array_contains(tags, 'b')",
        ])

    def boolean(self):
        return self.rng.choice(["flag", "flag = true", "flag IS TRUE", "flag IS NOT TRUE", "flag IS FALSE",
                                "flag IS NOT FALSE", "flag IS NULL", "NOT flag", "TRUE", "NULL = flag"])

    def condition(self, depth):
        if depth == 0 or self.rng.random() < 0.3:
            return self.rng.choice([self.comparison] * 5 + [
                self.between_columns, self.calculation, self.function, self.function, self.boolean, self.decimals, self.text_of,
                self.date, self.lists, self.rare])()
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
        f("at_utc") > datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), f("part", "deep", "z") == "x",
        f("clock") > datetime.time(12), f("f64").is_nan(), pc.is_in(f("i8"), pa.array([1, 7], pa.int8())),
        pc.bit_wise_and(f("i32"), 1) == 1, pc.power(f("f64"), 2.0) > 5, f("price") == decimal.Decimal("-1.25"),
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
