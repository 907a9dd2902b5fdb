#include "fewter/vector/quantizer/flat_binary/flat_binary.h"

#include <bit>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::BinaryQuantizerOf;
using storage_test::BinaryRows;
using storage_test::BinaryTestPartition;
using storage_test::OrDie;
using storage_test::RandomBytes;
using storage_test::RowIdOf;
using storage_test::ScanStorage;
using testing::HasSubstr;

void ExpectDistances(size_t dimension, size_t num_rows) {
  SCOPED_TRACE(testing::Message() << "bytes " << dimension << ", rows " << num_rows);
  const auto vectors = RandomBytes(num_rows * dimension, 1), bytes = RandomBytes(dimension, 2);
  const std::vector<float> query(bytes.begin(), bytes.end());
  const auto quantizer = BinaryQuantizerOf(static_cast<uint32_t>(dimension));
  const auto storage = OrDie(quantizer->MakeStorage(*BinaryRows(vectors, dimension), StorageLayout::kScan));
  const auto found = ScanStorage(*quantizer, *storage, query.data(), Metric::kHamming, nullptr, num_rows + 1);
  ASSERT_EQ(found.size(), num_rows);
  std::map<uint64_t, float> distances;
  for (const Neighbor& row : found) distances[row.row_id] = row.distance;
  for (size_t i = 0; i < num_rows; ++i) {
    int expected = 0;
    for (size_t j = 0; j < dimension; ++j) {
      expected += std::popcount(static_cast<uint8_t>(bytes[j] ^ vectors[i * dimension + j]));
    }
    ASSERT_TRUE(distances.contains(RowIdOf(i)));
    EXPECT_EQ(distances[RowIdOf(i)], static_cast<float>(expected)) << "row " << i;
  }
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), Nearer));
  EXPECT_EQ(storage_test::ScoreEveryRow(*quantizer, *storage, query.data(), Metric::kHamming, nullptr), found);
}

TEST(FlatBinary, DistancesAreTheDifferingBits) {
  for (size_t dimension : {1, 7, 8, 33, 64, 96, 129}) {
    for (size_t num_rows : {0, 1, 63, 64, 65, 1000}) ExpectDistances(dimension, num_rows);
  }
}

TEST(FlatBinary, QueriesBecomeBytes) {
  const auto quantizer = BinaryQuantizerOf(3);
  const auto storage = OrDie(quantizer->MakeStorage(*BinaryRows({0, 255, 17}, 3), StorageLayout::kScan));
  const float query[] = {-4.0f, 1000.0f, 17.0f};
  EXPECT_THAT(ScanStorage(*quantizer, *storage, query, Metric::kHamming, nullptr, 2),
              testing::ElementsAre(Neighbor{0, RowIdOf(0)}));
}

TEST(FlatBinary, RowsThatDoNotFitAreRefused) {
  const auto quantizer = BinaryQuantizerOf(4);
  const auto error = [&](const arrow::RecordBatch& batch) {
    return quantizer->MakeStorage(batch, StorageLayout::kScan).status().message();
  };
  EXPECT_EQ(error(*BinaryRows(RandomBytes(8, 1), 4)), "");
  EXPECT_THAT(error(*BinaryRows(RandomBytes(10, 1), 5)), HasSubstr("column flat: expected lists of 4 uint8"));
  EXPECT_THAT(error(*storage_test::FlatRows(std::vector<float>(8), 4)),
              HasSubstr("column flat: expected lists of 4 uint8"));
}

TEST(FlatBinary, MetadataIsChecked) {
  const auto error = [](const char* metadata, uint32_t dimension, ElementType type = ElementType::kUint8) {
    const QuantizerSource source{.metadata = metadata, .dimension = dimension, .element_type = type};
    return MakeFlatBinaryQuantizer(source).status().message();
  };
  EXPECT_EQ(error(R"({"dim":12})", 12), "");
  EXPECT_THAT(error(R"({"dim":12})", 96), HasSubstr("dim is 12"));
  EXPECT_THAT(error(R"({"dim":0})", 0), HasSubstr("dim is 0"));
  EXPECT_THAT(error("{}", 12), HasSubstr("dim is missing"));
  EXPECT_THAT(error("12", 12), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(R"({"dim":12})", 12, ElementType::kFloat32), HasSubstr("binary vectors of float"));
}

TEST(FlatBinary, QuantizerComesBackFromItsSection) {
  const auto quantizer = BinaryQuantizerOf(33);
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  ASSERT_TRUE(quantizer->Serialize(out.get()).ok());
  ipc::SectionReader sections(OrDie(out->Finish()));
  const auto back = kFlatBinaryKind.quantizer_from_sections(&sections);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(sections.Finish().ok());
  EXPECT_EQ((*back)->dimension(), 33u);
  EXPECT_EQ((*back)->Describe(), "binary, 33 bytes");
}

TEST(FlatBinary, AQuantizerSectionWithAnyBitFlippedIsRefusedOrSound) {
  EXPECT_GT(storage_test::CountSoundSections(kFlatBinaryKind, *BinaryQuantizerOf(5)), 0u);
}

TEST(FlatBinary, StoragesOfAnotherShapeAreRefused) {
  const auto quantizer = BinaryQuantizerOf(8);
  const auto error = [&](const storage_test::TestPartition& test) {
    return quantizer->CheckStorage(test.partition->storage(), StorageLayout::kScan).message();
  };
  EXPECT_EQ(error(BinaryTestPartition(8, 3)), "");
  EXPECT_THAT(error(BinaryTestPartition(9, 3)), HasSubstr("parameters 8, 0 and 0, not 9, 0 and 0"));
  EXPECT_THAT(error(storage_test::SqTestPartition(8, 3)), HasSubstr("expected binary, not SQ"));
}

}  // namespace
}  // namespace fewter
