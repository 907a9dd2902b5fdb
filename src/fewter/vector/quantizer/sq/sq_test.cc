#include "fewter/vector/quantizer/sq/sq.h"

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::OrDie;
using storage_test::RandomBytes;
using storage_test::RandomFloats;
using storage_test::RowIdOf;
using storage_test::ScanStorage;
using storage_test::SqMetadataOf;
using storage_test::SqQuantizerOf;
using storage_test::SqRows;
using storage_test::SqTestPartition;
using testing::HasSubstr;

constexpr double kStart = -1.5, kEnd = 2.25;

// Between what the bytes stand for; the query's, too, unless the metric is dot.
double Expected(Metric metric, const std::vector<float>& query, const uint8_t* codes) {
  const double step = (kEnd - kStart) / 255;
  double sum = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    const double value = kStart + step * codes[i];
    const double scaled = std::trunc(std::min(255.0, std::max(0.0, (query[i] - kStart) / step)));
    sum += metric == Metric::kDot ? query[i] * value : std::pow(kStart + step * scaled - value, 2);
  }
  return metric == Metric::kDot ? 1 - sum : sum;
}

void ExpectDistances(Metric metric, size_t dimension, size_t num_rows) {
  SCOPED_TRACE(testing::Message() << ToString(metric) << ", dimension " << dimension << ", rows " << num_rows);
  const auto query = RandomFloats(dimension, 2);
  const auto codes = RandomBytes(num_rows * dimension, 1);
  const auto quantizer = SqQuantizerOf(static_cast<uint32_t>(dimension), "-1.5", "2.25");
  const auto storage = OrDie(quantizer->MakeStorage(*SqRows(codes, dimension), StorageLayout::kScan));
  const auto found = ScanStorage(*quantizer, *storage, query.data(), metric, nullptr, num_rows + 1);
  ASSERT_EQ(found.size(), num_rows);
  std::map<uint64_t, float> distances;
  for (const Neighbor& row : found) distances[row.row_id] = row.distance;
  for (size_t i = 0; i < num_rows; ++i) {
    const double expected = Expected(metric, query, codes.data() + i * dimension);
    // Sums of squares are exact integers; an inner product is a sum of floats.
    const double allowance =
        metric == Metric::kDot ? 1e-6 * (10 + static_cast<double>(dimension)) : 1e-6 * (expected + 1e-6);
    ASSERT_TRUE(distances.contains(RowIdOf(i)));
    ASSERT_NEAR(distances[RowIdOf(i)], expected, allowance) << "row " << i;
  }
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), Nearer));
  EXPECT_EQ(storage_test::ScoreEveryRow(*quantizer, *storage, query.data(), metric, nullptr), found);
}

TEST(Sq, DistancesAgreeWithTheFormulas) {
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (size_t dimension : {1, 7, 8, 33, 64, 96, 384, 1536}) {
      for (size_t num_rows : {0, 1, 63, 64, 65, 1000}) ExpectDistances(metric, dimension, num_rows);
    }
  }
}

TEST(Sq, QueriesAreTruncatedToBytes) {
  const SqBounds bounds{-1, 1};
  EXPECT_EQ(QuantizeToByte(bounds, -1.0f), 0);
  EXPECT_EQ(QuantizeToByte(bounds, 1.0f), 255);
  EXPECT_EQ(QuantizeToByte(bounds, 0.0f), 127);
  EXPECT_EQ(QuantizeToByte(bounds, 0.999f), 254);
  EXPECT_EQ(QuantizeToByte(bounds, -9.0f), 0);
  EXPECT_EQ(QuantizeToByte(bounds, 9.0f), 255);
  EXPECT_EQ(QuantizeToByte(bounds, std::numeric_limits<float>::infinity()), 255);
  EXPECT_EQ(QuantizeToByte(bounds, -std::numeric_limits<float>::infinity()), 0);
  EXPECT_EQ(QuantizeToByte(bounds, std::nanf("")), 0);
  EXPECT_EQ(QuantizeToByte({2, 2}, 3.0f), 0);
}

TEST(Sq, EqualBoundsMakeAllRowsEqual) {
  const auto quantizer = SqQuantizerOf(4, "1.5", "1.5");
  const auto storage = OrDie(quantizer->MakeStorage(*SqRows(RandomBytes(8, 1), 4), StorageLayout::kScan));
  const std::vector<float> query = {1, 2, 3, 4};
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const auto found = ScanStorage(*quantizer, *storage, query.data(), metric, nullptr, 2);
    ASSERT_EQ(found.size(), 2u);
    const float expected = metric == Metric::kDot ? 1 - 1.5f * 10 : 0;
    for (const Neighbor& row : found) EXPECT_EQ(row.distance, expected);
  }
}

TEST(Sq, RowsThatDoNotFitAreRefused) {
  const auto quantizer = SqQuantizerOf(4, "0", "1");
  const auto error = [&](const arrow::RecordBatch& batch) {
    return quantizer->MakeStorage(batch, StorageLayout::kScan).status().message();
  };
  const auto rows = SqRows(RandomBytes(8, 1), 4);
  EXPECT_EQ(error(*rows), "");
  EXPECT_THAT(error(*OrDie(rows->RemoveColumn(1))), HasSubstr("column __sq_code: missing"));
  EXPECT_THAT(error(*SqRows(RandomBytes(10, 1), 5)), HasSubstr("column __sq_code: expected lists of 4 uint8"));
}

TEST(Sq, MetadataIsChecked) {
  const auto error = [](const std::string& metadata, uint32_t dimension = 12) {
    return MakeSqQuantizer({.metadata = metadata, .dimension = dimension}).status().message();
  };
  EXPECT_EQ(error(SqMetadataOf(12, "-0.25", "1")), "");
  EXPECT_EQ(error(SqMetadataOf(12, "1", "1")), "");
  EXPECT_THAT(error(SqMetadataOf(13, "0", "1")), HasSubstr("dim is 13"));
  EXPECT_THAT(error(SqMetadataOf(0, "0", "1"), 0), HasSubstr("dim is 0"));
  EXPECT_THAT(error(SqMetadataOf(65537, "0", "1"), 65537), HasSubstr("dim is 65537"));
  EXPECT_THAT(error("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(R"({"dim":12,"num_bits":4,"bounds":{"start":0,"end":1}})"), HasSubstr("num_bits"));
  EXPECT_THAT(error(R"({"dim":12,"num_bits":"8","bounds":{"start":0,"end":1}})"), HasSubstr("num_bits"));
  EXPECT_THAT(error(R"({"dim":12,"bounds":{"start":0,"end":1}})"), HasSubstr("num_bits"));
  EXPECT_THAT(error(R"({"dim":12,"num_bits":8})"), HasSubstr("bounds is missing"));
  EXPECT_THAT(error(R"({"dim":12,"num_bits":8,"bounds":[0,1]})"), HasSubstr("bounds is missing or not an object"));
  EXPECT_THAT(error(R"({"dim":12,"num_bits":8,"bounds":{"end":1}})"), HasSubstr("bounds.start"));
  EXPECT_THAT(error(SqMetadataOf(12, "null", "1")), HasSubstr("bounds.start"));
  EXPECT_THAT(error(SqMetadataOf(12, "0", "\"1\"")), HasSubstr("bounds.end"));
  EXPECT_THAT(error(SqMetadataOf(12, "1", "0")), HasSubstr("bounds from 1.000000 to 0.000000"));
  EXPECT_THAT(error(SqMetadataOf(12, "-3e38", "3e38")), HasSubstr("not a finite range"));
  EXPECT_THAT(error(SqMetadataOf(12, "1e300", "1e300")), HasSubstr("not a finite range"));
  EXPECT_THAT(error(SqMetadataOf(12, "0", "1e999")), HasSubstr("not a JSON object"));
}

std::shared_ptr<arrow::Buffer> SectionOf(const Quantizer& quantizer) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!quantizer.Serialize(out.get()).ok()) std::abort();
  return OrDie(out->Finish());
}

TEST(Sq, QuantizerComesBackFromItsSection) {
  const auto quantizer = SqQuantizerOf(33, "-0.75", "0.5");
  ipc::SectionReader sections(SectionOf(*quantizer));
  const auto back = kSqKind.quantizer_from_sections(&sections);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(sections.Finish().ok());
  EXPECT_EQ((*back)->Describe(), "SQ, 33 bytes");
  EXPECT_EQ(SectionOf(**back)->ToString(), SectionOf(*quantizer)->ToString());
  const auto query = RandomFloats(33, 2);
  const auto storage = OrDie(quantizer->MakeStorage(*SqRows(RandomBytes(33 * 9, 4), 33), StorageLayout::kScan));
  for (const Metric metric : {Metric::kL2, Metric::kDot}) {
    EXPECT_EQ(ScanStorage(*quantizer, *storage, query.data(), metric, nullptr, 9),
              ScanStorage(**back, *storage, query.data(), metric, nullptr, 9));
  }
}

TEST(Sq, BoundsThatAreNoRangeAreRefusedInASectionToo) {
  const auto error = [](uint32_t dimension, double start, double end) {
    const auto bounds = ArrayOver(arrow::float64(), arrow::Buffer::FromVector(std::vector<double>{start, end}));
    const auto dimensions = ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::vector<uint32_t>{dimension}));
    const auto out = OrDie(arrow::io::BufferOutputStream::Create());
    const auto batch = MakeOneRowBatch({"dimension", "bounds"}, {dimensions, bounds});
    if (!ipc::WriteSection(*batch, out.get()).ok()) std::abort();
    ipc::SectionReader sections(OrDie(out->Finish()));
    return kSqKind.quantizer_from_sections(&sections).status().message();
  };
  EXPECT_EQ(error(3, 0, 1), "");
  EXPECT_THAT(error(0, 0, 1), HasSubstr("dim is 0"));
  EXPECT_THAT(error(1 << 17, 0, 1), HasSubstr("dim is 131072"));
  EXPECT_THAT(error(3, 1, 0), HasSubstr("bounds"));
  EXPECT_THAT(error(3, std::nan(""), 1), HasSubstr("bounds"));
  EXPECT_THAT(error(3, 0, std::nan("")), HasSubstr("bounds"));
  EXPECT_THAT(error(3, -std::numeric_limits<double>::infinity(), 1), HasSubstr("bounds"));
  EXPECT_THAT(error(3, 0, std::numeric_limits<double>::infinity()), HasSubstr("bounds"));
}

TEST(Sq, AQuantizerSectionWithAnyBitFlippedIsRefusedOrSound) {
  EXPECT_GT(storage_test::CountSoundSections(kSqKind, *SqQuantizerOf(5, "-1", "2")), 0u);
}

TEST(Sq, StoragesOfAnotherShapeAreRefused) {
  const auto quantizer = SqQuantizerOf(8, "0", "1");
  const auto error = [&](const storage_test::TestPartition& test) {
    return quantizer->CheckStorage(test.partition->storage(), StorageLayout::kScan).message();
  };
  EXPECT_EQ(error(SqTestPartition(8, 3)), "");
  EXPECT_THAT(error(SqTestPartition(9, 3)), HasSubstr("parameters 8, 0 and 0, not 9, 0 and 0"));
  EXPECT_THAT(error(storage_test::BinaryTestPartition(8, 3)), HasSubstr("expected SQ, not binary"));
}

}  // namespace
}  // namespace fewter
