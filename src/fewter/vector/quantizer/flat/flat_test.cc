#include "fewter/vector/quantizer/flat/flat.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <arrow/array/util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::FlatQuantizerOf;
using storage_test::FlatRows;
using storage_test::OrDie;
using storage_test::RandomFloats;
using storage_test::RowIdOf;
using storage_test::ScanStorage;
using testing::HasSubstr;

double Dot(const float* a, const float* b, size_t d) {
  double sum = 0;
  for (size_t i = 0; i < d; ++i) sum += double{a[i]} * b[i];
  return sum;
}

double Expected(Metric metric, const float* q, const float* x, size_t d) {
  if (metric == Metric::kDot) return 1 - Dot(q, x, d);
  if (metric == Metric::kCosine) return 1 - Dot(q, x, d) / std::sqrt(Dot(q, q, d) * Dot(x, x, d));
  double sum = 0;
  for (size_t i = 0; i < d; ++i) sum += (double{q[i]} - x[i]) * (double{q[i]} - x[i]);
  return sum;
}

std::vector<float> Rounded(ElementType type, std::vector<float> values) {
  for (float& value : values) value = RoundTo(type, value);
  return values;
}

void ExpectDistances(ElementType type, Metric metric, size_t dimension, size_t num_rows) {
  SCOPED_TRACE(testing::Message() << ToString(type) << ", " << ToString(metric) << ", dimension " << dimension
                                  << ", rows " << num_rows);
  const auto vectors = Rounded(type, RandomFloats(num_rows * dimension, 1));
  const auto query = Rounded(type, RandomFloats(dimension, 2));
  const auto quantizer = FlatQuantizerOf(static_cast<uint32_t>(dimension), type);
  const auto storage = OrDie(quantizer->MakeStorage(*FlatRows(vectors, dimension, type), StorageLayout::kScan));
  ASSERT_EQ(storage->num_rows(), num_rows);
  const auto found = ScanStorage(*quantizer, *storage, query.data(), metric, nullptr, num_rows + 1);
  ASSERT_EQ(found.size(), num_rows);
  std::map<uint64_t, float> distances;
  for (const Neighbor& row : found) distances[row.row_id] = row.distance;
  for (size_t i = 0; i < num_rows; ++i) {
    const double expected = Expected(metric, query.data(), vectors.data() + i * dimension, dimension);
    // Sums of doubles are exact but for the rounding at the end.
    const double of_sum = metric == Metric::kCosine ? 1e-6 : 1e-6 * (10 + static_cast<double>(dimension));
    const double allowance = type == ElementType::kFloat64 ? 1e-7 * (1 + std::abs(expected)) : of_sum;
    ASSERT_TRUE(distances.contains(RowIdOf(i)));
    EXPECT_NEAR(distances[RowIdOf(i)], expected, allowance) << "row " << i;
  }
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), Nearer));
  EXPECT_EQ(storage_test::ScoreEveryRow(*quantizer, *storage, query.data(), metric, nullptr), found);
}

TEST(Flat, DistancesAgreeWithTheFormulas) {
  for (ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kFloat64}) {
    for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
      for (size_t dimension : {1, 7, 8, 33, 64, 96, 384, 1536}) {
        for (size_t num_rows : {0, 1, 63, 64, 65, 1000}) ExpectDistances(type, metric, dimension, num_rows);
      }
    }
  }
}

TEST(Flat, DoublesAreComparedAsDoubles) {
  // No float lies between these and 16777216.
  const std::vector<double> vectors = {16777216.25, 16777216.5, 16777216.75, 16777216};
  const auto quantizer = FlatQuantizerOf(1, ElementType::kFloat64);
  const auto rows = storage_test::MakeRows("flat", arrow::float64(), vectors, 1);
  const auto storage = OrDie(quantizer->MakeStorage(*rows, StorageLayout::kScan));
  const float query = 16777216;
  EXPECT_THAT(ScanStorage(*quantizer, *storage, &query, Metric::kL2, nullptr, 4),
              testing::ElementsAre(Neighbor{0, RowIdOf(3)}, Neighbor{0.0625f, RowIdOf(0)}, Neighbor{0.25f, RowIdOf(1)},
                                   Neighbor{0.5625f, RowIdOf(2)}));
}

TEST(Flat, AVectorWithoutADirectionIsNotReturnedForCosine) {
  std::vector<float> vectors = RandomFloats(3 * 8, 1);
  std::fill_n(vectors.begin() + 8, 8, 0.0f);
  const auto quantizer = FlatQuantizerOf(8);
  const auto storage = OrDie(quantizer->MakeStorage(*FlatRows(vectors, 8), StorageLayout::kScan));
  const std::vector<float> query = RandomFloats(8, 2);
  EXPECT_EQ(ScanStorage(*quantizer, *storage, query.data(), Metric::kCosine, nullptr, 9).size(), 2u);
  EXPECT_EQ(ScanStorage(*quantizer, *storage, query.data(), Metric::kL2, nullptr, 9).size(), 3u);
}

TEST(Flat, ScorerKeepsItsOwnCopyOfTheQuery) {
  const auto quantizer = FlatQuantizerOf(4);
  const auto storage = OrDie(quantizer->MakeStorage(*FlatRows({1, 2, 3, 4}, 4), StorageLayout::kScan));
  std::vector<float> query = {1, 2, 3, 6};
  const auto scorer = quantizer->MakeScorer(query.data(), {.metric = Metric::kL2});
  std::fill(query.begin(), query.end(), 99.0f);
  TopK top_k(1);
  scorer->Scan(*storage, &top_k);
  EXPECT_THAT(top_k.Finish(), testing::ElementsAre(Neighbor{4, RowIdOf(0)}));
}

TEST(Flat, AlignedRowsAreUsedWhereTheyLieAndOthersAreCopied) {
  const size_t dimension = 7;
  const auto quantizer = FlatQuantizerOf(dimension);
  // Buffers from the pool are aligned; those over a std::vector need not be.
  const auto rows = FlatRows(RandomFloats(40 * dimension, 1), dimension);
  arrow::ArrayVector aligned;
  for (const auto& column : rows->columns())
    aligned.push_back(OrDie(column->CopyTo(arrow::default_cpu_memory_manager())));
  const auto batch = arrow::RecordBatch::Make(rows->schema(), 40, aligned);
  const auto in_place = OrDie(quantizer->MakeStorage(*batch, StorageLayout::kScan));
  EXPECT_EQ(in_place->row_ids(), static_cast<const arrow::UInt64Array&>(*aligned[0]).raw_values());
  const auto sliced = OrDie(quantizer->MakeStorage(*batch->Slice(3, 30), StorageLayout::kScan));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(sliced->row_ids()) % 64, 0u);
  ASSERT_EQ(sliced->num_rows(), 30u);
  EXPECT_EQ(sliced->row_ids()[0], RowIdOf(3));
  const std::vector<float> query = RandomFloats(dimension, 2);
  auto all = ScanStorage(*quantizer, *in_place, query.data(), Metric::kL2, nullptr, 40);
  std::erase_if(all, [&](const Neighbor& row) {
    const auto* end = sliced->row_ids() + 30;
    return std::find(sliced->row_ids(), end, row.row_id) == end;
  });
  EXPECT_EQ(ScanStorage(*quantizer, *sliced, query.data(), Metric::kL2, nullptr, 40), all);
}

TEST(Flat, RowsThatDoNotFitAreRefused) {
  const auto quantizer = FlatQuantizerOf(4);
  const auto rows = FlatRows(RandomFloats(8, 1), 4);
  const auto error = [&](const arrow::RecordBatch& batch) {
    return quantizer->MakeStorage(batch, StorageLayout::kScan).status().message();
  };
  EXPECT_THAT(error(*OrDie(rows->RemoveColumn(0))), HasSubstr("column _rowid: missing"));
  EXPECT_THAT(error(*OrDie(rows->RemoveColumn(1))), HasSubstr("column flat: missing"));
  EXPECT_THAT(error(*FlatRows(RandomFloats(10, 1), 5)), HasSubstr("column flat: expected lists of 4 float"));
  EXPECT_THAT(error(*storage_test::MakeRows<double>("flat", arrow::float64(), std::vector<double>(8), 4)),
              HasSubstr("column flat: expected lists of 4 float"));
  const auto replaced = [&](int index, const std::shared_ptr<arrow::Array>& column) {
    return error(*storage_test::WithColumn(*rows, index, column));
  };
  EXPECT_THAT(replaced(1, *arrow::MakeArrayOfNull(rows->column(1)->type(), 2)), HasSubstr("column flat: has nulls"));
  const auto nulls = *arrow::MakeArrayOfNull(arrow::float32(), 8);
  EXPECT_THAT(replaced(1, OrDie(arrow::FixedSizeListArray::FromArrays(nulls, 4))),
              HasSubstr("column flat: a list has nulls"));
  const auto shifted = rows->column(1)->data()->Copy();
  shifted->offset = 1;
  EXPECT_THAT(replaced(1, arrow::MakeArray(shifted)), HasSubstr("column flat: values 4 + 8 of 8"));
  EXPECT_THAT(replaced(0, *arrow::MakeArrayOfNull(arrow::uint64(), 2)), HasSubstr("column _rowid: has nulls"));
  const auto signed_ids = ArrayOver(arrow::int64(), arrow::Buffer::FromVector(std::vector<int64_t>{1, 2}));
  EXPECT_THAT(replaced(0, signed_ids), HasSubstr("column _rowid: expected uint64"));
}

TEST(Flat, MetadataIsChecked) {
  EXPECT_TRUE(MakeFlatQuantizer({.metadata = R"({"dim": 12, "other": [1]})", .dimension = 12}).ok());
  for (const char* text : {"", "12", "{", "[12]", "{}", R"({"dim":"12"})", R"({"dim":-12})", R"({"dim":12.0})",
                           R"({"dim":13})", R"({"dim":4294967308})", R"({"dim":null})", "{\"dim\":12}\xff"}) {
    EXPECT_FALSE(MakeFlatQuantizer({.metadata = text, .dimension = 12}).ok()) << text;
  }
  EXPECT_FALSE(MakeFlatQuantizer({.metadata = R"({"dim":0})", .dimension = 0}).ok());
  const QuantizerSource bytes{.metadata = R"({"dim":12})", .dimension = 12, .element_type = ElementType::kUint8};
  EXPECT_THAT(MakeFlatQuantizer(bytes).status().message(), HasSubstr("element type uint8"));
}

class FlatQuantizerOfType : public testing::TestWithParam<ElementType> {};

TEST_P(FlatQuantizerOfType, ComesBackFromItsSection) {
  const auto quantizer = FlatQuantizerOf(33, GetParam());
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  ASSERT_TRUE(quantizer->Serialize(out.get()).ok());
  ipc::SectionReader sections(OrDie(out->Finish()));
  const auto back = kFlatKind.quantizer_from_sections(&sections);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(sections.Finish().ok());
  EXPECT_EQ((*back)->dimension(), 33u);
  EXPECT_EQ((*back)->Describe(), "flat, 33 " + std::string(ToString(GetParam())) + "s");
  const auto test = storage_test::FlatTestPartition(33, 3, GetParam());
  EXPECT_TRUE((*back)->CheckStorage(test.partition->storage(), test.layout).ok());
}

INSTANTIATE_TEST_SUITE_P(, FlatQuantizerOfType,
                         testing::Values(ElementType::kFloat32, ElementType::kFloat16, ElementType::kFloat64),
                         [](const auto& test) { return std::string(ToString(test.param)); });

TEST(Flat, AQuantizerSectionWithAnyBitFlippedIsRefusedOrSound) {
  EXPECT_GT(storage_test::CountSoundSections(kFlatKind, *FlatQuantizerOf(5, ElementType::kFloat16)), 0u);
}

TEST(Flat, StoragesOfAnotherShapeAreRefused) {
  const auto quantizer = FlatQuantizerOf(8);
  const auto error = [&](const storage_test::TestPartition& test) {
    return quantizer->CheckStorage(test.partition->storage(), StorageLayout::kScan).message();
  };
  EXPECT_EQ(error(storage_test::FlatTestPartition(8, 3)), "");
  EXPECT_THAT(error(storage_test::FlatTestPartition(9, 3)), HasSubstr("parameters 8 and 0, not 9 and 0"));
  EXPECT_THAT(error(storage_test::FlatTestPartition(8, 3, ElementType::kFloat64)), HasSubstr("not 8 and 2"));
  EXPECT_THAT(error(storage_test::PqTestPartition(8, 8, 8, 3)), HasSubstr("expected flat, not PQ"));
}

}  // namespace
}  // namespace fewter
