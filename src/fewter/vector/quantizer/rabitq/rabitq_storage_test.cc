#include "fewter/vector/quantizer/rabitq/rabitq_storage_internal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/partition.h"
#include "fewter/vector/quantizer/rabitq/rabitq_test_data_internal.h"

namespace fewter {
namespace {

using rabitq_test::BatchOf;
using rabitq_test::MakeTestIndex;
using rabitq_test::MakeTestQuery;
using rabitq_test::RandomRows;
using rabitq_test::Scan;
using rabitq_test::StorageOf;
using rabitq_test::TestIndex;
using storage_test::OrDie;
using testing::HasSubstr;

std::vector<TestIndex> SomeIndexes() {
  return {MakeTestIndex({.dimension = 8, .num_bits = 1}), MakeTestIndex({.dimension = 8, .num_bits = 4}),
          MakeTestIndex({.dimension = 72, .num_bits = 9, .packed = false}),
          MakeTestIndex({.dimension = 16, .num_bits = 3, .has_blocked_ex_codes = false}),
          MakeTestIndex({.dimension = 8,
                         .num_bits = 2,
                         .estimator = RabitqEstimator::kResidualQuery,
                         .rotation = RabitqRotation::kMatrix})};
}

std::vector<Neighbor> ScanAny(const Quantizer& quantizer, const PartitionStorage& storage) {
  std::vector<Neighbor> found;
  for (Metric metric : {Metric::kL2, Metric::kDot}) {
    for (ApproxMode mode : {ApproxMode::kNormal, ApproxMode::kFast, ApproxMode::kAccurate}) {
      const auto query = MakeTestQuery(quantizer.dimension(), {.metric = metric, .approx_mode = mode});
      const auto nearest = Scan(quantizer, storage, query, TopK(20));
      found.insert(found.end(), nearest.begin(), nearest.end());
    }
  }
  return found;
}

TEST(RabitqStorage, ComesBackFromACacheEntryInPlace) {
  for (const TestIndex& index : SomeIndexes()) {
    for (size_t num_rows : {0, 1, 31, 32, 33, 100}) {
      const auto ours = StorageOf(index, RandomRows(index.shape, num_rows));
      const auto body = storage_test::SerializedBody(Partition(ours));
      const auto back = Partition::Deserialize(body);
      ASSERT_TRUE(back.ok()) << back.status();
      const PartitionStorage& theirs = (*back)->storage();
      EXPECT_EQ(theirs.kind(), StorageKind::kRabitq);
      EXPECT_EQ(theirs.num_rows(), num_rows);
      EXPECT_EQ(theirs.Parameters(), (StorageParameters{index.shape.code_dimension, index.shape.ex_bits()}));
      EXPECT_EQ(theirs.SizeInBytes(), ours->SizeInBytes());
      EXPECT_TRUE(theirs.ToBatch()->Equals(*ours->ToBatch()));
      EXPECT_TRUE(index.quantizer->CheckStorage(theirs, StorageLayout::kScan).ok());
      EXPECT_EQ(ScanAny(*index.quantizer, theirs), ScanAny(*index.quantizer, *ours));
      if (num_rows == 0) continue;
      EXPECT_GE(reinterpret_cast<uintptr_t>(theirs.row_ids()), body->address());
      EXPECT_LT(reinterpret_cast<uintptr_t>(theirs.row_ids()), body->address() + static_cast<size_t>(body->size()));
      EXPECT_EQ(storage_test::SerializedBody(**back)->ToString(), body->ToString());
    }
  }
}

// Copies are as long as what they hold, so that a sanitizer sees a read beyond it.
TEST(RabitqStorage, EntriesWithAnyBitFlippedAreRefusedOrSound) {
  const TestIndex index = MakeTestIndex({.dimension = 8, .num_bits = 4});
  const auto body = storage_test::SerializedBody(Partition(StorageOf(index, RandomRows(index.shape, 33))));
  size_t refused = 0, sound = 0;
  for (int64_t bit = 0; bit < body->size() * 8; ++bit) {
    const auto copy = OrDie(body->CopySlice(0, body->size()));
    const_cast<uint8_t*>(copy->data())[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto back = Partition::Deserialize(copy);
    if (!back.ok() || !index.quantizer->CheckStorage((*back)->storage(), StorageLayout::kScan).ok()) {
      ++refused;
      continue;
    }
    ++sound;
    const auto query = MakeTestQuery(8, {});
    EXPECT_LE(Scan(*index.quantizer, (*back)->storage(), query, TopK(40)).size(), 33u);
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(sound, 100u);
}

TEST(RabitqStorage, ParametersAndLengthsOfEntriesAreChecked) {
  const TestIndex index = MakeTestIndex({.dimension = 72, .num_bits = 3});
  const auto batch = StorageOf(index, RandomRows(index.shape, 33))->ToBatch();
  const auto error = [&](uint32_t num_rows, const StorageParameters& parameters) {
    return kRabitqKind.storage_from_batch(batch, num_rows, parameters).status().message();
  };
  EXPECT_EQ(error(33, {72, 2}), "");
  EXPECT_THAT(error(33, {0, 2}), HasSubstr("parameters 0, 2, 0, 0"));
  EXPECT_THAT(error(33, {73, 2}), HasSubstr("parameters 73"));
  EXPECT_THAT(error(33, {65544, 2}), HasSubstr("parameters 65544"));
  EXPECT_THAT(error(33, {72, 9}), HasSubstr("parameters 72, 9"));
  EXPECT_THAT(error(33, {72, 2, 1}), HasSubstr("parameters 72, 2, 1, 0"));
  EXPECT_THAT(error(33, {72, 2, 0, 1}), HasSubstr("parameters 72, 2, 0, 1"));
  EXPECT_THAT(error(33, {80, 2}), HasSubstr("column codes: expected 330 values, not 297"));
  EXPECT_THAT(error(33, {72, 3}), HasSubstr("column ex_codes: expected 1584 values, not 1056"));
  EXPECT_THAT(error(34, {72, 2}), HasSubstr("column _rowid: expected 34 values, not 33"));
  EXPECT_THAT(error(0xffffffff, {65536, 8}), HasSubstr("column _rowid"));
  const auto one_bit =
      StorageOf(MakeTestIndex({.dimension = 72}), RandomRows({.dimension = 72, .code_dimension = 72}, 5));
  EXPECT_THAT(kRabitqKind.storage_from_batch(one_bit->ToBatch(), 5, {72, 1}).status().message(),
              HasSubstr("column error: missing"));
  for (int i = 0; i < batch->num_columns(); ++i) {
    const auto fewer = OrDie(batch->RemoveColumn(i));
    EXPECT_FALSE(kRabitqKind.storage_from_batch(fewer, 33, {72, 2}).ok()) << batch->column_name(i);
  }
}

TEST(RabitqStorage, ColumnsAreThoseThatTheEstimateNeeds) {
  const auto columns = [](const RabitqShape& shape) { return MakeTestIndex(shape).quantizer->columns(); };
  const std::vector<std::string> few = {"_rowid", "_rabit_codes", "__scale_factors", "__add_factors"};
  EXPECT_EQ(columns({.dimension = 8, .num_bits = 1}), few);
  EXPECT_EQ(columns({.dimension = 8, .num_bits = 3, .estimator = RabitqEstimator::kResidualQuery}), few);
  EXPECT_THAT(
      columns({.dimension = 8, .num_bits = 3}),
      testing::UnorderedElementsAre("_rowid", "_rabit_codes", "__scale_factors", "__add_factors", "__error_factors",
                                    "__blocked_ex_codes", "__scale_factors_ex", "__add_factors_ex"));
}

TEST(RabitqStorage, ExCodesThatFollowOneAnotherAreLaidOutInBlocks) {
  for (uint32_t num_bits = 2; num_bits <= 9; ++num_bits) {
    for (uint32_t dimension : {8, 64, 72}) {
      const TestIndex blocked = MakeTestIndex({.dimension = dimension, .num_bits = num_bits});
      const TestIndex sequential =
          MakeTestIndex({.dimension = dimension, .num_bits = num_bits, .has_blocked_ex_codes = false});
      EXPECT_THAT(sequential.quantizer->columns(), testing::Contains("__ex_codes"));
      const auto rows = RandomRows(blocked.shape, 40);
      const auto one = StorageOf(blocked, rows), other = StorageOf(sequential, rows);
      EXPECT_EQ(ScanAny(*blocked.quantizer, *one), ScanAny(*sequential.quantizer, *other));
      EXPECT_TRUE(dimension != 64 || one->ToBatch()->Equals(*other->ToBatch())) << num_bits;
    }
  }
}

TEST(RabitqStorage, RowsThatDoNotFitAreRefusedByName) {
  const TestIndex index = MakeTestIndex({.dimension = 16, .num_bits = 3});
  const auto rows = BatchOf(index.shape, RandomRows(index.shape, 3));
  const auto error = [&](const arrow::RecordBatch& batch) {
    return index.quantizer->MakeStorage(batch, StorageLayout::kScan).status().message();
  };
  EXPECT_EQ(error(*rows), "");
  for (int i = 0; i < rows->num_columns(); ++i) {
    EXPECT_THAT(error(*OrDie(rows->RemoveColumn(i))), HasSubstr("column " + rows->column_name(i) + ": missing"));
    const auto other = OrDie(arrow::MakeArrayOfNull(arrow::int16(), 3));
    EXPECT_THAT(error(*storage_test::WithColumn(*rows, i, other)), HasSubstr("column " + rows->column_name(i) + ": "));
  }
  const TestIndex wider = MakeTestIndex({.dimension = 24, .num_bits = 3});
  EXPECT_THAT(error(*BatchOf(wider.shape, RandomRows(wider.shape, 3))),
              HasSubstr("column _rabit_codes: expected lists of 2 uint8"));
  const auto nulls = OrDie(arrow::MakeArrayOfNull(arrow::float32(), 3));
  EXPECT_THAT(error(*storage_test::WithColumn(*rows, 1, nulls)), HasSubstr("column __add_factors: has nulls"));
}

TEST(RabitqStorage, StoragesOfAnotherShapeAreRefused) {
  const TestIndex index = MakeTestIndex({.dimension = 16, .num_bits = 3});
  const auto check = [&](const RabitqShape& shape) {
    const TestIndex other = MakeTestIndex(shape);
    return index.quantizer->CheckStorage(*StorageOf(other, RandomRows(other.shape, 3)), StorageLayout::kScan).message();
  };
  EXPECT_EQ(check({.dimension = 16, .num_bits = 3}), "");
  EXPECT_THAT(check({.dimension = 24, .num_bits = 3}), HasSubstr("expected 16 elements with 2 further bits, not 24"));
  EXPECT_THAT(check({.dimension = 16, .num_bits = 4}), HasSubstr("not 16 with 3"));
  const auto flat = storage_test::FlatTestPartition(16, 3);
  EXPECT_THAT(index.quantizer->CheckStorage(flat.partition->storage(), StorageLayout::kScan).message(),
              HasSubstr("expected RaBitQ, not flat"));
}

std::shared_ptr<arrow::Buffer> SectionOf(const Quantizer& quantizer) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!quantizer.Serialize(out.get()).ok()) std::abort();
  return OrDie(out->Finish());
}

TEST(RabitqQuantizer, ComesBackFromItsSection) {
  for (const TestIndex& index : SomeIndexes()) {
    ipc::SectionReader sections(SectionOf(*index.quantizer));
    const auto back = kRabitqKind.quantizer_from_sections(&sections);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(sections.Finish().ok());
    EXPECT_EQ((*back)->dimension(), index.shape.dimension);
    EXPECT_EQ((*back)->Describe(), index.quantizer->Describe());
    EXPECT_EQ((*back)->SizeInBytes(), index.quantizer->SizeInBytes());
    EXPECT_EQ((*back)->columns(), index.quantizer->columns());
    const auto rows = BatchOf(index.shape, RandomRows(index.shape, 50));
    const auto ours = OrDie(index.quantizer->MakeStorage(*rows, StorageLayout::kScan));
    const auto theirs = OrDie((*back)->MakeStorage(*rows, StorageLayout::kScan));
    EXPECT_EQ(ScanAny(**back, *theirs), ScanAny(*index.quantizer, *ours));
  }
}

TEST(RabitqQuantizer, ASectionWithAnyBitFlippedIsRefusedOrSound) {
  for (const TestIndex& index : SomeIndexes()) {
    if (index.shape.dimension > 8) continue;
    const auto body = SectionOf(*index.quantizer);
    size_t refused = 0, sound = 0;
    for (int64_t bit = 0; bit < body->size() * 8; ++bit) {
      const auto copy = OrDie(body->CopySlice(0, body->size()));
      const_cast<uint8_t*>(copy->data())[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      ipc::SectionReader sections(copy);
      const auto back = kRabitqKind.quantizer_from_sections(&sections);
      if (!back.ok()) {
        ++refused;
        continue;
      }
      ++sound;
      const auto query = MakeTestQuery((*back)->dimension(), {});
      const auto scorer = (*back)->MakeScorer(query.query.data(), query.options);
      scorer->BeginPartition({.distance = 1, .centroid = query.centroid.data()});
    }
    EXPECT_GT(refused, 100u);
    EXPECT_GT(sound, 0u);
  }
}

std::shared_ptr<arrow::FloatArray> MatrixOf(size_t length) {
  return std::static_pointer_cast<arrow::FloatArray>(
      ArrayOver(arrow::float32(), arrow::Buffer::FromVector(std::vector<float>(length, 0.5F))));
}

TEST(RabitqQuantizer, AMatrixIsSquareOrOfTheColumnsThatAreUsed) {
  RabitqMetadata metadata{.num_bits = 2, .code_dimension = 16, .matrix_position = 2};
  for (const auto& [length, good] : {std::pair{256, true}, {128, true}, {64, false}, {257, false}, {0, false}}) {
    EXPECT_EQ(MakeRabitqQuantizer(metadata, 8, MatrixOf(static_cast<size_t>(length))).ok(), good) << length;
  }
  EXPECT_FALSE(MakeRabitqQuantizer(metadata, 8, nullptr).ok());
  metadata.code_dimension = 0;
  const auto from_rows = MakeRabitqQuantizer(metadata, 8, MatrixOf(256));
  ASSERT_TRUE(from_rows.ok()) << from_rows.status();
  EXPECT_EQ((*from_rows)->Describe(), "RaBitQ, 2 bits an element");
  EXPECT_THAT(MakeRabitqQuantizer(metadata, 8, MatrixOf(128)).status().message(), HasSubstr("code_dim"));
  EXPECT_THAT(MakeRabitqQuantizer(metadata, 8, nullptr).status().message(), HasSubstr("code_dim"));
}

TEST(RabitqQuantizer, SignsOfAnotherLengthAreRefused) {
  RabitqMetadata metadata{.code_dimension = 16, .rotation = RabitqRotation::kHadamard};
  for (size_t length : {0, 7, 9, 32}) {
    metadata.signs.assign(length, 1);
    EXPECT_THAT(MakeRabitqQuantizer(metadata, 16, nullptr).status().message(), HasSubstr("fast_rotation_signs"));
  }
  metadata.signs.assign(8, 1);
  EXPECT_TRUE(MakeRabitqQuantizer(metadata, 16, nullptr).ok());
}

TEST(RabitqQuantizer, IsMadeFromWhatTheFileSays) {
  QuantizerSource source{.metadata = R"({"rotate_mat_position":3,"num_bits":1,"packed":true})", .dimension = 16};
  source.read_tensor = [](uint32_t buffer) -> arrow::Result<std::shared_ptr<arrow::FloatArray>> {
    if (buffer != 3) return arrow::Status::IOError("no such buffer");
    return MatrixOf(256);
  };
  source.has_column = [](std::string_view) { return false; };
  const auto quantizer = kRabitqKind.quantizer_from_file(source);
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_EQ((*quantizer)->dimension(), 16u);
  EXPECT_EQ((*quantizer)->Describe(), "RaBitQ, 1 bit an element");
  source.metadata = R"({"rotate_mat_position":4,"num_bits":1,"packed":true})";
  EXPECT_THAT(kRabitqKind.quantizer_from_file(source).status().message(), HasSubstr("RaBitQ matrix: no such buffer"));
}

TEST(RabitqQuantizer, ReadsTheExCodesThatTheFileHas) {
  QuantizerSource source{.dimension = 16};
  source.metadata = R"({"num_bits":3,"packed":true,"rotation_type":"fast","query_estimator":"raw_query","code_dim":16,
                        "fast_rotation_signs":[1,2,3,4,5,6,7,8]})";
  for (const char* column : {"__blocked_ex_codes", "__ex_codes"}) {
    source.has_column = [column](std::string_view name) { return name == column; };
    EXPECT_THAT(OrDie(kRabitqKind.quantizer_from_file(source))->columns(), testing::Contains(column));
  }
}

}  // namespace
}  // namespace fewter
