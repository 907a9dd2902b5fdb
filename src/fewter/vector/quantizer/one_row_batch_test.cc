#include "fewter/vector/quantizer/one_row_batch.h"

#include <arrow/array/util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

using testing::HasSubstr;

std::shared_ptr<arrow::Array> Floats(std::vector<float> values) {
  return ArrayOver(arrow::float32(), arrow::Buffer::FromVector(std::move(values)));
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::shared_ptr<arrow::Array>& column) {
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("a", column->type())}), column->length(), {column});
}

std::shared_ptr<arrow::LargeListArray> ListOf(std::vector<int64_t> offsets,
                                              const std::shared_ptr<arrow::Array>& values) {
  const auto length = static_cast<int64_t>(offsets.size()) - 1;
  return std::make_shared<arrow::LargeListArray>(arrow::large_list(values->type()), length,
                                                 arrow::Buffer::FromVector(std::move(offsets)), values);
}

std::string ErrorOf(const arrow::RecordBatch& batch, uint64_t length) {
  return ArrayOfOneRow(batch, "a", *arrow::float32(), length).status().message();
}

TEST(OneRowBatch, ArraysOfDifferentLengthsComeBackWithoutACopy) {
  const auto floats = Floats({1, 2, 3});
  const auto empty = ArrayOver(arrow::uint8(), arrow::Buffer::FromVector(std::vector<uint8_t>()));
  const auto batch = MakeOneRowBatch({"a", "b"}, {floats, empty});
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(batch->num_rows(), 1);
  const auto a = ArrayOfOneRow(*batch, "a", *arrow::float32(), 3);
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_TRUE((*a)->Equals(floats));
  EXPECT_EQ((*a)->data()->buffers[1], floats->data()->buffers[1]);
  const auto b = ArrayOfOneRow(*batch, "b", *arrow::uint8(), 0);
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ((*b)->length(), 0);
}

TEST(OneRowBatch, OffsetsWithinTheValuesAreFollowed) {
  const auto part = ArrayOfOneRow(*BatchOf(ListOf({1, 3}, Floats({1, 2, 3, 4}))), "a", *arrow::float32(), 2);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_TRUE((*part)->Equals(Floats({2, 3})));
}

TEST(OneRowBatch, OtherShapesAreRefused) {
  EXPECT_THAT(ErrorOf(*MakeOneRowBatch({"b"}, {Floats({1})}), 1), HasSubstr("column a: missing"));
  EXPECT_THAT(ErrorOf(*MakeOneRowBatch({"a", "a"}, {Floats({1}), Floats({1})}), 1), HasSubstr("there twice"));
  EXPECT_THAT(ErrorOf(*BatchOf(Floats({1})), 1), HasSubstr("not a large list"));
  EXPECT_THAT(ErrorOf(*BatchOf(ListOf({0, 1, 2}, Floats({1, 2}))), 1), HasSubstr("expected one row"));
  EXPECT_THAT(ErrorOf(*BatchOf(ListOf({0}, Floats({}))), 0), HasSubstr("expected one row"));
  EXPECT_THAT(ErrorOf(*MakeOneRowBatch({"a"}, {Floats({1, 2})}), 3), HasSubstr("expected 3 values, not 2"));
  const auto bytes = ArrayOver(arrow::uint8(), arrow::Buffer::FromVector(std::vector<uint8_t>{1}));
  EXPECT_THAT(ErrorOf(*MakeOneRowBatch({"a"}, {bytes}), 1), HasSubstr("expected a list of float"));
}

TEST(OneRowBatch, NullsAreRefused) {
  const auto nulls = *arrow::MakeArrayOfNull(arrow::float32(), 2);
  EXPECT_THAT(ErrorOf(*BatchOf(ListOf({0, 2}, nulls)), 2), HasSubstr("has nulls"));
  const auto null_list = *arrow::MakeArrayOfNull(arrow::large_list(arrow::float32()), 1);
  EXPECT_THAT(ErrorOf(*BatchOf(null_list), 0), HasSubstr("null"));
}

TEST(OneRowBatch, OffsetsOutsideTheValuesAreRefused) {
  for (const auto& offsets : {std::vector<int64_t>{0, 3}, {-1, 1}, {2, 1}, {3, 5}, {INT64_MIN, INT64_MAX}}) {
    EXPECT_THAT(ErrorOf(*BatchOf(ListOf(offsets, Floats({1, 2}))), 2), HasSubstr("offsets"));
  }
}

}  // namespace
}  // namespace fewter
