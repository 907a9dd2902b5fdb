#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/json/from_string.h>
#include <arrow/util/bit_util.h>

#include <gtest/gtest.h>

#include "fewter/filter/bound_filter.h"
#include "fewter/filter/filter.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

std::shared_ptr<arrow::RecordBatch> Rows() {
  const auto schema = arrow::schema({
      arrow::field("n", arrow::int32()),
      arrow::field("Name", arrow::utf8()),
      arrow::field("name", arrow::utf8()),
      arrow::field("Other", arrow::int8()),
      arrow::field("two words", arrow::int64()),
      arrow::field("x", arrow::float64()),
      arrow::field("flag", arrow::boolean()),
      arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO)),
      arrow::field("s", arrow::struct_({arrow::field("a", arrow::int64()), arrow::field("B c", arrow::utf8())})),
      arrow::field("bytes", arrow::binary()),
      arrow::field("list", arrow::list(arrow::int64())),
      arrow::field("price", arrow::decimal128(9, 2)),
      arrow::field("u", arrow::uint64()),
      arrow::field("oslo", arrow::timestamp(arrow::TimeUnit::MILLI, "Europe/Oslo")),
      arrow::field("a_name_that_is_longer_than_the_sixty_three_bytes_which_postgresql_has_for_one", arrow::int8()),
  });
  const auto json = R"([
    [1, "A", "it's", 5, 10, 0.5, true, "2020-01-01 00:00:00", [1, "p"], "ab", [1, 2], "1.25", 1, "2020-07-01 00:00:00", 1],
    [2, "b%c", "a\"b", 6, 20, null, false, "1969-12-31 23:59:59", [null, "q"], "", [], "-0.50", 18446744073709551615, "2020-01-01 00:00:00", 2],
    [null, null, null, null, null, null, null, null, null, null, null, null, null, null, null],
    [-3, "B_C", "é`e", 7, 30, 1e300, true, "2021-06-01 12:00:00", [3, null], "b", [null, 5], "7.00", 9, null, 3]])";
  const auto structs = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json).ValueOrDie();
  return arrow::RecordBatch::FromStructArray(structs).ValueOrDie();
}

/// The numbers of the rows that it takes.
arrow::Result<std::vector<int64_t>> Taken(const std::string& condition) {
  const auto rows = Rows();
  ARROW_ASSIGN_OR_RAISE(const auto filter, ParseFilter(condition));
  ARROW_ASSIGN_OR_RAISE(const auto bound, BoundFilter::Make(*filter, *rows->schema()));
  ARROW_ASSIGN_OR_RAISE(const auto columns, rows->SelectColumns([&] {
    std::vector<int> places;
    for (const auto& column : bound.columns()->fields())
      places.push_back(rows->schema()->GetFieldIndex(column->name()));
    return places;
  }()));
  ARROW_ASSIGN_OR_RAISE(const auto bits, bound.Evaluate(*columns));
  std::vector<int64_t> taken;
  for (int64_t i = 0; i < rows->num_rows(); ++i) {
    if (arrow::bit_util::GetBit(bits->data(), i)) taken.push_back(i);
  }
  return taken;
}

using Numbers = std::vector<int64_t>;

TEST(SqlFilter, TakesRowsForWhichItIsTrue) {
  const std::vector<std::pair<const char*, Numbers>> cases = {
      {"n = 1", {0}},
      {"n <> 1", {1, 3}},
      {"n != 1", {1, 3}},
      {"n == 1", {0}},
      {"NOT n = 1", {1, 3}},
      {"n > -3", {0, 1}},
      {"n = - 3", {3}},
      {"n = -(3)", {3}},
      {"n = 0 - 3", {3}},
      {"n IN (-3, 2, 9)", {1, 3}},
      {"n NOT IN (-3)", {0, 1}},
      {"n NOT IN (-3, NULL)", {}},
      {"n IN (1, NULL)", {0}},
      {"n IN (Other - 4, 2)", {0, 1}},
      {"n BETWEEN 1 AND 2", {0, 1}},
      {"n NOT BETWEEN 1 AND 2", {3}},
      {"n IS NULL", {2}},
      {"n IS NOT NULL AND NOT flag", {1}},
      {"flag", {0, 3}},
      {"flag IS NOT TRUE", {1, 2}},
      {"flag IS NOT FALSE", {0, 2, 3}},
      {"flag IS UNKNOWN", {2}},
      {"flag OR NULL", {0, 3}},
      {"flag AND NULL", {}},
      {"NULL = n", {}},
      {"true", {0, 1, 2, 3}},
      {"n < 1.5", {0, 3}},
      {"n > 3000000000", {}},
      {"n < 18446744073709551615", {0, 1, 3}},
      {"x > 1e299", {3}},
      {"n + 1 = 3 -- a comment", {1}},
      {"n / 2 = -1", {3}},
      {"n % 2 = -1", {3}},
      {"-n = 3", {3}},
      {"CAST(x AS INT) = 0", {0}},
      {"x::bigint = 0", {0}},
      {"CAST(n AS string) = '-3'", {3}},
      {"at >= timestamp '2020-01-01 00:00:00'", {0, 3}},
      {"at < date '1970-01-01'", {1}},
      {"at = '2021-06-01T12:00:00'", {3}},
      {"bytes = X'6162'", {0}},
      {"bytes = x'62'", {3}},
      {"coalesce(n, 7) = 7", {2}},
      {"round(x) = 1", {0}},
      {"abs(n) = 3", {3}},
      {"a_name_that_is_longer_than_the_sixty_three_bytes_which_postgresql_has_for_one = 2", {1}},
  };
  for (const auto& [condition, expected] : cases) {
    const auto taken = Taken(condition);
    ASSERT_TRUE(taken.ok()) << condition << ": " << taken.status().ToString();
    EXPECT_EQ(*taken, expected) << condition;
  }
}

TEST(SqlFilter, ListsDecimalsTimesAndTexts) {
  const std::vector<std::pair<const char*, Numbers>> cases = {
      {"list[1] = 1", {0}},
      {"list[-1] = 5", {3}},
      {"list[n] IS NULL", {1, 2, 3}},
      {"array_has(list, n)", {0}},
      {"array_has_any(list, [5, 2])", {0, 3}},
      {"array_has_any(list, ARRAY[NULL])", {3}},
      {"NOT array_has_all(list, make_array(1))", {1, 3}},
      {"array_has([1, -3], n)", {0, 3}},
      {"array_length(list) = 2", {0, 3}},
      {"empty(list)", {1}},
      {"price * price * price > 1", {0, 3}},
      {"price / 3 = 0.416666", {0}},
      {"price % 1 = 0", {3}},
      {"round(price) = -1", {1}},
      {"CAST(price AS decimal(3, 1)) = 1.3", {0}},
      {"u + 1 > u", {0, 1, 3}},
      {"u * n = -27", {3}},
      {"u / 2 = 4.5", {3}},
      {"oslo = timestamp '2020-07-01 02:00:00'", {0}},
      {"oslo = timestamp '2020-01-01 00:00:00Z'", {}},
      {"oslo > at", {0, 1}},
      {"date_part('hour', oslo) = 1", {1}},
      {"extract(dow from at) = 3", {0, 1}},
      {"date_part('MILLISECONDS', at) = 59000", {1}},
      {"date_part('epoch', at) = -1", {1}},
      {"date_trunc('year', at) = timestamp '2021-01-01'", {3}},
      {"CAST(x AS string) = '1e300'", {3}},
      {"CAST(at AS string) = '2020-01-01T00:00:00'", {0}},
      {"CAST(oslo AS string) LIKE '%+02:00'", {0}},
      {"n || ':' || price = '-3:7.00'", {3}},
      {"concat(flag, n) = 'true1'", {0}},
      {"x IS DISTINCT FROM 0.5", {1, 2, 3}},
      {"x IS NOT DISTINCT FROM NULL", {1, 2}},
      {"x < CAST('NaN' AS double)", {0, 3}},
      {"CAST('NaN' AS double) = CAST('NaN' AS double)", {0, 1, 2, 3}},
      {"s['a'] = 3 AND get_field(s, 'a') = 3", {3}},
      {"left(name, 1) = 'i' AND right(name, 2) = '''s'", {0}},
      {"Name LIKE 'b' || '%'", {1}},
  };
  for (const auto& [condition, expected] : cases) {
    const auto taken = Taken(condition);
    ASSERT_TRUE(taken.ok()) << condition << ": " << taken.status().ToString();
    EXPECT_EQ(*taken, expected) << condition;
  }
}

TEST(SqlFilter, NamesAndStringsAreWrittenAsInLance) {
  const std::vector<std::pair<const char*, Numbers>> cases = {
      {"Name = 'A'", {0}},
      {"name = 'it''s'", {0}},
      {"name = \"it's\"", {0}},
      {"name = 'a\"b'", {1}},
      {"name = \"a\"\"b\"", {1}},
      {"name = 'é`e'", {3}},
      {"`Name` = 'A'", {0}},
      {"OTHER = 6", {1}},
      {"`two words` > 10", {1, 3}},
      {"s.a = 3", {3}},
      {"s . a = 3", {3}},
      {"S.a = 3", {3}},
      {"s.`B c` = 'p'", {0}},
      {"s['a'] = 1", {0}},
      {"s IS NULL", {2}},
      {"s.a IS NULL", {1, 2}},
      {"\"Name\" = 'Name'", {0, 1, 2, 3}},
  };
  for (const auto& [condition, expected] : cases) {
    const auto taken = Taken(condition);
    ASSERT_TRUE(taken.ok()) << condition << ": " << taken.status().ToString();
    EXPECT_EQ(*taken, expected) << condition;
  }
  for (const char* condition : {"`OTHER` = 6", "s.A = 3", "`s.a` = 3", "s.a.b = 1", "n.a = 1", "Nam = 'A'"}) {
    EXPECT_TRUE(Taken(condition).status().IsKeyError()) << condition << ": " << Taken(condition).status().ToString();
  }
}

TEST(SqlFilter, MatchesPatterns) {
  const std::vector<std::pair<const char*, Numbers>> cases = {
      {"Name LIKE 'b%'", {1}},
      {"Name ILIKE 'b%'", {1, 3}},
      {"Name ILIKE 'b\\_c'", {3}},
      {"Name LIKE 'b!%c' ESCAPE '!'", {1}},
      {"Name LIKE 'B_C'", {3}},
      {"Name NOT LIKE '%c'", {0, 3}},
      {"name LIKE '_`_'", {3}},
      {"Name LIKE NULL", {}},
      {"starts_with(Name, 'b')", {1}},
      {"ends_with(lower(Name), 'c')", {1, 3}},
      {"contains(name, '`')", {3}},
      {"regexp_like(Name, '^[AB]')", {0, 3}},
      {"regexp_match(Name, '%') IS NOT NULL", {1}},
      {"regexp_match(Name, '%') IS NULL", {0, 2, 3}},
      {"flag OR regexp_match(Name, '%')", {0, 1, 3}},
      {"NOT regexp_match(Name, '%')", {0, 2, 3}},
      {"length(name) = 3 AND octet_length(name) > 3", {3}},
      {"Name || name = 'Ait''s'", {0}},
      {"Name LIKE Name", {0, 1, 3}},
      {"name LIKE left(name, 1) || '%'", {0, 1, 3}},
      {"Name LIKE '%' || lower(right(Name, 1))", {1}},
      {"Name ILIKE '%' || lower(right(Name, 1))", {0, 1, 3}},
      {"contains(Name, right(name, 1))", {1}},
      {"starts_with(name, left(name, 2)) AND ends_with('xyz' || Name, Name)", {0, 1, 3}},
  };
  for (const auto& [condition, expected] : cases) {
    const auto taken = Taken(condition);
    ASSERT_TRUE(taken.ok()) << condition << ": " << taken.status().ToString();
    EXPECT_EQ(*taken, expected) << condition;
  }
}

TEST(SqlFilter, WhatIsRefusedIsNamedWithItsPlace) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"n =", "character 4: syntax error"},
      {"", "syntax error"},
      {"n = 1; DROP TABLE x", "not one condition"},
      {"n = 1 LIMIT 3", "not one condition"},
      {"true UNION SELECT 1", "not one condition"},
      {"n = 1 ORDER BY n", "not one condition"},
      {"order = 1", "backticks"},
      {"name = 'é' AND CASE WHEN flag THEN true END", "character 16: CASE is not supported"},
      {"n IN (SELECT 1)", "a query"},
      {"EXISTS (SELECT 1)", "a query"},
      {"n = ANY(ARRAY[1])", "ANY"},
      {"n & 1 = 1", "character 3: the operator & is not supported"},
      {"nosuch(n)", "character 1: the function nosuch is not supported"},
      {"flag AND lower(n) = 'a'", "character 10: the function lower: it takes a string, and this is int32"},
      {"lower(name, 'a') = 'a'", "does not take 2 arguments"},
      {"count(*) = 1", "one row"},
      {"CAST(n AS uuid) = 1", "the type uuid is not supported"},
      {"date '2020-13-77' < at", "2020-13-77"},
      {"n = 'x'", "character 3: 'x' is no int32"},
      {"'x' > x", "character 5: 'x' is no double"},
      {"x IN (1, 'abc')", "'abc' is no double"},
      {"price BETWEEN 1 AND '1,5'", "'1,5' is no decimal128(9, 2)"},
      {"at > '2024-99-01'", "character 4: '2024-99-01' is no timestamp[us]"},
      {"flag = 'perhaps'", "'perhaps' is no bool"},
      {"'1' = 1", "not comparable"},
      {"user = 3", "character 1: the keyword user is not supported; a column of that name is written `user`"},
      {"n = 1 OR at > CURRENT_TIMESTAMP(3)", "character 15: the keyword CURRENT_TIMESTAMP is not supported"},
      {"Name = 1", "not comparable"},
      {"at = 3", "not comparable"},
      {"s = 1", "not comparable"},
      {"NOT n", "NOT of int32"},
      {"n AND flag", "AND of int32"},
      {"n", "true or false"},
      {"Name LIKE name ESCAPE '!'", "literal string"},
      {"regexp_like(Name, name)", "literal string"},
      {"Name = E'\\n'", "a string is one text"},
      {"Name = $$x$$", "a string is one text"},
      {"n = $1", "a parameter"},
      {"n = b'101'", "this literal"},
      {"n || n = '11'", "|| joins texts, and these are int32 and int32"},
      {"array_has_any(list, [n])", "must be literals"},
      {"array_has(list, 'a')", "elements of int64 and string are not comparable"},
      {"list = [1, 2]", "not comparable"},
      {"date_part('decade', at) = 1", "the part 'decade'"},
      {"date_part('year', n) = 1", "it takes a date"},
      {"regexp_match(Name, 'a') = true", "not comparable"},
      {"n[1] = 1", "it takes a list, and this is int32"},
      {"n IN [1, 2]", "character 6: syntax error at or near \"[\""},
      {"array_has([1, 2], n) AND name = 'é' AND nosuch(x)", "character 41: the function nosuch"},
  };
  for (const auto& [condition, part] : cases) {
    const auto status = Taken(condition).status();
    EXPECT_TRUE(IsArgumentError(status)) << condition << ": " << status.ToString();
    EXPECT_NE(status.message().find(part), std::string::npos) << condition << ": " << status.ToString();
  }
}

TEST(SqlFilter, SyntaxErrorsQuoteTheTextAsItWasWritten) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"name = \"é x", "filter, character 8: unterminated quoted string at or near '\"é x'"},
      {"name = 'x", "filter, character 8: unterminated quoted string at or near \"'x\""},
      {"n IN [1] AND `two w", "filter, character 6: syntax error at or near \"[\""},
      {"array_has([1], n) AND `two w", "filter, character 23: unterminated quoted identifier at or near \"`two w\""},
      {"n = 1é", "filter, character 5: trailing junk after numeric literal at or near \"1é\""},
      {"n = 1 \"a 'b\"", "filter, character 7: syntax error at or near '\"a 'b\"'"},
  };
  for (const auto& [condition, message] : cases) {
    const auto status = Taken(condition).status();
    EXPECT_TRUE(status.message().starts_with(message)) << condition << ": " << status.ToString();
    const bool names_backticks = status.message().find("backticks") != std::string::npos;
    EXPECT_EQ(names_backticks, status.message().find("unterminated") == std::string::npos) << status.ToString();
  }
}

TEST(SqlFilter, AColumnThatThereIsNotIsNamedWithWhatMayBeMeant) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"Name = abc", "the dataset has no column 'abc' (texts stand in single quotes)"},
      {"pirce > 1", "the dataset has no column 'pirce'; did you mean 'price'? (texts stand in single quotes)"},
      {"`OTHER` = 6", "the dataset has no column 'OTHER'; did you mean 'Other'?"},
      {"`s.a` = 3", "the dataset has no column 's.a'"},
      {"no.a = 3", "the dataset has no column 'no'; did you mean 'n'?"},
      {"s.`b c` = 'p'", "'s' has no field 'b c'; did you mean 'B c'?"},
  };
  for (const auto& [condition, message] : cases) EXPECT_EQ(Taken(condition).status().message(), message) << condition;
}

TEST(SqlFilter, WhatIsTooMuchIsRefused) {
  const auto repeated = [](const std::string& text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  EXPECT_TRUE(IsArgumentError(Taken("n = 1" + repeated("+1", 200'000)).status()));
  EXPECT_TRUE(IsArgumentError(Taken("n = 1" + repeated("+1", 3'000)).status()));
  EXPECT_TRUE(IsArgumentError(Taken(repeated("(", 200'000)).status()));
  EXPECT_TRUE(IsArgumentError(Taken(repeated("NOT ", 3'000) + "flag").status()));
  EXPECT_TRUE(IsArgumentError(Taken("flag" + repeated(" IS TRUE", 4'000)).status()));
  EXPECT_TRUE(IsArgumentError(Taken(std::string("n = 1\0 OR true", 14)).status()));
  EXPECT_TRUE(IsArgumentError(Taken("Name = '\xff\xfe'").status()));
  // Not too much.
  EXPECT_EQ(Taken("n = 7" + repeated(" OR n = 1", 3'000)).ValueOrDie(), Numbers{0});
  EXPECT_EQ(Taken("n IN (7" + repeated(", -3", 100'000) + ")").ValueOrDie(), Numbers{3});
  EXPECT_EQ(Taken(repeated("(", 300) + "n = 1" + repeated(")", 300)).ValueOrDie(), Numbers{0});
}

}  // namespace
}  // namespace fewter
