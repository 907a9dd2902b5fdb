#include "fewter/lance/encoding/levels_internal.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>

#include "fewter/lance/proto/encodings_v2_1.pb.h"

namespace fewter::lance {
namespace {

using pb::v2_1::ALL_VALID_ITEM;
using pb::v2_1::ALL_VALID_LIST;
using pb::v2_1::EMPTYABLE_LIST;
using pb::v2_1::NULL_AND_EMPTY_LIST;
using pb::v2_1::NULLABLE_ITEM;
using pb::v2_1::NULLABLE_LIST;

std::vector<bool> ListsOf(const std::vector<int>& layers) {
  std::vector<bool> lists;
  for (const int layer : layers) lists.push_back(layer != ALL_VALID_ITEM && layer != NULLABLE_ITEM);
  return lists;
}

LevelMeaning Meaning(const std::vector<int>& layers) {
  return LevelMeaning::FromLayers(layers, ListsOf(layers), std::vector<uint64_t>(layers.size(), 1)).ValueOrDie();
}

/// A value without the names of types.
std::string Text(const arrow::Scalar& scalar) {
  if (!scalar.is_valid) return "null";
  std::string text;
  if (const auto* list = dynamic_cast<const arrow::BaseListScalar*>(&scalar)) {
    for (int64_t i = 0; i < list->value->length(); ++i) {
      if (i > 0) text += ",";
      text += Text(*list->value->GetScalar(i).ValueOrDie());
    }
    text.insert(text.begin(), '[');
    text += ']';
    return text;
  }
  if (const auto* row = dynamic_cast<const arrow::StructScalar*>(&scalar)) {
    text = Text(*row->value[0]);
    text.insert(text.begin(), '{');
    text += '}';
    return text;
  }
  return scalar.ToString();
}

/// What AppendLists makes of levels of these layers, as text; values are their position among all values of the levels.
std::string Lists(const std::vector<int>& layers, const Levels& levels, uint64_t skip, uint64_t count,
                  uint64_t num_values) {
  ColumnBuilder builder(ParseLogicalType("uint32").ValueOrDie(), ListsOf(layers));
  const auto ranges = AppendLists(Meaning(layers), levels, std::vector<RowRange>{{skip, count}}, num_values, &builder);
  if (!ranges.ok()) return ranges.status().ToString();
  const ValueRange* range = &ranges->front();
  auto* values = reinterpret_cast<uint32_t*>(builder.ExtendValues(range->length).ValueOrDie());
  for (uint64_t i = 0; i < range->length; ++i) values[i] = static_cast<uint32_t>(range->start + i);
  auto data = builder.FinishValues().ValueOrDie()->data();
  for (size_t i = 1; i < layers.size(); ++i) {
    LayerBuilder& layer = builder.layers()[i];
    const auto length = static_cast<int64_t>(layer.length());
    if (layer.is_list()) {
      data = arrow::ArrayData::Make(arrow::list(data->type), length,
                                    {layer.validity().Finish(), layer.FinishOffsets(false).ValueOrDie()}, {data});
    } else {
      data = arrow::ArrayData::Make(arrow::struct_({arrow::field("f", data->type)}), length,
                                    {layer.validity().Finish()}, {data});
    }
  }
  const auto array = arrow::MakeArray(data);
  EXPECT_TRUE(array->ValidateFull().ok()) << array->ValidateFull().ToString();
  return Text(arrow::ListScalar(array));
}

TEST(LevelsTest, LayersTakeLevelsFromTheItemOutwards) {
  EXPECT_EQ(Meaning({ALL_VALID_ITEM}).max_definition(), 0);
  EXPECT_EQ(Meaning({NULLABLE_ITEM}).max_definition(), 1);
  EXPECT_FALSE(Meaning({NULLABLE_ITEM}).has_lists());
  const LevelMeaning both = Meaning({NULLABLE_ITEM, NULL_AND_EMPTY_LIST, ALL_VALID_ITEM});
  EXPECT_TRUE(both.has_lists());
  EXPECT_EQ(both.max_repetition(), 1);
  EXPECT_EQ(both.max_definition(), 3);
  EXPECT_TRUE(both.HasValue(1));
  EXPECT_FALSE(both.HasValue(2));
  EXPECT_EQ(Meaning({ALL_VALID_ITEM, NULLABLE_LIST}).max_definition(), 1);
  EXPECT_EQ(Meaning({ALL_VALID_ITEM, EMPTYABLE_LIST, ALL_VALID_LIST}).max_repetition(), 2);
}

TEST(LevelsTest, LayersMustBeThoseOfTheColumn) {
  const auto with = [](std::vector<int> layers, const std::vector<bool>& lists) {
    return LevelMeaning::FromLayers(layers, lists, std::vector<uint64_t>(lists.size(), 1)).status();
  };
  EXPECT_TRUE(with({}, {false}).IsInvalid());
  EXPECT_TRUE(with({ALL_VALID_LIST}, {false}).IsInvalid());
  EXPECT_TRUE(with({ALL_VALID_ITEM, NULLABLE_ITEM}, {false, true}).IsInvalid());
  EXPECT_TRUE(with({ALL_VALID_ITEM, NULLABLE_ITEM}, {false}).IsInvalid());
  EXPECT_TRUE(with({ALL_VALID_ITEM, 99}, {false, true}).IsNotImplemented());
}

TEST(LevelsTest, ListsWithoutNulls) {
  const Levels levels{{1, 0, 0, 1, 1, 0}, {}};
  EXPECT_EQ(Lists({ALL_VALID_ITEM, ALL_VALID_LIST}, levels, 0, 3, 6), "[[0,1,2],[3],[4,5]]");
  EXPECT_EQ(Lists({ALL_VALID_ITEM, ALL_VALID_LIST}, levels, 1, 1, 6), "[[3]]");
  EXPECT_EQ(Lists({ALL_VALID_ITEM, ALL_VALID_LIST}, levels, 2, 0, 6), "[]");
}

TEST(LevelsTest, NullAndEmptyListsHaveALevelButNoValue) {
  const Levels levels{{1, 1, 0, 1, 1}, {1, 0, 0, 2, 0}};
  EXPECT_EQ(Lists({ALL_VALID_ITEM, NULL_AND_EMPTY_LIST}, levels, 0, 4, 3), "[null,[0,1],[],[2]]");
  EXPECT_EQ(Lists({ALL_VALID_ITEM, NULL_AND_EMPTY_LIST}, levels, 2, 2, 3), "[[],[2]]");
}

TEST(LevelsTest, NullItemsHaveAValue) {
  const Levels levels{{1, 0, 1, 1}, {0, 1, 2, 1}};
  EXPECT_EQ(Lists({NULLABLE_ITEM, EMPTYABLE_LIST}, levels, 0, 3, 3), "[[0,null],[],[null]]");
}

TEST(LevelsTest, TheRestOfAnEarlierRowIsLeftOut) {
  const Levels levels{{0, 0, 1, 0, 1}, {}};
  EXPECT_EQ(Lists({ALL_VALID_ITEM, ALL_VALID_LIST}, levels, 0, 2, 5), "[[2,3],[4]]");
}

TEST(LevelsTest, ListsOfLists) {
  // [[0, 1], [], [2]], null, [], [null, [3]]
  const Levels levels{{2, 0, 1, 1, 2, 2, 2, 1}, {0, 0, 2, 0, 3, 4, 1, 0}};
  const std::vector<int> layers = {ALL_VALID_ITEM, NULL_AND_EMPTY_LIST, NULL_AND_EMPTY_LIST};
  EXPECT_EQ(Lists(layers, levels, 0, 4, 4), "[[[0,1],[],[2]],null,[],[null,[3]]]");
  EXPECT_EQ(Lists(layers, levels, 1, 2, 4), "[null,[]]");
  EXPECT_EQ(Lists(layers, levels, 3, 1, 4), "[[null,[3]]]");
}

TEST(LevelsTest, StructsAroundAndInsideLists) {
  // Structs of one field f, in lists that are the field of a struct: a null struct has a null list.
  const std::vector<int> layers = {NULLABLE_ITEM, NULLABLE_ITEM, NULL_AND_EMPTY_LIST, NULLABLE_ITEM};
  const Levels levels{{1, 0, 0, 1, 1, 1}, {0, 1, 2, 3, 4, 5}};
  EXPECT_EQ(Lists(layers, levels, 0, 4, 3), "[{[{0},{null},null]},{null},{[]},null]");
}

TEST(LevelsTest, NullStructsHaveNullFields) {
  const std::vector<int> layers = {ALL_VALID_ITEM, NULLABLE_ITEM, NULLABLE_ITEM};
  ColumnBuilder builder(ParseLogicalType("uint32").ValueOrDie(), ListsOf(layers));
  ASSERT_TRUE(AppendValidity(Meaning(layers), std::vector<uint16_t>{0, 1, 2}, {0, 3}, &builder).ok());
  EXPECT_EQ(builder.layers()[0].validity().null_count(), 2);
  EXPECT_EQ(builder.layers()[1].validity().null_count(), 2);
  EXPECT_EQ(builder.layers()[2].validity().null_count(), 1);
  EXPECT_TRUE(AppendValidity(Meaning(layers), std::vector<uint16_t>{3}, {0, 1}, &builder).IsInvalid());
}

TEST(LevelsTest, FixedSizeListsOfStructsHaveALevelForEachStruct) {
  const auto meaning = LevelMeaning::FromLayers(std::vector<int>{NULLABLE_ITEM, ALL_VALID_ITEM, NULLABLE_ITEM},
                                                {false, false, false}, {1, 1, 3})
                           .ValueOrDie();
  EXPECT_EQ(meaning.values_per_row(), 3u);
  ColumnBuilder builder(ParseLogicalType("uint32").ValueOrDie(), {false, false, false});
  ASSERT_TRUE(AppendValidity(meaning, std::vector<uint16_t>{0, 1, 0, 2, 2, 2}, {0, 6}, &builder).ok());
  EXPECT_EQ(builder.layers()[0].length(), 6u);
  EXPECT_EQ(builder.layers()[0].validity().null_count(), 4);
  EXPECT_EQ(builder.layers()[2].length(), 2u);
  EXPECT_EQ(builder.layers()[2].validity().null_count(), 1);
}

TEST(LevelsTest, MalformedLevelsAreRefused) {
  const std::vector<int> plain = {ALL_VALID_ITEM, ALL_VALID_LIST};
  const std::vector<int> empties = {ALL_VALID_ITEM, EMPTYABLE_LIST};
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
