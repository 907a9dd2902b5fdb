/// The compute functions that Arrow lacks, called as expressions call them.

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/compute/exec.h>
#include <arrow/json/from_string.h>
#include <arrow/scalar.h>

#include <gtest/gtest.h>

#include "fewter/filter/expressions_internal.h"
#include "fewter/filter/functions_internal.h"

namespace fewter {
namespace {

using Types = std::shared_ptr<arrow::DataType>;

std::shared_ptr<arrow::Array> Values(const Types& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

arrow::Result<std::shared_ptr<arrow::Array>> Called(const char* function, const std::vector<arrow::Datum>& arguments) {
  ARROW_RETURN_NOT_OK(EnsureComputeFunctions());
  ARROW_ASSIGN_OR_RAISE(const arrow::Datum result, arrow::compute::CallFunction(function, arguments));
  ARROW_RETURN_NOT_OK(result.make_array()->ValidateFull());
  return result.make_array();
}

void ExpectCalled(const char* function, const std::vector<arrow::Datum>& arguments, const Types& type,
                  const std::string& json) {
  const auto result = Called(function, arguments);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  const auto expected = Values(type, json);
  EXPECT_TRUE((*result)->Equals(*expected)) << (*result)->ToString() << "\nand not\n" << expected->ToString();
}

TEST(TextFunctions, FloatsHaveTheFewestDigitsThatTellThemApart) {
  const auto doubles =
      Values(arrow::float64(), "[1, 0.1, 1e15, 1e16, 1.5e16, 1e-5, 1.25e-6, -0.0, 123.456, null, -Inf, NaN]");
  ExpectCalled(kTextOf, {doubles}, arrow::utf8(),
               R"(["1.0", "0.1", "1000000000000000.0", "1e16", "1.5e16", "0.00001", "1.25e-6", "-0.0", "123.456", null,
                   "-inf", "NaN"])");
  const auto floats = Values(arrow::float32(), "[0.1, 1e-6, 1e-7, 1e12, 1e13, 123456792, 3.4028235e38]");
  ExpectCalled(kTextOf, {floats}, arrow::utf8(),
               R"(["0.1", "0.000001", "1e-7", "1000000000000.0", "1e13", "123456790.0", "3.4028235e38"])");
  ExpectCalled(kTextOf, {doubles->Slice(9, 2)}, arrow::utf8(), R"([null, "-inf"])");
}

TEST(TextFunctions, DecimalsAndTimesAreWrittenAsInLance) {
  const auto decimals = Values(arrow::decimal128(9, 3), R"(["0.001", "-0.001", "12.500", "0.000", "-12.000", null])");
  ExpectCalled(kTextOf, {decimals}, arrow::utf8(), R"(["0.001", "-0.001", "12.500", "0.000", "-12.000", null])");
  const auto micros = arrow::timestamp(arrow::TimeUnit::MICRO);
  const auto instants = Values(micros, "[0, -1, 1500000, 1, 253402300800000000, -62167219200000001]");
  ExpectCalled(kTextOf, {instants}, arrow::utf8(),
               R"(["1970-01-01T00:00:00", "1969-12-31T23:59:59.999999", "1970-01-01T00:00:01.500",
                   "1970-01-01T00:00:00.000001", "+10000-01-01T00:00:00", "-0001-12-31T23:59:59.999999"])");
  const auto farthest = Values(arrow::timestamp(arrow::TimeUnit::NANO), "[-9223372036854775808, 9223372036854775807]");
  ExpectCalled(kTextOf, {farthest}, arrow::utf8(),
               R"(["1677-09-21T00:12:43.145224192", "2262-04-11T23:47:16.854775807"])");
  const auto times = Values(arrow::time64(arrow::TimeUnit::NANO), "[0, 1, 86399999000000]");
  ExpectCalled(kTextOf, {times}, arrow::utf8(), R"(["00:00:00", "00:00:00.000000001", "23:59:59.999"])");
  const auto zoned = Values(arrow::timestamp(arrow::TimeUnit::SECOND, "X"), "[0, 0, 0, null]");
  const auto locals = Values(arrow::timestamp(arrow::TimeUnit::SECOND), "[0, -12600, 7200, null]");
  ExpectCalled(kZonedTextOf, {zoned, locals}, arrow::utf8(),
               R"(["1970-01-01T00:00:00Z", "1969-12-31T20:30:00-03:30", "1970-01-01T02:00:00+02:00", null])");
  EXPECT_FALSE(Called(kTextOf, {zoned}).ok());
  EXPECT_FALSE(Called(kZonedTextOf, {zoned, instants}).ok());
}

TEST(TextMatching, FindsWhatPatternsStandFor) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> matching = {
      {"", {"", "%", "%%"}},
      {"abc", {"abc", "a%", "%c", "%b%", "a_c", "___", "%_%_%_%", "%abc%", "a%b%c", "\\a\\b%"}},
      {"aXbXb", {"a%b", "%X%b", "a%Xb"}},
      {"a%_", {"a\\%\\_", "a%", "a__"}},
      {"äö", {"__", "_ö", "ä%", "%_"}},
      {"\\", {"\\", "\\\\", "_"}}};
  const std::vector<std::pair<const char*, std::vector<const char*>>> others = {
      {"", {"_", "a", "%a"}},
      {"abc", {"ab", "bc", "__", "____", "%b", "b%", "ab%b", "ABC"}},
      {"aXbXc", {"a%b", "%b%b%"}},
      {"ab", {"a\\%", "\\_b", "a_%_"}},
      {"äö", {"_", "___", "____"}}};
  for (const auto& [cases, expected] : {std::pair(matching, true), std::pair(others, false)}) {
    for (const auto& [text, patterns] : cases) {
      for (const char* pattern : patterns) {
        const auto as_text = [](const char* value) {
          return arrow::MakeArrayFromScalar(arrow::LargeStringScalar(value), 1).ValueOrDie();
        };
        const auto result = Called(kTextLike, {as_text(text), as_text(pattern)}).ValueOrDie();
        EXPECT_EQ(static_cast<const arrow::BooleanArray&>(*result).Value(0), expected) << text << " LIKE " << pattern;
      }
    }
  }
  const auto texts = Values(arrow::large_utf8(), R"(["abc", null, "b", "c"])");
  const auto parts = Values(arrow::large_utf8(), R"(["c", "a", null, "cc"])");
  ExpectCalled(kTextContains, {texts, parts}, arrow::boolean(), "[true, null, null, false]");
  ExpectCalled(kTextStartsWith, {texts->Slice(2, 2), texts->Slice(2, 2)}, arrow::boolean(), "[true, true]");
  const auto none = std::make_shared<arrow::LargeStringScalar>();
  ExpectCalled(kTextEndsWith, {texts, arrow::Datum(none)}, arrow::boolean(), "[null, null, null, null]");
}

TEST(DecimalFunctions, KeepTheDigitsThatLanceKeeps) {
  const auto a = Values(arrow::decimal256(9, 2), R"(["1.25", "-3.17", null, "2.00"])");
  const auto b = Values(arrow::decimal256(20, 0), R"(["3", "2", "1", null])");
  ExpectCalled(kDecimalAdd, {a, b}, arrow::decimal256(23, 2), R"(["4.25", "-1.17", null, null])");
  ExpectCalled(kDecimalSubtract, {a, b}, arrow::decimal256(23, 2), R"(["-1.75", "-5.17", null, null])");
  ExpectCalled(kDecimalMultiply, {a, b}, arrow::decimal256(30, 2), R"(["3.75", "-6.34", null, null])");
  ExpectCalled(kDecimalDivide, {a, b}, arrow::decimal256(13, 6), R"(["0.416666", "-1.585000", null, null])");
  ExpectCalled(kDecimalRemainder, {a, b}, arrow::decimal256(9, 2), R"(["1.25", "-1.17", null, null])");
  const auto two = std::make_shared<arrow::Decimal256Scalar>(arrow::Decimal256(2), arrow::decimal256(1, 0));
  ExpectCalled(
      kDecimalRemainder,
      {a->Slice(1, 3), std::make_shared<arrow::Decimal256Scalar>(arrow::Decimal256(2), arrow::decimal256(1, 0))},
      arrow::decimal256(3, 2), R"(["-1.17", null, "0.00"])");
}

TEST(DecimalFunctions, WhatHasNoValueIsAnError) {
  const std::string many(76, '9');
  const auto most = Values(arrow::decimal256(76, 0), "[\"" + many + "\"]");
  const auto one = Values(arrow::decimal256(76, 0), R"(["1"])");
  const auto zero = Values(arrow::decimal256(1, 0), R"(["0"])");
  const auto none = Values(arrow::decimal256(1, 0), "[null]");
  const auto fine = Values(arrow::decimal256(76, 76), "[\"0." + many + "\"]");
  ExpectCalled(kDecimalMultiply, {most, one}, arrow::decimal256(76, 0), "[\"" + many + "\"]");
  ExpectCalled(kDecimalDivide, {most, none}, arrow::decimal256(76, 4), "[null]");
  for (const auto& [function, other] :
       std::vector<std::pair<const char*, std::shared_ptr<arrow::Array>>>{{kDecimalAdd, one},
                                                                          {kDecimalMultiply, most},
                                                                          {kDecimalAdd, fine},
                                                                          {kDecimalDivide, one},
                                                                          {kDecimalDivide, zero},
                                                                          {kDecimalRemainder, zero}}) {
    EXPECT_TRUE(Called(function, {most, other}).status().IsInvalid()) << function << " " << other->ToString();
  }
  const auto large = std::make_shared<arrow::Decimal256Scalar>(arrow::Decimal256(1), arrow::decimal256(9, -20));
  EXPECT_TRUE(Called(kDecimalDivide, {zero, large}).status().IsInvalid());
  // More digits behind the point than there can be.
  EXPECT_FALSE(Called(kDecimalMultiply, {fine, fine}).ok());
}

TEST(TotalOrder, IsThatOfIeee754) {
  const auto doubles = Values(arrow::float64(), "[-Inf, -1.5, -0.0, 0.0, 1e-300, 2, Inf, NaN]");
  const auto order = Called(kTotalOrder, {doubles}).ValueOrDie();
  const auto& places = static_cast<const arrow::Int64Array&>(*order);
  for (int64_t i = 1; i < places.length(); ++i) EXPECT_LT(places.Value(i - 1), places.Value(i)) << i;
  ExpectCalled(kTotalOrder, {Values(arrow::float32(), "[0, null]")}, arrow::int32(), "[0, null]");
}

TEST(ListFunctions, LookForElements) {
  const auto lists = Values(arrow::list(arrow::int64()), "[[1, 2], [], null, [null], [3, null, 1]]");
  const auto scalar = [](const std::string& json) {
    return arrow::Datum(std::make_shared<arrow::ListScalar>(Values(arrow::int64(), json)));
  };
  ExpectCalled(kListHas, {lists, arrow::Datum(int64_t{1})}, arrow::boolean(), "[true, false, null, false, true]");
  ExpectCalled(kListHas, {lists, Values(arrow::int64(), "[2, 1, 1, null, 4]")}, arrow::boolean(),
               "[true, false, null, null, false]");
  ExpectCalled(kListHas, {scalar("[1, 2]"), Values(arrow::int64(), "[2, 3]")}, arrow::boolean(), "[true, false]");
  ExpectCalled(kListHasAny, {lists, scalar("[2, null]")}, arrow::boolean(), "[true, false, null, true, true]");
  ExpectCalled(kListHasAll, {lists, scalar("[1, null]")}, arrow::boolean(), "[false, false, null, false, true]");
  ExpectCalled(kListHasAll, {lists, lists}, arrow::boolean(), "[true, true, null, true, true]");
  ExpectCalled(kListHasAny, {lists->Slice(3, 2), lists->Slice(0, 2)}, arrow::boolean(), "[false, false]");
  const auto pairs = Values(arrow::fixed_size_list(arrow::int64(), 2), "[[1, 2], null, [3, 4]]");
  ExpectCalled(kListHasAny, {pairs->Slice(1, 2), scalar("[4]")}, arrow::boolean(), "[null, true]");
  const auto coded = Values(arrow::list(arrow::dictionary(arrow::int8(), arrow::utf8())), R"([["a"]])");
  EXPECT_TRUE(Called(kListHasAny, {coded, coded}).status().IsNotImplemented());
  EXPECT_FALSE(Called(kListHas, {lists, arrow::Datum("1")}).ok());
  EXPECT_FALSE(Called(kListHas, {arrow::Datum("1"), lists}).ok());
}

TEST(ListFunctions, TakeElements) {
  const auto lists = Values(arrow::list(arrow::utf8()), R"([["a", "b"], [], null, [null, "c"]])");
  const auto at = [&](int64_t place, const std::string& json) {
    ExpectCalled(kListElement, {lists, arrow::Datum(place)}, arrow::utf8(), json);
  };
  at(1, R"(["a", null, null, null])");
  at(-1, R"(["b", null, null, "c"])");
  at(0, "[null, null, null, null]");
  at(3, "[null, null, null, null]");
  at(std::numeric_limits<int64_t>::min(), "[null, null, null, null]");
  ExpectCalled(kListElement, {lists->Slice(2, 2), Values(arrow::int64(), "[1, 2]")}, arrow::utf8(), R"([null, "c"])");
  EXPECT_FALSE(Called(kListElement, {arrow::Datum("a"), arrow::Datum(int64_t{1})}).ok());
}

}  // namespace
}  // namespace fewter
