#include "fewter/lance/encoding/levels_internal.h"

#include <gtest/gtest.h>

#include "fewter/lance/proto/encodings_v2_1.pb.h"

namespace fewter::lance {
namespace {

using pb::v2_1::ALL_VALID_ITEM;
using pb::v2_1::ALL_VALID_LIST;
using pb::v2_1::EMPTYABLE_LIST;
using pb::v2_1::NULL_AND_EMPTY_LIST;
using pb::v2_1::NULLABLE_ITEM;
using pb::v2_1::NULLABLE_LIST;

LevelMeaning Meaning(std::vector<int> layers) {
  return LevelMeaning::FromLayers(layers).ValueOrDie();
}

/// What AppendLists makes of levels, as text; values are their position among all values of the levels.
std::string Lists(const LevelMeaning& meaning, const Levels& levels, uint64_t skip, uint64_t count,
                  uint64_t num_values) {
  ColumnBuilder builder(4, true);
  const auto range = AppendLists(meaning, levels, skip, count, num_values, &builder);
  if (!range.ok()) return range.status().ToString();
  auto* values = reinterpret_cast<uint32_t*>(builder.ExtendValues(range->length).ValueOrDie());
  for (uint64_t i = 0; i < range->length; ++i) values[i] = static_cast<uint32_t>(range->start + i);
  const ValueType type = ParseLogicalType("uint32").ValueOrDie();
  const auto array = builder.Finish(type, arrow::field("item", arrow::uint32())).ValueOrDie();
  std::string text;
  for (const char c : array->ToString()) {
    if (c != ' ' && c != '\n') text += c;
  }
  return text;
}

TEST(LevelsTest, LayersTakeLevelsFromTheItemOutwards) {
  EXPECT_EQ(Meaning({ALL_VALID_ITEM}).max_definition, 0);
  EXPECT_EQ(Meaning({NULLABLE_ITEM}).null_value, 1);
  const LevelMeaning both = Meaning({NULLABLE_ITEM, NULL_AND_EMPTY_LIST});
  EXPECT_TRUE(both.is_list);
  EXPECT_EQ(both.null_value, 1);
  EXPECT_EQ(both.null_list, 2);
  EXPECT_EQ(both.empty_list, 3);
  EXPECT_EQ(both.max_definition, 3);
  EXPECT_EQ(Meaning({ALL_VALID_ITEM, NULLABLE_LIST}).null_list, 1);
  EXPECT_EQ(Meaning({ALL_VALID_ITEM, EMPTYABLE_LIST}).empty_list, 1);
}

TEST(LevelsTest, NullStructsAreOneMoreLevel) {
  const LevelMeaning meaning = Meaning({NULLABLE_ITEM, ALL_VALID_ITEM, NULLABLE_ITEM});
  EXPECT_FALSE(meaning.is_list);
  EXPECT_EQ(meaning.null_value, 1);
  EXPECT_EQ(meaning.max_definition, 2);
  EXPECT_EQ(Meaning({ALL_VALID_ITEM, ALL_VALID_ITEM}).max_definition, 0);
}

TEST(LevelsTest, OtherNestingIsRefused) {
  const std::vector<std::vector<int>> refused = {{},
                                                 {ALL_VALID_LIST},
                                                 {ALL_VALID_ITEM, ALL_VALID_LIST, NULLABLE_ITEM},
                                                 {ALL_VALID_ITEM, ALL_VALID_LIST, ALL_VALID_LIST},
                                                 {0},
                                                 {99},
                                                 {ALL_VALID_ITEM, 99}};
  for (const auto& layers : refused) EXPECT_TRUE(LevelMeaning::FromLayers(layers).status().IsNotImplemented());
}

TEST(LevelsTest, ListsWithoutNulls) {
  const Levels levels{{1, 0, 0, 1, 1, 0}, {}};
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, ALL_VALID_LIST}), levels, 0, 3, 6), "[[0,1,2],[3],[4,5]]");
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, ALL_VALID_LIST}), levels, 1, 1, 6), "[[3]]");
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, ALL_VALID_LIST}), levels, 2, 0, 6), "[]");
}

TEST(LevelsTest, NullAndEmptyListsHaveALevelButNoValue) {
  const Levels levels{{1, 1, 0, 1, 1}, {1, 0, 0, 2, 0}};
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, NULL_AND_EMPTY_LIST}), levels, 0, 4, 3), "[null,[0,1],[],[2]]");
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, NULL_AND_EMPTY_LIST}), levels, 2, 2, 3), "[[],[2]]");
}

TEST(LevelsTest, NullItemsHaveAValue) {
  const Levels levels{{1, 0, 1, 1}, {0, 1, 2, 1}};
  EXPECT_EQ(Lists(Meaning({NULLABLE_ITEM, EMPTYABLE_LIST}), levels, 0, 3, 3), "[[0,null],[],[null]]");
}

TEST(LevelsTest, TheRestOfAnEarlierRowIsLeftOut) {
  const Levels levels{{0, 0, 1, 0, 1}, {}};
  EXPECT_EQ(Lists(Meaning({ALL_VALID_ITEM, ALL_VALID_LIST}), levels, 0, 2, 5), "[[2,3],[4]]");
}

TEST(LevelsTest, MalformedLevelsAreRefused) {
  const LevelMeaning plain = Meaning({ALL_VALID_ITEM, ALL_VALID_LIST});
  const LevelMeaning empties = Meaning({ALL_VALID_ITEM, EMPTYABLE_LIST});
  const auto refused = [](const std::string& text) { return text.starts_with("Invalid"); };
  EXPECT_TRUE(refused(Lists(plain, {{1, 2}, {}}, 0, 1, 2)));
  EXPECT_TRUE(refused(Lists(plain, {{1, 0}, {}}, 0, 2, 2)));
  EXPECT_TRUE(refused(Lists(plain, {{1, 0}, {}}, 0, 1, 3)));
  EXPECT_TRUE(refused(Lists(plain, {{1, 0}, {0}}, 0, 1, 2)));
  EXPECT_TRUE(refused(Lists(empties, {{1, 1}, {0, 2}}, 0, 2, 2)));
  // An empty list neither goes on nor lies inside another.
  EXPECT_TRUE(refused(Lists(empties, {{1, 0}, {1, 0}}, 0, 1, 1)));
  EXPECT_TRUE(refused(Lists(empties, {{1, 0}, {0, 1}}, 0, 1, 1)));
}

}  // namespace
}  // namespace fewter::lance
