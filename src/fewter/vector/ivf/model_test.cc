#include "fewter/vector/ivf/model.h"

#include <limits>
#include <vector>

#include <arrow/builder.h>
#include <gtest/gtest.h>

namespace fewter {
namespace {

template <typename Builder, typename Array, typename T>
std::shared_ptr<Array> ArrayOf(const std::vector<T>& values) {
  Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return std::static_pointer_cast<Array>(builder.Finish().ValueOrDie());
}

arrow::Result<std::shared_ptr<const IvfModel>> Make(uint32_t dimension, const std::vector<float>& centroids,
                                                    const std::vector<uint64_t>& offsets,
                                                    const std::vector<uint32_t>& lengths, uint64_t total_rows) {
  return IvfModel::Make(dimension, ArrayOf<arrow::FloatBuilder, arrow::FloatArray>(centroids),
                        ArrayOf<arrow::UInt64Builder, arrow::UInt64Array>(offsets),
                        ArrayOf<arrow::UInt32Builder, arrow::UInt32Array>(lengths), total_rows);
}

std::vector<uint32_t> Selected(const IvfModel& model, const std::vector<float>& query, Metric metric,
                               uint32_t nprobes) {
  std::vector<uint32_t> partitions;
  for (const auto& ranked : model.SelectPartitions(query.data(), metric, nprobes)) {
    partitions.push_back(ranked.partition);
  }
  return partitions;
}

TEST(IvfModel, RanksPartitions) {
  const auto model = Make(2, {0, 0, 3, 0, 0, 1, -3, 0}, {0, 5, 5, 9}, {5, 0, 4, 1}, 10).ValueOrDie();
  EXPECT_EQ(model->num_partitions(), 4U);
  EXPECT_EQ(model->first_row(2), 5U);
  EXPECT_EQ(model->num_rows(3), 1U);
  EXPECT_EQ(Selected(*model, {2, 0}, Metric::kL2, 4), (std::vector<uint32_t>{1, 0, 2, 3}));
  EXPECT_EQ(Selected(*model, {2, 0}, Metric::kDot, 2), (std::vector<uint32_t>{1, 0}));
  EXPECT_EQ(Selected(*model, {0, 0}, Metric::kL2, 1), (std::vector<uint32_t>{0}));
}

TEST(IvfModel, BreaksTiesByNumberAndReturnsAllIfAskedForMore) {
  const auto model = Make(1, {1, 1, -1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0).ValueOrDie();
  EXPECT_EQ(Selected(*model, {0}, Metric::kL2, 100), (std::vector<uint32_t>{0, 1, 2, 3}));
}

TEST(IvfModel, ACentroidThatIsNotANumberComesLast) {
  const auto model = Make(1, {std::numeric_limits<float>::quiet_NaN(), 5, 1}, {0, 0, 0}, {0, 0, 0}, 0).ValueOrDie();
  EXPECT_EQ(Selected(*model, {0}, Metric::kL2, 3), (std::vector<uint32_t>{2, 1, 0}));
}

TEST(IvfModel, RefusesWhatDoesNotAgree) {
  EXPECT_FALSE(Make(0, {}, {0}, {0}, 0).ok());
  EXPECT_FALSE(Make(2, {}, {}, {}, 0).ok());
  EXPECT_FALSE(Make(2, {1, 2, 3}, {0, 0}, {0, 0}, 0).ok());
  EXPECT_FALSE(Make(1, {1, 2}, {0}, {0, 0}, 0).ok());
  EXPECT_FALSE(Make(1, {1, 2}, {0, 5}, {5, 6}, 10).ok());
  EXPECT_FALSE(Make(1, {1}, {std::numeric_limits<uint64_t>::max()}, {2}, 10).ok());
}

}  // namespace
}  // namespace fewter
