#include "fewter/vector/ivf/model.h"

#include <limits>
#include <random>
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

TEST(IvfModel, NegativeDistancesAndTheInfinitiesAreInOrder) {
  const float infinity = std::numeric_limits<float>::infinity();
  // 1 - c.
  const auto model =
      Make(1, {1, infinity, 3, -infinity, 0, 2, 1}, std::vector<uint64_t>(7), std::vector<uint32_t>(7), 0).ValueOrDie();
  EXPECT_EQ(Selected(*model, {1}, Metric::kDot, 7), (std::vector<uint32_t>{1, 2, 5, 0, 6, 4, 3}));
}

TEST(IvfModel, ManyQueriesAreRankedAsEachAlone) {
  constexpr uint32_t kDimension = 200, kPartitions = 71;
  constexpr size_t kQueries = 131;
  std::mt19937 generator(3);
  const auto bytes = [&](size_t n) {
    std::vector<uint8_t> values(n);
    for (uint8_t& value : values) value = static_cast<uint8_t>(generator());
    return values;
  };
  const auto centroids = bytes(kPartitions * kDimension), queries = bytes(kQueries * kDimension);
  const auto zeros = ArrayOf<arrow::UInt64Builder, arrow::UInt64Array>(std::vector<uint64_t>(kPartitions));
  const auto lengths = ArrayOf<arrow::UInt32Builder, arrow::UInt32Array>(std::vector<uint32_t>(kPartitions));
  const std::vector<float> as_floats(queries.begin(), queries.end());
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kHamming}) {
    const std::shared_ptr<arrow::Array> values =
        metric == Metric::kHamming
            ? std::shared_ptr<arrow::Array>(ArrayOf<arrow::UInt8Builder, arrow::UInt8Array>(centroids))
            : ArrayOf<arrow::FloatBuilder, arrow::FloatArray>(std::vector<float>(centroids.begin(), centroids.end()));
    const auto model = IvfModel::Make(kDimension, values, zeros, lengths, 0).ValueOrDie();
    const auto many = model->SelectPartitionsMany(as_floats.data(), kQueries, metric, 9);
    ASSERT_EQ(many.size(), kQueries);
    for (size_t i = 0; i < kQueries; ++i) {
      EXPECT_EQ(many[i], model->SelectPartitions(as_floats.data() + i * kDimension, metric, 9)) << ToString(metric);
    }
  }
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
