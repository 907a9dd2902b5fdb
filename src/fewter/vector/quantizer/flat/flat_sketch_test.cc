#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/flat/flat_query_sketch_internal.h"
#include "fewter/vector/quantizer/flat/flat_storage_internal.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::FlatQuantizerOf;
using storage_test::FlatRows;
using storage_test::OrDie;
using storage_test::RandomFloats;
using storage_test::RowIdOf;

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine, Metric::kDot};
constexpr size_t kNumRows = 700;

/// The same rows with sketches and without.
struct BothStorages {
  std::shared_ptr<const Quantizer> quantizer;
  std::shared_ptr<const PartitionStorage> with_sketches, plain;
};

BothStorages StoragesOf(const std::vector<float>& vectors, uint32_t dimension, ElementType type) {
  const auto quantizer = FlatQuantizerOf(dimension, type);
  const auto rows = FlatRows(vectors, dimension, type);
  return {quantizer, OrDie(quantizer->MakeStorage(*rows, StorageLayout::kScan)),
          OrDie(quantizer->MakeStorage(*rows, StorageLayout::kRandomAccess))};
}

/// The distances of all rows, in their order, as a scan without sketches has them.
std::vector<float> DistancesOf(const BothStorages& storages, const float* query, Metric metric) {
  std::vector<uint32_t> rows(storages.plain->num_rows());
  std::iota(rows.begin(), rows.end(), 0u);
  std::vector<float> distances(rows.size());
  storages.quantizer->MakeScorer(query, {.metric = metric})->ScoreRows(0, *storages.plain, rows, distances.data());
  return distances;
}

/// Rows around some centres, of which one is the query: near ones and far ones, and some that are odd.
std::vector<float> ClusteredRows(uint32_t dimension, const std::vector<float>& query, uint32_t seed) {
  std::vector<float> rows = RandomFloats(kNumRows * dimension, seed);
  const auto weights = RandomFloats(kNumRows, seed + 1);
  for (size_t i = 0; i < kNumRows; ++i) {
    for (size_t j = 0; j < dimension; ++j) rows[i * dimension + j] += 3 * std::abs(weights[i]) * query[j];
  }
  const auto fill = [&](size_t row, float value) { std::fill_n(rows.begin() + row * dimension, dimension, value); };
  fill(3, 0);
  fill(4, std::nanf(""));
  rows[5 * dimension] = std::nanf("");
  rows[6 * dimension + dimension - 1] = std::numeric_limits<float>::infinity();
  // The query itself, twice, and one that differs from it by next to nothing.
  for (const size_t row : {7, 8, 600}) std::copy(query.begin(), query.end(), rows.begin() + row * dimension);
  rows[600 * dimension + 1] *= 1.0005f;
  // One element far above the others makes a coarse sketch.
  rows[9 * dimension + 2] = 300;
  return rows;
}

class FlatSketch : public testing::TestWithParam<ElementType> {};

TEST_P(FlatSketch, NoBoundIsAboveTheDistance) {
  for (const uint32_t dimension : {64, 129, 384}) {
    // Halves have sketches only without padding.
    if (!FlatStorage::HasSketch(GetParam(), dimension, StorageLayout::kScan)) continue;
    for (const float unit : {1.0f, 0.01f, 60.0f}) {
      std::vector<float> query = RandomFloats(dimension, dimension);
      std::vector<float> rows = ClusteredRows(dimension, query, dimension + 1);
      for (float& value : query) value = RoundTo(GetParam(), value * unit);
      for (float& value : rows) value *= unit;
      const BothStorages storages = StoragesOf(rows, dimension, GetParam());
      for (const Metric metric : kMetrics) {
        const auto distances = DistancesOf(storages, query.data(), metric);
        FlatQuerySketch sketch(query.data(), dimension, metric);
        ASSERT_TRUE(sketch.is_usable());
        const auto& storage = static_cast<const FlatStorage&>(*storages.with_sketches);
        std::vector<float> bounds(kNumRows);
        sketch.Bounds(storage, 0, 512, nullptr, bounds.data());
        sketch.Bounds(storage, 512, kNumRows - 512, nullptr, bounds.data() + 512);
        double slack = 0, size = 0;
        for (size_t i = 0; i < kNumRows; ++i) {
          EXPECT_FALSE(bounds[i] > distances[i]) << ToString(metric) << ", " << dimension << ", row " << i;
          if (i < 10) continue;
          slack += distances[i] - bounds[i];
          size += std::abs(distances[i]);
        }
        // They are of use, too.
        EXPECT_LT(slack, 0.1 * size) << ToString(metric) << ", " << dimension;
      }
    }
  }
}

/// Allows rows by their place.
class EveryThird final : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id % 3 == 0; }
};

TEST_P(FlatSketch, AScanFindsWhatOneWithoutSketchesFinds) {
  const EveryThird every_third;
  for (const uint32_t dimension : {64, 192}) {
    std::vector<float> query = RandomFloats(dimension, dimension);
    for (float& value : query) value = RoundTo(GetParam(), value);
    const BothStorages storages = StoragesOf(ClusteredRows(dimension, query, 5), dimension, GetParam());
    for (const Metric metric : kMetrics) {
      for (const size_t k : {0, 1, 10, 300, 1000}) {
        for (const RowFilter* filter :
             {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&every_third)}) {
          const auto scan = [&](const PartitionStorage& storage) {
            TopK top_k(k, filter, -2.0f, 1000.0f);
            const auto scorer = storages.quantizer->MakeScorer(query.data(), {.metric = metric});
            scorer->BeginPartition({});
            scorer->Scan(storage, &top_k);
            return top_k.Finish();
          };
          EXPECT_EQ(scan(*storages.with_sketches), scan(*storages.plain)) << ToString(metric) << ", k " << k;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, FlatSketch,
                         testing::Values(ElementType::kFloat32, ElementType::kFloat16, ElementType::kFloat64),
                         [](const auto& test) { return std::string(ToString(test.param)); });

TEST(FlatSketchLimits, QueriesThatCannotBeBoundedAreScannedPlainly) {
  const uint32_t dimension = 64;
  const BothStorages storages = StoragesOf(RandomFloats(100 * dimension, 1), dimension, ElementType::kFloat32);
  for (const float value : {0.0f, 1e-20f, 1e18f, std::nanf("")}) {
    const std::vector<float> query(dimension, value);
    EXPECT_FALSE(FlatQuerySketch(query.data(), dimension, Metric::kL2).is_usable()) << value;
    const auto scan = [&](const PartitionStorage& storage) {
      return storage_test::ScanStorage(*storages.quantizer, storage, query.data(), Metric::kL2, nullptr, 10);
    };
    EXPECT_EQ(scan(*storages.with_sketches), scan(*storages.plain)) << value;
  }
}

TEST(FlatSketchLimits, AQueryOfManyEqualElementsKeepsItsSumsInBounds) {
  const auto dimension = static_cast<uint32_t>(simd::kMaxSketchDimension);
  std::vector<float> rows(2 * dimension, 1.0f);
  std::fill_n(rows.begin(), dimension, -1.0f);
  const std::vector<float> query(dimension, 1.0f);
  const BothStorages storages = StoragesOf(rows, dimension, ElementType::kFloat32);
  FlatQuerySketch sketch(query.data(), dimension, Metric::kDot);
  float bounds[2];
  sketch.Bounds(static_cast<const FlatStorage&>(*storages.with_sketches), 0, 2, nullptr, bounds);
  EXPECT_NEAR(bounds[0], 65537, 1200);
  EXPECT_NEAR(bounds[1], -65535, 1200);
}

TEST(FlatSketchLimits, OnlyRowsThatAreScannedAndMuchLongerHaveSketches) {
  EXPECT_TRUE(FlatStorage::HasSketch(ElementType::kFloat32, 384, StorageLayout::kScan));
  EXPECT_FALSE(FlatStorage::HasSketch(ElementType::kFloat32, 384, StorageLayout::kRandomAccess));
  EXPECT_TRUE(FlatStorage::HasSketch(ElementType::kFloat32, 32, StorageLayout::kScan));
  EXPECT_FALSE(FlatStorage::HasSketch(ElementType::kFloat32, 31, StorageLayout::kScan));
  EXPECT_FALSE(FlatStorage::HasSketch(ElementType::kFloat16, 65, StorageLayout::kScan));
  EXPECT_FALSE(FlatStorage::HasSketch(ElementType::kFloat32, 65537, StorageLayout::kScan));
}

}  // namespace
}  // namespace fewter
