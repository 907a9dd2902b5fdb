#include "fewter/vector/quantizer/rabitq/rabitq.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/rabitq/rabitq_test_data_internal.h"

namespace fewter {
namespace {

using rabitq_test::MakeTestIndex;
using rabitq_test::MakeTestQuery;
using rabitq_test::RandomRows;
using rabitq_test::Reference;
using rabitq_test::Scan;
using rabitq_test::StorageOf;
using rabitq_test::TestIndex;
using rabitq_test::TestQuery;
using rabitq_test::TestRows;
using storage_test::RandomFloats;
using storage_test::RowIdOf;

constexpr auto kRaw = RabitqEstimator::kRawQuery;
constexpr auto kResidual = RabitqEstimator::kResidualQuery;
constexpr auto kHadamard = RabitqRotation::kHadamard;
constexpr auto kMatrix = RabitqRotation::kMatrix;
constexpr ApproxMode kModes[] = {ApproxMode::kNormal, ApproxMode::kFast, ApproxMode::kAccurate};
constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine, Metric::kDot};

RabitqShape ShapeOf(uint32_t dimension, uint32_t num_bits, RabitqEstimator estimator = kRaw,
                    RabitqRotation rotation = kHadamard, bool packed = true) {
  return {.dimension = dimension, .num_bits = num_bits, .estimator = estimator, .rotation = rotation, .packed = packed};
}

bool HasFull(const TestIndex& index, const TestQuery& query) {
  return index.shape.ex_bits() > 0 && query.options.approx_mode != ApproxMode::kFast;
}

// All rows are asked for, so that none is left out by its bound.
void ExpectDistances(const TestIndex& index, const TestRows& rows, const TestQuery& query) {
  SCOPED_TRACE(testing::Message() << index.quantizer->Describe() << " of " << index.shape.dimension << ", "
                                  << ToString(query.options.metric) << ", mode "
                                  << static_cast<int>(query.options.approx_mode) << ", rows " << rows.num_rows);
  const auto storage = StorageOf(index, rows);
  ASSERT_EQ(storage->num_rows(), rows.num_rows);
  const auto found = Scan(*index.quantizer, *storage, query, TopK(rows.num_rows + 1));
  ASSERT_EQ(found.size(), rows.num_rows);
  std::map<uint64_t, float> distances;
  for (const Neighbor& row : found) distances[row.row_id] = row.distance;
  const Reference reference(index, rows, query);
  for (size_t i = 0; i < rows.num_rows; ++i) {
    ASSERT_TRUE(distances.contains(RowIdOf(i)));
    const double expected = HasFull(index, query) ? reference.Full(i) : reference.OneBit(i);
    ASSERT_NEAR(distances[RowIdOf(i)], expected, reference.Allowance(i)) << "row " << i;
  }
}

TEST(Rabitq, DistancesAgreeWithTheFormulas) {
  for (uint32_t num_bits = 1; num_bits <= 9; ++num_bits) {
    const TestIndex index = MakeTestIndex(ShapeOf(40, num_bits));
    for (size_t num_rows : {0, 1, 31, 32, 33, 100, 300}) {
      const TestRows rows = RandomRows(index.shape, num_rows);
      for (Metric metric : kMetrics) {
        for (ApproxMode mode : kModes) {
          ExpectDistances(index, rows, MakeTestQuery(40, {.metric = metric, .approx_mode = mode}));
        }
      }
    }
  }
}

TEST(Rabitq, DistancesOfVectorsOfAnyLength) {
  for (uint32_t dimension : {8, 16, 24, 64, 72, 96, 128, 200, 384, 768, 1536, 4096}) {
    for (uint32_t num_bits : {1, 5}) {
      const TestIndex index = MakeTestIndex(ShapeOf(dimension, num_bits));
      const TestRows rows = RandomRows(index.shape, 70);
      for (ApproxMode mode : kModes) ExpectDistances(index, rows, MakeTestQuery(dimension, {.approx_mode = mode}));
    }
  }
}

TEST(Rabitq, ResidualQueriesOfOldIndexes) {
  for (RabitqRotation rotation : {kHadamard, kMatrix}) {
    for (uint32_t num_bits : {1, 2, 4}) {
      const TestIndex index = MakeTestIndex(ShapeOf(24, num_bits, kResidual, rotation));
      for (size_t num_rows : {0, 1, 31, 32, 33, 100}) {
        const TestRows rows = RandomRows(index.shape, num_rows);
        for (Metric metric : kMetrics) {
          for (ApproxMode mode : kModes) {
            ExpectDistances(index, rows, MakeTestQuery(24, {.metric = metric, .approx_mode = mode}));
          }
        }
      }
    }
  }
}

TEST(Rabitq, AMatrixRotatesRawQueriesToo) {
  const TestIndex index = MakeTestIndex(ShapeOf(48, 3, kRaw, kMatrix));
  for (Metric metric : kMetrics)
    ExpectDistances(index, RandomRows(index.shape, 77), MakeTestQuery(48, {.metric = metric}));
}

TEST(Rabitq, ResidualsAreRoundedToHalfFloatsOfAColumnOfThose) {
  const TestIndex index = MakeTestIndex(ShapeOf(16, 1, kResidual, kMatrix));
  const TestRows rows = RandomRows(index.shape, 40);
  TestQuery query = MakeTestQuery(16, {.element_type = ElementType::kFloat16});
  for (float& value : query.query) value = RoundTo(ElementType::kFloat16, value * 8);
  for (float& value : query.centroid) value = RoundTo(ElementType::kFloat16, value / 64);
  ExpectDistances(index, rows, query);
  // The rounding is seen: without it the distances would be others.
  TestQuery unrounded = query;
  unrounded.options.element_type = ElementType::kFloat32;
  const Reference with(index, rows, query), without(index, rows, unrounded);
  double most = 0;
  for (size_t i = 0; i < rows.num_rows; ++i) most = std::max(most, std::abs(with.OneBit(i) - without.OneBit(i)));
  EXPECT_GT(most, 1e-3);
}

TEST(Rabitq, RowsThatAreNotPackedGiveTheSameStorage) {
  for (uint32_t dimension : {8, 24, 64}) {
    for (size_t num_rows : {0, 1, 31, 32, 33, 100}) {
      const TestIndex packed = MakeTestIndex(ShapeOf(dimension, 3));
      const TestIndex unpacked = MakeTestIndex(ShapeOf(dimension, 3, kRaw, kHadamard, false));
      const TestRows rows = RandomRows(packed.shape, num_rows);
      EXPECT_TRUE(StorageOf(packed, rows)->ToBatch()->Equals(*StorageOf(unpacked, rows)->ToBatch()));
    }
  }
}

TEST(Rabitq, AQueryOfZerosAndOneAtTheCentroid) {
  const TestIndex index = MakeTestIndex(ShapeOf(32, 4));
  const TestRows rows = RandomRows(index.shape, 50);
  for (Metric metric : kMetrics) {
    TestQuery query = MakeTestQuery(32, {.metric = metric});
    query.centroid = query.query;
    ExpectDistances(index, rows, query);
    std::fill(query.query.begin(), query.query.end(), 0.0F);
    ExpectDistances(index, rows, query);
    std::fill(query.centroid.begin(), query.centroid.end(), 0.0F);
    ExpectDistances(index, rows, query);
  }
}

TEST(Rabitq, AQueryThatIsNoNumberFindsNothing) {
  for (float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (uint32_t num_bits : {1, 4}) {
      const TestIndex index = MakeTestIndex(ShapeOf(32, num_bits));
      TestQuery query = MakeTestQuery(32, {});
      query.query[5] = value;
      EXPECT_TRUE(Scan(*index.quantizer, *StorageOf(index, RandomRows(index.shape, 50)), query, TopK(5)).empty());
    }
  }
}

/// The rule by which rows are left out, one row after another.
class GatedScan {
 public:
  GatedScan(size_t k, float upper) : k_(k), upper_(upper) {}

  void Add(const Reference& reference, size_t row, uint64_t row_id) {
    const double bound = reference.LowerBound(row);
    if (bound >= upper_ || (kept_.size() == k_ && bound >= kept_.rbegin()->first)) {
      ++left_out_;
      return;
    }
    const double distance = reference.Full(row);
    if (distance >= upper_) return;
    kept_.emplace(distance, row_id);
    if (kept_.size() > k_) kept_.erase(std::prev(kept_.end()));
  }

  const std::set<std::pair<double, uint64_t>>& kept() const { return kept_; }
  size_t left_out() const { return left_out_; }

 private:
  size_t k_;
  double upper_;
  std::set<std::pair<double, uint64_t>> kept_;
  size_t left_out_ = 0;
};

void ExpectSame(const std::vector<Neighbor>& found, const std::set<std::pair<double, uint64_t>>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  size_t i = 0;
  for (const auto& [distance, row_id] : expected) {
    EXPECT_EQ(found[i].row_id, row_id) << i;
    EXPECT_NEAR(found[i].distance, distance, 1e-4 * (1 + std::abs(distance))) << i;
    ++i;
  }
}

/// Two rows of three.
class SomeRows final : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id % 3 != 0; }
};

TEST(Rabitq, RowsAreLeftOutByTheirBoundsInTheOrderOfTheScan) {
  const SomeRows some;
  for (uint32_t num_bits : {2, 5, 9}) {
    const TestIndex index = MakeTestIndex(ShapeOf(64, num_bits));
    const TestRows rows = RandomRows(index.shape, 1000);
    const auto storage = StorageOf(index, rows);
    for (Metric metric : kMetrics) {
      for (ApproxMode mode : {ApproxMode::kNormal, ApproxMode::kAccurate}) {
        const TestQuery query = MakeTestQuery(64, {.metric = metric, .approx_mode = mode});
        const Reference reference(index, rows, query);
        for (const RowFilter* filter : {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&some)}) {
          for (float upper : {std::numeric_limits<float>::max(), 20.0F}) {
            GatedScan expected(10, upper);
            for (size_t i = 0; i < rows.num_rows; ++i) {
              if (filter == nullptr || filter->Allows(RowIdOf(i))) expected.Add(reference, i, RowIdOf(i));
            }
            EXPECT_GT(expected.left_out(), 100u);
            const float lower = std::numeric_limits<float>::lowest();
            ExpectSame(Scan(*index.quantizer, *storage, query, TopK(10, filter, lower, upper)), expected.kept());
          }
        }
      }
    }
  }
}

TEST(Rabitq, NoRowIsLostWhoseBoundHolds) {
  const TestIndex index = MakeTestIndex(ShapeOf(64, 4));
  for (Metric metric : kMetrics) {
    const TestQuery query = MakeTestQuery(64, {.metric = metric});
    TestRows rows = RandomRows(index.shape, 1000);
    const Reference reference(index, rows, query);
    std::set<std::pair<double, uint64_t>> nearest;
    for (size_t i = 0; i < rows.num_rows; ++i) {
      const double full = reference.Full(i);
      nearest.emplace(full, RowIdOf(i));
      // As small as it may be for the bound to be one.
      const double excess = std::max(0.0, reference.OneBit(i) - full) + 1e-3;
      rows.error[i] = static_cast<float>(excess / reference.query_error());
    }
    nearest.erase(std::next(nearest.begin(), 20), nearest.end());
    ExpectSame(Scan(*index.quantizer, *StorageOf(index, rows), query, TopK(20)), nearest);
  }
}

TEST(Rabitq, TheThresholdIsCarriedFromPartitionToPartition) {
  const TestIndex index = MakeTestIndex(ShapeOf(32, 4));
  const TestRows rows = RandomRows(index.shape, 90), more = RandomRows(index.shape, 60);
  const TestQuery first = MakeTestQuery(32, {});
  TestQuery second = first;
  second.centroid = RandomFloats(32, 60);
  const auto scorer = index.quantizer->MakeScorer(first.query.data(), first.options);
  const ProbedPartition probed[] = {{.distance = first.CentroidDistance(), .centroid = first.centroid.data()},
                                    {.distance = second.CentroidDistance(), .centroid = second.centroid.data()}};
  const auto no_id_twice = [](size_t i) { return RowIdOf(i) + (uint64_t{1} << 40); };
  scorer->BeginPartitions(probed);
  TopK top_k(7);
  scorer->ScanPartition(0, *StorageOf(index, rows), &top_k);
  const auto batch = rabitq_test::BatchOf(index.shape, more);
  std::vector<uint64_t> ids(60);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = no_id_twice(i);
  const auto renamed = storage_test::WithColumn(*batch, batch->num_columns() - 1,
                                                ArrayOver(arrow::uint64(), arrow::Buffer::FromVector(std::move(ids))));
  scorer->ScanPartition(1, *storage_test::OrDie(index.quantizer->MakeStorage(*renamed, StorageLayout::kScan)), &top_k);

  const Reference first_reference(index, rows, first), second_reference(index, more, second);
  GatedScan expected(7, std::numeric_limits<float>::max());
  for (size_t i = 0; i < rows.num_rows; ++i) expected.Add(first_reference, i, RowIdOf(i));
  for (size_t i = 0; i < more.num_rows; ++i) expected.Add(second_reference, i, no_id_twice(i));
  ExpectSame(top_k.Finish(), expected.kept());
}

TEST(Rabitq, SeveralResidualPartitionsAtOnce) {
  const TestIndex index = MakeTestIndex(ShapeOf(24, 1, kResidual));
  const auto storage = StorageOf(index, RandomRows(index.shape, 70));
  const TestQuery query = MakeTestQuery(24, {});
  std::vector<TestQuery> queries(QueryScorer::kMaxPartitions, query);
  std::vector<ProbedPartition> probed;
  for (size_t i = 0; i < queries.size(); ++i) {
    queries[i].centroid = RandomFloats(24, static_cast<uint32_t>(70 + i));
    probed.push_back({.distance = queries[i].CentroidDistance(), .centroid = queries[i].centroid.data()});
  }
  const auto scorer = index.quantizer->MakeScorer(query.query.data(), query.options);
  scorer->BeginPartitions(probed);
  for (size_t i = 0; i < queries.size(); ++i) {
    TopK top_k(9);
    scorer->ScanPartition(i, *storage, &top_k);
    EXPECT_EQ(top_k.Finish(), Scan(*index.quantizer, *storage, queries[i], TopK(9))) << i;
  }
}

/// Rows that stand for vectors, encoded as the papers say, with the factors that Lance stores.
TestRows Encode(const TestIndex& index, const std::vector<std::vector<float>>& vectors, const TestQuery& query) {
  const RabitqShape& shape = index.shape;
  const bool is_dot = query.options.metric == Metric::kDot;
  const size_t d = shape.code_dimension, blocks = (d + 63) / 64;
  const auto unit = static_cast<double>(1U << shape.ex_bits());
  TestRows rows{.num_rows = vectors.size(), .codes = std::vector<uint8_t>(vectors.size() * shape.code_bytes(), 0)};
  rows.ex_codes.resize(vectors.size() * blocks * 8 * shape.ex_bits());
  const std::vector<float> c = index.Rotated(query.centroid);
  for (size_t row = 0; row < vectors.size(); ++row) {
    std::vector<float> r = index.Rotated(vectors[row]);
    double squares = 0, largest = 0, r_c = 0, r_f = 0, c_f = 0, r_g = 0, c_g = 0;
    for (size_t i = 0; i < d; ++i) largest = std::max(largest, std::abs(double{r[i]} - c[i]));
    for (size_t i = 0; i < d; ++i) {
      const double x = double{r[i]} - c[i], f = x >= 0 ? 0.5 : -0.5;
      const double level = std::min(unit - 1, std::floor(std::abs(x) / largest * unit));
      const double code = x >= 0 ? unit + level : unit - 1 - level, g = code - (unit - 0.5);
      if (x >= 0) rows.codes[row * shape.code_bytes() + i / 8] |= static_cast<uint8_t>(1U << (i % 8));
      simd::SetExCode(rows.ex_codes.data() + (row * blocks + i / 64) * 8 * shape.ex_bits(), shape.ex_bits(), i % 64,
                      static_cast<uint32_t>(code) & ((1U << shape.ex_bits()) - 1));
      squares += x * x, r_c += x * c[i], r_f += x * f, c_f += c[i] * f, r_g += x * g, c_g += c[i] * g;
    }
    const auto add = [&](double r_code, double c_code, std::vector<float>* scales, std::vector<float>* adds) {
      const double share = squares * c_code / r_code;
      scales->push_back(static_cast<float>((is_dot ? -1 : -2) * squares / r_code));
      adds->push_back(static_cast<float>(is_dot ? 1 - r_c + share : squares + 2 * share));
    };
    add(r_f, c_f, &rows.scale, &rows.add);
    add(r_g, c_g, &rows.ex_scale, &rows.ex_add);
    const auto n = static_cast<double>(d);
    rows.error.push_back(static_cast<float>((is_dot ? 1 : 2) * 1.9 * std::sqrt(squares) *
                                            std::sqrt(std::max(squares * n / 4 / (r_f * r_f) - 1, 0.0) / (n - 1))));
  }
  return rows;
}

TEST(Rabitq, EstimatesComeNearTheTruthAsBitsAreAdded) {
  constexpr uint32_t kDimension = 128;
  for (Metric metric : {Metric::kL2, Metric::kDot}) {
    for (uint32_t num_bits : {1, 2, 3, 5, 7, 9}) {
      const TestIndex index = MakeTestIndex(ShapeOf(kDimension, num_bits));
      const TestQuery query = MakeTestQuery(kDimension, {.metric = metric, .approx_mode = ApproxMode::kAccurate});
      std::vector<std::vector<float>> vectors;
      for (uint32_t i = 0; i < 200; ++i) vectors.push_back(RandomFloats(kDimension, 100 + i));
      const auto storage = StorageOf(index, Encode(index, vectors, query));
      std::map<uint64_t, double> truth;
      for (size_t i = 0; i < vectors.size(); ++i) {
        truth[RowIdOf(i)] = metric == Metric::kDot ? 1 - simd::Dot(query.query.data(), vectors[i].data(), kDimension)
                                                   : simd::L2Squared(query.query.data(), vectors[i].data(), kDimension);
      }
      double squares = 0;
      const auto found = Scan(*index.quantizer, *storage, query, TopK(vectors.size()));
      ASSERT_EQ(found.size(), vectors.size());
      for (const Neighbor& row : found) squares += std::pow(row.distance - truth[row.row_id], 2);
      // Lengths here are about sqrt(2 * 128), and one bit leaves an angle whose tangent is about 0.75.
      const double deviation = std::sqrt(squares / static_cast<double>(found.size()));
      const double one_bit = (metric == Metric::kDot ? 1 : 2) * 16 * 16 * 0.75 / std::sqrt(double{kDimension});
      EXPECT_LT(deviation, 3 * one_bit / (1U << (num_bits - 1))) << ToString(metric) << ", " << num_bits << " bits";
    }
  }
}

TEST(Rabitq, ThereIsNoRandomAccess) {
  EXPECT_FALSE(kRabitqKind.has_random_access);
  EXPECT_EQ(FindStorageKind("RQ", ElementType::kFloat32), &kRabitqKind);
  EXPECT_EQ(FindStorageKind("RQ", ElementType::kUint8), nullptr);
  EXPECT_EQ(ToString(StorageKind::kRabitq), "RaBitQ");
}

}  // namespace
}  // namespace fewter
