#include "fewter/vector/quantizer/pq/pq.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <arrow/array/util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/simd/pq_tables.h"
#include "fewter/vector/quantizer/pq/pq_scorer_internal.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::OrDie;
using storage_test::PqMetadataOf;
using storage_test::PqQuantizerOf;
using storage_test::PqRows;
using storage_test::PqTestPartition;
using storage_test::RandomBytes;
using storage_test::RandomFloats;
using storage_test::RowIdOf;
using storage_test::ScanStorage;
using testing::HasSubstr;

struct Shape {
  uint32_t num_bits, num_sub_vectors, dimension;

  size_t num_codewords() const { return size_t{1} << num_bits; }
  size_t width() const { return num_sub_vectors * num_bits / 8; }
};

/// Codes row after row; what the file holds follows from them.
class RowMajorCodes {
 public:
  RowMajorCodes(const Shape& shape, size_t num_rows)
      : shape_(shape), num_rows_(num_rows), bytes_(RandomBytes(num_rows * shape.width(), 5)) {}

  std::vector<uint8_t> AsInFile(bool transposed) const {
    if (!transposed) return bytes_;
    std::vector<uint8_t> columns(bytes_.size());
    for (size_t i = 0; i < num_rows_; ++i) {
      for (size_t j = 0; j < shape_.width(); ++j) columns[j * num_rows_ + i] = bytes_[i * shape_.width() + j];
    }
    return columns;
  }

  size_t Code(size_t row, size_t sub_vector) const {
    if (shape_.num_bits == 8) return bytes_[row * shape_.width() + sub_vector];
    const uint8_t byte = bytes_[row * shape_.width() + sub_vector / 2];
    return sub_vector % 2 == 0 ? byte & 15 : byte >> 4;
  }

 private:
  Shape shape_;
  size_t num_rows_;
  std::vector<uint8_t> bytes_;
};

double Expected(const Shape& shape, Metric metric, const std::vector<float>& codebook, const RowMajorCodes& codes,
                size_t row, const std::vector<float>& query, const std::vector<float>& centroid) {
  const size_t sub_dimension = shape.dimension / shape.num_sub_vectors;
  double squares = 0, product = 0;
  for (size_t j = 0; j < shape.num_sub_vectors; ++j) {
    const float* codeword = codebook.data() + (j * shape.num_codewords() + codes.Code(row, j)) * sub_dimension;
    for (size_t t = 0; t < sub_dimension; ++t) {
      const size_t i = j * sub_dimension + t;
      const double residual = double{query[i]} - centroid[i] - codeword[t];
      squares += residual * residual;
      product += double{query[i]} * codeword[t];
    }
  }
  return metric == Metric::kDot ? 1 - product : squares;
}

void ExpectDistances(const Shape& shape, Metric metric, bool transposed, size_t num_rows) {
  SCOPED_TRACE(testing::Message() << ToString(metric) << ", " << shape.num_bits << " bits, " << shape.num_sub_vectors
                                  << " of " << shape.dimension << (transposed ? ", transposed" : "") << ", rows "
                                  << num_rows);
  const auto codebook = RandomFloats(shape.num_codewords() * shape.dimension, 1);
  const auto query = RandomFloats(shape.dimension, 2), centroid = RandomFloats(shape.dimension, 3);
  const RowMajorCodes codes(shape, num_rows);
  const auto quantizer =
      PqQuantizerOf(PqMetadataOf(shape.num_bits, shape.num_sub_vectors, shape.dimension, transposed), codebook);
  const auto storage =
      OrDie(quantizer->MakeStorage(*PqRows(codes.AsInFile(transposed), shape.width()), StorageLayout::kScan));
  ASSERT_EQ(storage->num_rows(), num_rows);
  const auto found = ScanStorage(*quantizer, *storage, query.data(), metric, centroid.data(), num_rows + 1);
  ASSERT_EQ(found.size(), num_rows);
  std::map<uint64_t, float> distances;
  for (const Neighbor& row : found) distances[row.row_id] = row.distance;
  for (size_t i = 0; i < num_rows; ++i) {
    const double expected = Expected(shape, metric, codebook, codes, i, query, centroid);
    ASSERT_TRUE(distances.contains(RowIdOf(i)));
    ASSERT_NEAR(distances[RowIdOf(i)], expected, 3e-6 * (10 + shape.dimension)) << "row " << i;
  }
  // Row by row: the same sums, bit for bit.
  const auto for_graphs =
      OrDie(quantizer->MakeStorage(*PqRows(codes.AsInFile(transposed), shape.width()), StorageLayout::kRandomAccess));
  EXPECT_EQ(ScanStorage(*quantizer, *for_graphs, query.data(), metric, centroid.data(), num_rows), found);
  EXPECT_EQ(storage_test::ScoreEveryRow(*quantizer, *for_graphs, query.data(), metric, centroid.data()), found);
}

TEST(Pq, DistancesAgreeWithTheFormulas) {
  const Shape kShapes[] = {{8, 8, 8}, {8, 1, 8}, {8, 16, 64}, {8, 3, 96}, {8, 48, 384}, {8, 96, 1536},
                           {4, 8, 8}, {4, 2, 8}, {4, 16, 64}, {4, 6, 96}, {4, 96, 384}, {4, 192, 1536}};
  for (const Shape& shape : kShapes) {
    for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
      for (bool transposed : {true, false}) {
        for (size_t num_rows : {0, 1, 63, 64, 65, 1000}) ExpectDistances(shape, metric, transposed, num_rows);
      }
    }
  }
}

TEST(Pq, MoreRowsThanAScanTakesAtATime) {
  ExpectDistances({8, 4, 16}, Metric::kL2, true, 5000);
}

std::vector<float> Scaled(std::vector<float> values, float scale) {
  for (float& value : values) value *= scale;
  return values;
}

/// An index of whose rows codewords are `codeword_scale` long and centroids and queries 1, all times `scale`.
class PqBoundsTest {
 public:
  PqBoundsTest(const Shape& shape, float scale, float codeword_scale, size_t num_rows)
      : codebook_(Scaled(RandomFloats(shape.num_codewords() * shape.dimension, 1), scale * codeword_scale)),
        query(Scaled(RandomFloats(shape.dimension, 2), scale)),
        other_query(Scaled(RandomFloats(shape.dimension, 7), scale)),
        centroid(query),
        quantizer(
            PqQuantizerOf(PqMetadataOf(shape.num_bits, shape.num_sub_vectors, shape.dimension, false), codebook_)),
        shape_(shape) {
    const auto offset = Scaled(RandomFloats(shape.dimension, 3), scale * codeword_scale);
    for (size_t i = 0; i < centroid.size(); ++i) centroid[i] += offset[i];
    rows_ = PqRows(RandomBytes(num_rows * shape.width(), 5), shape.width());
  }

  std::shared_ptr<const PartitionStorage> ForScans() const {
    return OrDie(quantizer->MakeStorage(*rows_, StorageLayout::kScan, centroid.data()));
  }
  std::shared_ptr<const PartitionStorage> ForGraphs() const {
    return OrDie(quantizer->MakeStorage(*rows_, StorageLayout::kRandomAccess));
  }
  std::shared_ptr<const PqCodebook> Codebook() const {
    return PqCodebook::FromFile({shape_.num_bits, shape_.num_sub_vectors, shape_.dimension}, codebook_.data());
  }

  std::vector<Neighbor> Nearest(const PartitionStorage& storage, const ScorerOptions& options, TopK top_k) const {
    return Nearest(storage, options, std::move(top_k), query);
  }
  std::vector<Neighbor> Nearest(const PartitionStorage& storage, const ScorerOptions& options, TopK top_k,
                                const std::vector<float>& query_to_use) const {
    const auto scorer = quantizer->MakeScorer(query_to_use.data(), options);
    scorer->BeginPartition({.centroid = centroid.data()});
    scorer->Scan(storage, &top_k);
    return top_k.Finish();
  }
  /// Of `query` and of `other_query`.
  std::pair<std::vector<Neighbor>, std::vector<Neighbor>> NearestOfPair(const PartitionStorage& storage,
                                                                        const ScorerOptions& options, TopK top_k,
                                                                        TopK top_k_of_other) const {
    const auto scorer = quantizer->MakeScorer(query.data(), options);
    const auto other = quantizer->MakeScorer(other_query.data(), options);
    for (QueryScorer* each : {scorer.get(), other.get()}) each->BeginPartition({.centroid = centroid.data()});
    scorer->ScanPair(storage, &top_k, other.get(), &top_k_of_other);
    return {top_k.Finish(), top_k_of_other.Finish()};
  }

 private:
  std::vector<float> codebook_;

 public:
  std::vector<float> query, other_query, centroid;
  std::shared_ptr<const Quantizer> quantizer;

 private:
  Shape shape_;
  std::shared_ptr<arrow::RecordBatch> rows_;
};

constexpr ScorerOptions kScorings[] = {{.metric = Metric::kL2},
                                       {.metric = Metric::kL2, .element_type = ElementType::kFloat16},
                                       {.metric = Metric::kCosine, .element_type = ElementType::kFloat64},
                                       {.metric = Metric::kDot}};
constexpr Shape kBoundedShapes[] = {{8, 4, 4}, {8, 48, 96}, {8, 1, 24}, {4, 2, 12}, {4, 64, 128}, {8, 300, 300}};

// A graph's storage has no bounds: its rows' distances are the sums of a table's entries, all of them.
TEST(Pq, BoundsDoNotChangeWhatIsFound) {
  for (const Shape& shape : kBoundedShapes) {
    for (const auto& [scale, codeword_scale] : {std::pair{1.0f, 0.1f}, {1.0f, 1e-4f}, {1e-3f, 1.0f}, {1e18f, 1.0f}}) {
      const PqBoundsTest test(shape, scale, codeword_scale, 1500);
      const auto for_scans = test.ForScans(), for_graphs = test.ForGraphs();
      for (const ScorerOptions& options : kScorings) {
        if (options.element_type == ElementType::kFloat16 && scale > 1) continue;
        for (size_t k : {0, 1, 10, 100, 255, 300, 1400, 2000}) {
          EXPECT_EQ(test.Nearest(*for_scans, options, TopK(k)), test.Nearest(*for_graphs, options, TopK(k)))
              << shape.num_bits << " bits, " << shape.num_sub_vectors << " of " << shape.dimension << ", scales "
              << scale << " and " << codeword_scale << ", " << ToString(options.metric) << ", k " << k;
        }
      }
    }
  }
}

class EvenIds : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id % 2 == 0; }
};

TEST(Pq, BoundsHeedFiltersAndRanges) {
  const PqBoundsTest test({8, 16, 32}, 1, 0.3f, 1500);
  const auto for_scans = test.ForScans(), for_graphs = test.ForGraphs();
  const EvenIds even;
  for (const ScorerOptions& options : kScorings) {
    const auto all = test.Nearest(*for_graphs, options, TopK(1500));
    const float lower = all[100].distance, upper = all[700].distance;
    for (const auto& top_k : {TopK(10, &even), TopK(600, &even), TopK(10, nullptr, lower, upper),
                              TopK(900, &even, lower), TopK(10, nullptr, upper), TopK(1500, nullptr, lower, upper)}) {
      EXPECT_EQ(test.Nearest(*for_scans, options, top_k), test.Nearest(*for_graphs, options, top_k));
    }
  }
}

TEST(Pq, BoundsAreBelowDistancesButNotByMuch) {
  for (const Shape& shape : kBoundedShapes) {
    const PqBoundsTest test(shape, 1, 0.3f, 1000);
    const auto made = test.ForScans();
    const auto& storage = static_cast<const PqStorage&>(*made);
    const auto codebook = test.Codebook();
    for (const ScorerOptions& options : kScorings) {
      const auto for_graphs = test.ForGraphs();
      std::map<uint64_t, float> distances;
      for (const auto& row : test.Nearest(*for_graphs, options, TopK(1000))) distances[row.row_id] = row.distance;
      std::vector<float> table(codebook->shape().table_size()), bounds(1000);
      std::vector<uint8_t> bytes(table.size());
      if (options.metric == Metric::kDot) {
        simd::PqTableDot(test.query.data(), codebook->blocks()->raw_values(), shape.num_sub_vectors,
                         shape.dimension / shape.num_sub_vectors, shape.num_codewords(), table.data());
      }
      PqBounds of_query(*codebook, test.query.data(), options, table.data(), bytes.data());
      ASSERT_TRUE(of_query.exist());
      of_query.SetCentroid(test.centroid.data());
      of_query.Compute(storage, 0, 1000, bounds.data());
      const auto nearer = [](const auto& a, const auto& b) { return a.second < b.second; };
      const auto [nearest, farthest] = std::minmax_element(distances.begin(), distances.end(), nearer);
      const float useful = (farthest->second - nearest->second) / 3;
      for (size_t i = 0; i < 1000; ++i) {
        const float distance = distances[storage.row_ids()[i]];
        ASSERT_LE(bounds[i], of_query.LimitFor(distance)) << ToString(options.metric) << " row " << i;
        ASSERT_GT(bounds[i] + useful, of_query.LimitFor(distance)) << ToString(options.metric) << " row " << i;
      }
    }
  }
}

TEST(Pq, PairsOfQueriesFindWhatEachFindsAlone) {
  const EvenIds even;
  for (const Shape& shape : {Shape{4, 2, 12}, {4, 64, 128}, {8, 4, 4}}) {
    for (size_t num_rows : {1, 65, 900, 2500}) {
      const PqBoundsTest test(shape, 1, 0.3f, num_rows);
      const auto for_graphs = test.ForGraphs();
      for (const auto& storage : {test.ForScans(), for_graphs}) {
        for (const ScorerOptions& options : kScorings) {
          for (const auto& [one, other] : {std::pair{TopK(10), TopK(1)},
                                           {TopK(30), TopK(2000)},
                                           {TopK(0), TopK(7)},
                                           {TopK(5, &even), TopK(300)}}) {
            const auto [found, found_by_other] = test.NearestOfPair(*storage, options, one, other);
            EXPECT_EQ(found, test.Nearest(*for_graphs, options, one)) << shape.num_bits << " bits, rows " << num_rows;
            EXPECT_EQ(found_by_other, test.Nearest(*for_graphs, options, other, test.other_query));
          }
        }
      }
    }
  }
}

TEST(Pq, NoBoundsWhereNumbersAreNotFinite) {
  const PqBoundsTest large({8, 4, 8}, 1e30f, 1, 70), small({8, 4, 8}, 1, 1, 70);
  EXPECT_EQ(static_cast<const PqStorage&>(*large.ForScans()).squared_lengths(), nullptr);
  EXPECT_NE(static_cast<const PqStorage&>(*small.ForScans()).squared_lengths(), nullptr);
  std::vector<float> table(4 * 256);
  std::vector<uint8_t> bytes(table.size());
  const ScorerOptions l2{.metric = Metric::kL2};
  EXPECT_TRUE(PqBounds(*small.Codebook(), small.query.data(), l2, table.data(), bytes.data()).exist());
  EXPECT_FALSE(PqBounds(*small.Codebook(), large.query.data(), l2, table.data(), bytes.data()).exist());
  std::vector<float> query = small.query;
  query[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(PqBounds(*small.Codebook(), query.data(), l2, table.data(), bytes.data()).exist());
}

TEST(Pq, OneScorerServesManyPartitions) {
  const auto test = PqTestPartition(8, 4, 16, 100);
  const auto query = RandomFloats(16, 7), first = RandomFloats(16, 8), second = RandomFloats(16, 9);
  const auto scorer = test.quantizer->MakeScorer(query.data(), {.metric = Metric::kL2});
  for (const auto& centroid : {first, second, first}) {
    TopK top_k(5);
    scorer->BeginPartition({.centroid = centroid.data()});
    scorer->Scan(test.partition->storage(), &top_k);
    EXPECT_EQ(top_k.Finish(),
              ScanStorage(*test.quantizer, test.partition->storage(), query.data(), Metric::kL2, centroid.data(), 5));
  }
}

TEST(Pq, CodesLieRowAfterRowForGraphs) {
  const std::vector<uint8_t> row_major = {1, 2, 3, 4, 5, 6, 7, 8}, column_major = {1, 3, 5, 7, 2, 4, 6, 8};
  for (bool transposed : {true, false}) {
    const auto quantizer = PqQuantizerOf(PqMetadataOf(8, 2, 4, transposed), RandomFloats(256 * 4, 1));
    const auto rows = PqRows(transposed ? column_major : row_major, 2);
    const auto made = OrDie(quantizer->MakeStorage(*rows, StorageLayout::kRandomAccess));
    const auto& storage = static_cast<const PqStorage&>(*made);
    EXPECT_EQ(std::vector<uint8_t>(storage.codes(), storage.codes() + 8), row_major);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(storage.codes()) % 64, 0u);
    EXPECT_EQ(storage.Parameters(), (StorageParameters{8, 2, 1, 0}));
  }
}

TEST(Pq, SingleRowsOfAStorageForScansHaveNoDistance) {
  const auto test = PqTestPartition(8, 4, 16, 3);
  const auto query = RandomFloats(16, 1);
  const auto scorer = test.quantizer->MakeScorer(query.data(), {.metric = Metric::kDot});
  const uint32_t rows[] = {2, 0};
  float distances[] = {1, 1};
  scorer->ScoreRows(0, test.partition->storage(), rows, distances);
  EXPECT_TRUE(std::isnan(distances[0]) && std::isnan(distances[1]));
}

TEST(Pq, TheResidualOfHalvesIsRoundedToAHalf) {
  // One sub-vector of one element, whose codewords are 0, 1, 2 …; the only row is codeword 0, so that the distance is
  // the square of the residual.
  std::vector<float> codebook(16 * 2);
  std::iota(codebook.begin(), codebook.end(), 0.0f);
  const auto quantizer = PqQuantizerOf(PqMetadataOf(4, 2, 2, false), codebook);
  const auto storage = OrDie(quantizer->MakeStorage(*PqRows({0}, 1), StorageLayout::kScan));
  const std::vector<float> query = {1.0f, 16.0f}, centroid = {0.0002f, 0.0f};
  const auto distance = [&](ElementType type, Metric metric) {
    const auto scorer = quantizer->MakeScorer(query.data(), {.metric = metric, .element_type = type});
    TopK top_k(1);
    scorer->BeginPartition({.centroid = centroid.data()});
    scorer->Scan(*storage, &top_k);
    return top_k.Finish().at(0).distance;
  };
  // The second sub-vector's codeword is 16, as is the query there.
  EXPECT_LT(distance(ElementType::kFloat32, Metric::kL2), 0.9997f);
  EXPECT_EQ(distance(ElementType::kFloat16, Metric::kL2), 1.0f);
  EXPECT_EQ(distance(ElementType::kFloat64, Metric::kL2), distance(ElementType::kFloat32, Metric::kL2));
  EXPECT_EQ(distance(ElementType::kFloat16, Metric::kDot), distance(ElementType::kFloat32, Metric::kDot));
}

TEST(Pq, CodesLieInAlignedColumnsPaddedWithZeros) {
  for (uint32_t num_bits : {4, 8}) {
    const auto test = PqTestPartition(num_bits, 6, 12, 70);
    const auto& storage = static_cast<const PqStorage&>(test.partition->storage());
    EXPECT_EQ(storage.stride(), 128u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(storage.codes()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(storage.row_ids()) % 64, 0u);
    const size_t width = num_bits == 8 ? 6 : 3;
    EXPECT_EQ(storage.Parameters(), (StorageParameters{num_bits, static_cast<uint32_t>(width), 0, 0}));
    EXPECT_GE(storage.SizeInBytes(), static_cast<int64_t>(70 * 8 + 128 * width));
    for (size_t j = 0; j < width; ++j) {
      for (size_t i = 70; i < 128; ++i) EXPECT_EQ(storage.codes()[j * 128 + i], 0) << j << " " << i;
    }
  }
}

TEST(Pq, RowsThatDoNotFitAreRefused) {
  const auto test = PqTestPartition(8, 4, 16, 1);
  const auto rows = PqRows(RandomBytes(8, 1), 4);
  const auto error = [&](const arrow::RecordBatch& batch) {
    return test.quantizer->MakeStorage(batch, StorageLayout::kScan).status().message();
  };
  EXPECT_EQ(error(*rows), "");
  EXPECT_THAT(error(*OrDie(rows->RemoveColumn(0))), HasSubstr("column _rowid: missing"));
  EXPECT_THAT(error(*OrDie(rows->RemoveColumn(1))), HasSubstr("column __pq_code: missing"));
  EXPECT_THAT(error(*PqRows(RandomBytes(10, 1), 5)), HasSubstr("column __pq_code: expected lists of 4 uint8"));
  const auto nulls = *arrow::MakeArrayOfNull(rows->column(1)->type(), 2);
  EXPECT_THAT(error(*storage_test::WithColumn(*rows, 1, nulls)), HasSubstr("column __pq_code: has nulls"));
}

TEST(Pq, ACodebookOfAnotherLengthIsRefused) {
  const auto values = RandomFloats(256 * 16 + 1, 1);
  for (const auto& [length, good] :
       {std::pair{256 * 16, true}, {256 * 16 + 1, false}, {256 * 16 - 1, false}, {0, false}}) {
    const auto array = ArrayOver(arrow::float32(), arrow::Buffer::FromVector(values))->Slice(0, length);
    const auto made = MakePqQuantizer(PqMetadataOf(8, 4, 16, true), static_cast<const arrow::FloatArray&>(*array));
    EXPECT_EQ(made.ok(), good) << length;
  }
  const auto array = ArrayOver(arrow::float32(), arrow::Buffer::FromVector(values));
  EXPECT_FALSE(MakePqQuantizer(PqMetadataOf(8, 3, 16, true), static_cast<const arrow::FloatArray&>(*array)).ok());
}

TEST(Pq, QuantizerComesBackFromItsSectionsWithoutACopy) {
  for (bool transposed : {true, false}) {
    const auto codebook = RandomFloats(16 * 24, 1);
    const auto quantizer = PqQuantizerOf(PqMetadataOf(4, 6, 24, transposed), codebook);
    const auto out = OrDie(arrow::io::BufferOutputStream::Create());
    ASSERT_TRUE(quantizer->Serialize(out.get()).ok());
    ipc::SectionReader sections(OrDie(out->Finish()));
    const auto back = kPqKind.quantizer_from_sections(&sections);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(sections.Finish().ok());
    EXPECT_EQ((*back)->dimension(), 24u);
    EXPECT_EQ((*back)->Describe(), "PQ, 6 sub-vectors of 4 bits");
    EXPECT_EQ((*back)->SizeInBytes(), quantizer->SizeInBytes());
    const auto query = RandomFloats(24, 2), centroid = RandomFloats(24, 3);
    const auto rows = PqRows(RandomBytes(90 * 3, 4), 3);
    const auto ours = OrDie(quantizer->MakeStorage(*rows, StorageLayout::kScan)),
               theirs = OrDie((*back)->MakeStorage(*rows, StorageLayout::kScan));
    EXPECT_EQ(ScanStorage(*quantizer, *ours, query.data(), Metric::kL2, centroid.data(), 90),
              ScanStorage(**back, *theirs, query.data(), Metric::kL2, centroid.data(), 90));
  }
}

TEST(Pq, AQuantizerSectionWithAnyBitFlippedIsRefusedOrSound) {
  const auto quantizer = PqQuantizerOf(PqMetadataOf(4, 2, 2, true), RandomFloats(16 * 2, 1));
  EXPECT_GT(storage_test::CountSoundSections(kPqKind, *quantizer), 0u);
}

TEST(Pq, StoragesOfAnotherShapeAreRefused) {
  const auto quantizer = PqTestPartition(8, 8, 16, 3).quantizer;
  const auto error = [&](const storage_test::TestPartition& test, StorageLayout layout) {
    return quantizer->CheckStorage(test.partition->storage(), layout).message();
  };
  const auto for_scans = PqTestPartition(8, 8, 16, 3);
  const auto for_graphs = PqTestPartition(8, 8, 16, 3, StorageLayout::kRandomAccess);
  EXPECT_EQ(error(for_scans, StorageLayout::kScan), "");
  EXPECT_EQ(error(for_graphs, StorageLayout::kRandomAccess), "");
  EXPECT_THAT(error(for_scans, StorageLayout::kRandomAccess), HasSubstr("expected layout 1, not 0"));
  EXPECT_THAT(error(for_graphs, StorageLayout::kScan), HasSubstr("expected layout 0, not 1"));
  EXPECT_THAT(error(PqTestPartition(8, 4, 16, 3), StorageLayout::kScan), HasSubstr("not of 8 and 4"));
  EXPECT_THAT(error(PqTestPartition(4, 16, 16, 3), StorageLayout::kScan), HasSubstr("not of 4 and 8"));
  EXPECT_THAT(error(storage_test::FlatTestPartition(16, 3), StorageLayout::kScan), HasSubstr("expected PQ, not flat"));
}

}  // namespace
}  // namespace fewter
