#include "fewter/cli/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/type.h>

namespace fewter::cli {

namespace {

/// Every value of an array that is given as Arrow's own JSON, a space between them.
std::string Written(const std::shared_ptr<arrow::DataType>& type, const std::string& values,
                    size_t limit = std::numeric_limits<size_t>::max()) {
  const auto array = arrow::json::ArrayFromJSONString(type, values).ValueOrDie();
  std::string text;
  for (int64_t i = 0; i < array->length(); ++i) {
    if (i > 0) text += ' ';
    EXPECT_TRUE(AppendJsonValue(*array, i, &text, limit).ok());
  }
  return text;
}

TEST(JsonTextTest, NumbersAreExact) {
  EXPECT_EQ(Written(arrow::int64(), "[-9223372036854775808, 9007199254740993, null]"),
            "-9223372036854775808 9007199254740993 null");
  EXPECT_EQ(Written(arrow::uint64(), "[18446744073709551615]"), "18446744073709551615");
  EXPECT_EQ(Written(arrow::int8(), "[-128]"), "-128");
  EXPECT_EQ(Written(arrow::float32(), "[0, 0.1, 1e20, 16777216]"), "0.0 0.1 1e+20 16777216.0");
  EXPECT_EQ(Written(arrow::float64(), "[0.1, -0.0, 1e-7]"), "0.1 -0.0 1e-07");
  EXPECT_EQ(Written(arrow::float16(), "[1.5]"), "1.5");
  EXPECT_EQ(Written(arrow::boolean(), "[true, false]"), "true false");
  EXPECT_EQ(Written(arrow::decimal128(10, 2), R"(["1.50", "-0.01"])"), R"("1.50" "-0.01")");
  EXPECT_EQ(Written(arrow::duration(arrow::TimeUnit::MILLI), "[-1500]"), "-1500");
}

TEST(JsonTextTest, WhatIsNoNumber) {
  std::string text;
  for (const float value : {INFINITY, -INFINITY, NAN}) {
    AppendJsonNumber(value, &text);
    text += ' ';
  }
  EXPECT_EQ(text, "1e999 -1e999 null ");
}

TEST(JsonTextTest, Times) {
  EXPECT_EQ(Written(arrow::date32(), "[0, -1, 11016, 19782, -719162, -719529, 2932897]"),
            R"("1970-01-01" "1969-12-31" "2000-02-29" "2024-02-29" "0001-01-01" "-0001-12-31" "+10000-01-01")");
  EXPECT_EQ(Written(arrow::date64(), "[-86400000]"), R"("1969-12-31")");
  EXPECT_EQ(Written(arrow::time32(arrow::TimeUnit::SECOND), "[86399]"), R"("23:59:59")");
  EXPECT_EQ(Written(arrow::time64(arrow::TimeUnit::NANO), "[1]"), R"("00:00:00.000000001")");
  EXPECT_EQ(Written(arrow::timestamp(arrow::TimeUnit::MILLI), "[-1, 1582934400000]"),
            R"("1969-12-31T23:59:59.999" "2020-02-29T00:00:00.000")");
  EXPECT_EQ(Written(arrow::timestamp(arrow::TimeUnit::SECOND, "+01:30"), "[0]"), R"("1970-01-01T00:00:00Z")");
  EXPECT_EQ(Written(arrow::timestamp(arrow::TimeUnit::NANO), "[-9223372036854775808]"),
            R"("1677-09-21T00:12:43.145224192")");
  // Whatever bytes there are, this ends.
  EXPECT_FALSE(Written(arrow::timestamp(arrow::TimeUnit::SECOND), "[-9223372036854775808]").empty());
}

TEST(JsonTextTest, TextAndBytes) {
  EXPECT_EQ(Written(arrow::utf8(), R"(["a\"b\\\n", "ä€𝄞", ""])"), R"("a\"b\\\n" "ä€𝄞" "")");
  EXPECT_EQ(Written(arrow::large_utf8(), R"(["a"])"), R"("a")");
  EXPECT_EQ(Written(arrow::binary(), R"(["abc"])"), R"("YWJj")");
  EXPECT_EQ(Written(arrow::fixed_size_binary(2), R"(["ab"])"), R"("YWI=")");
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.Append("a\xff").ok());
  std::string text;
  ASSERT_TRUE(AppendJsonValue(*builder.Finish().ValueOrDie(), 0, &text).ok());
  EXPECT_EQ(text, "\"a\xef\xbf\xbd\"");
}

TEST(JsonTextTest, NestedValues) {
  EXPECT_EQ(Written(arrow::list(arrow::int32()), "[[1, null], [], null]"), "[1,null] [] null");
  EXPECT_EQ(Written(arrow::fixed_size_list(arrow::float32(), 2), "[[1, 2], [3, 4]]"), "[1.0,2.0] [3.0,4.0]");
  EXPECT_EQ(Written(arrow::struct_({arrow::field("a", arrow::int32()), arrow::field("b\"", arrow::utf8())}),
                    R"([{"a": 1, "b\"": "x"}, null])"),
            R"({"a":1,"b\"":"x"} null)");
  EXPECT_EQ(Written(arrow::map(arrow::utf8(), arrow::int32()), R"([[["k", 1], ["l", null]]])"),
            R"([{"key":"k","value":1},{"key":"l","value":null}])");
  EXPECT_EQ(Written(arrow::dictionary(arrow::int8(), arrow::utf8()), R"(["x", null, "y"])"), R"("x" null "y")");
  EXPECT_EQ(Written(arrow::null(), "[null]"), "null");
}

TEST(JsonTextTest, ForPeopleOnlyTheBeginning) {
  EXPECT_EQ(Written(arrow::list(arrow::int32()), "[[1, 2, 3, 4, 5, 6]]", 4), "[1,2,…");
  EXPECT_EQ(Written(arrow::utf8(), R"(["abcdef"])", 3), "\"abc\"…");
}

TEST(JsonTextTest, ARowOfSlicedColumns) {
  const auto numbers = arrow::json::ArrayFromJSONString(arrow::int32(), "[1, 2, 3]").ValueOrDie();
  const auto lists = arrow::json::ArrayFromJSONString(arrow::list(arrow::utf8()), R"([["a"], [], ["b", "c"]])");
  const auto batch = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("n", arrow::int32()), arrow::field("l", arrow::list(arrow::utf8()))}), 3,
      {numbers, lists.ValueOrDie()});
  std::string text;
  ASSERT_TRUE(AppendJsonMembers(*batch->Slice(1), 1, &text).ok());
  EXPECT_EQ(text, R"("n":3,"l":["b","c"])");
}

}  // namespace

}  // namespace fewter::cli
