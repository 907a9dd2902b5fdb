#include "fewter/lance/roaring_bitmap.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <roaring/roaring.h>

#include "fewter/lance/corruption_internal.h"

namespace fewter::lance {
namespace {

using ::testing::HasSubstr;

/// What CRoaring writes, with containers of runs if `with_runs`.
std::string Serialise(const std::vector<uint32_t>& values, bool with_runs) {
  std::unique_ptr<roaring_bitmap_t, decltype(&roaring_bitmap_free)> bitmap(
      roaring_bitmap_of_ptr(values.size(), values.data()), roaring_bitmap_free);
  if (with_runs) roaring_bitmap_run_optimize(bitmap.get());
  std::string bytes(roaring_bitmap_portable_size_in_bytes(bitmap.get()), '\0');
  roaring_bitmap_portable_serialize(bitmap.get(), bytes.data());
  return bytes;
}

std::vector<uint32_t> Every(uint32_t start, uint32_t stop, uint32_t step) {
  std::vector<uint32_t> values;
  for (uint32_t value = start; value < stop; value += step) values.push_back(value);
  return values;
}

std::vector<std::vector<uint32_t>> Examples() {
  std::vector<std::vector<uint32_t>> examples = {{},
                                                 {0},
                                                 {7, 9},
                                                 {UINT32_MAX},
                                                 {0, 65535, 65536, 131071, UINT32_MAX},
                                                 Every(0, 4096, 1),
                                                 Every(0, 4097, 1),
                                                 Every(0, 70000, 1),
                                                 Every(100, 400000, 3),
                                                 Every(5, 65536 * 5, 65536),
                                                 Every(0, 65536, 1),
                                                 Every(0, 8192, 2),
                                                 Every(0, 8194, 2)};
  // Containers of all three kinds in one bitmap, enough of them for a table of positions.
  std::vector<uint32_t> mixed = Every(0, 65536, 1);
  for (uint32_t value : Every(65536, 131072, 3)) mixed.push_back(value);
  for (uint32_t value : {131072U, 200000U, 300000U, 400000U}) mixed.push_back(value);
  examples.push_back(mixed);
  return examples;
}

TEST(RoaringBitmap, ReadsWhatCRoaringWrites) {
  for (const auto& values : Examples()) {
    for (bool with_runs : {false, true}) {
      auto bytes = ExactBuffer(Serialise(values, with_runs));
      EXPECT_EQ(ParseRoaringBitmap(std::string_view(*bytes), values.size(), "test").ValueOrDie(), values);
    }
  }
}

TEST(RoaringBitmap, NeverMoreValuesThanAllowed) {
  const auto values = Every(0, 1 << 20, 1);
  const std::string bytes = Serialise(values, /*with_runs=*/true);
  ASSERT_LT(bytes.size(), 300U);
  const auto status = ParseRoaringBitmap(bytes, values.size() - 1, "deleted rows").status();
  EXPECT_TRUE(status.IsInvalid());
  EXPECT_THAT(status.message(), HasSubstr("deleted rows: has more values than the 1048575"));
}

TEST(RoaringBitmap, ContentThatContradictsItselfIsRefused) {
  const std::string array = Serialise({1, 2, 3}, false);
  const auto problem = [](const std::string& bytes) {
    return ParseRoaringBitmap(bytes, 1 << 20, "test").status().message();
  };
  EXPECT_THAT(problem(array + "x"), HasSubstr("after the last container"));
  std::string unsorted = array;
  std::swap(unsorted[unsorted.size() - 2], unsorted[unsorted.size() - 4]);
  EXPECT_THAT(problem(unsorted), HasSubstr("out of order"));
  std::string bitmap = Serialise(Every(0, 8194, 2), false);
  bitmap.back() = 1;
  EXPECT_THAT(problem(bitmap), HasSubstr("not hold as many values"));
  std::string keys = Serialise({1, 70000}, false);
  keys[12] = 0;
  EXPECT_THAT(problem(keys), HasSubstr("containers are out of order"));
  std::string runs = Serialise(Every(10, 1000, 1), true);
  runs[runs.size() - 1] = runs[runs.size() - 2] = '\xFF';
  EXPECT_THAT(problem(runs), HasSubstr("runs overlap or are too long"));
  EXPECT_THAT(problem(std::string("\x3a\x30\x00\x00\xff\xff\xff\xff", 8)), HasSubstr("more containers"));
  EXPECT_THAT(problem("????"), HasSubstr("unknown number"));
  EXPECT_THAT(problem(""), HasSubstr("ends too early"));
}

TEST(RoaringBitmap, SurvivesEveryCorruption) {
  for (bool with_runs : {false, true}) {
    auto values = Every(10, 90, 1);
    for (uint32_t value : {70000U, 140000U, 300000U}) values.push_back(value);
    ForEachCorruption(Serialise(values, with_runs), [](const std::shared_ptr<arrow::Buffer>& bytes) {
      auto read = ParseRoaringBitmap(std::string_view(*bytes), 1 << 20, "test");
      if (!read.ok()) return;
      for (size_t i = 1; i < read->size(); ++i) ASSERT_LT((*read)[i - 1], (*read)[i]);
    });
  }
}

/// The numbers of a treemap, or what is wrong with it.
std::string Visit(std::string_view bytes, uint64_t max_values) {
  std::string text;
  const auto status =
      VisitRoaringTreemap(bytes, max_values, "test", [&](uint32_t upper, const std::vector<uint32_t>& lower) {
        for (const uint32_t value : lower) text += std::to_string(upper) + ":" + std::to_string(value) + " ";
        return upper == 99 ? arrow::Status::Invalid("enough") : arrow::Status::OK();
      });
  return status.ok() ? text : status.message();
}

TEST(RoaringTreemap, IsOneBitmapAfterTheOther) {
  const auto number = [](uint64_t value, size_t bytes) {
    return std::string(reinterpret_cast<const char*>(&value), bytes);
  };
  const std::string first = number(3, 4) + Serialise({1, 70000}, false);
  const std::string second = number(7, 4) + Serialise(Every(5, 8, 1), true);
  EXPECT_EQ(Visit(number(2, 8) + first + second, 5), "3:1 3:70000 7:5 7:6 7:7 ");
  EXPECT_EQ(Visit(number(0, 8), 0), "");
  EXPECT_THAT(Visit(number(2, 8) + first + second, 4), HasSubstr("more values than the 2"));
  EXPECT_THAT(Visit(number(2, 8) + second + first, 5), HasSubstr("out of order"));
  EXPECT_THAT(Visit(number(1, 8) + first + second, 5), HasSubstr("after the last bitmap"));
  EXPECT_THAT(Visit(number(3, 8) + first + second, 5), HasSubstr("ends too early"));
  EXPECT_THAT(Visit(number(UINT64_MAX, 8) + first, 5), HasSubstr("ends too early"));
  EXPECT_THAT(Visit("1234567", 5), HasSubstr("too short"));
  EXPECT_EQ(Visit(number(1, 8) + number(99, 4) + Serialise({1}, false), 5), "enough");
}

}  // namespace
}  // namespace fewter::lance
