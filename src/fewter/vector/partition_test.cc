#include "fewter/vector/partition.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/ipc/sections.h"
#include "fewter/vector/quantizer/registry.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::kTestPartitions;
using storage_test::OrDie;
using storage_test::PqTestPartition;
using storage_test::RandomFloats;
using storage_test::ScanStorage;
using storage_test::SerializedBody;
using storage_test::TestPartition;
using testing::HasSubstr;

// Exactly as long as what it holds, so that a sanitizer sees a read beyond it.
std::shared_ptr<arrow::Buffer> CopyOf(const arrow::Buffer& buffer, int64_t size) {
  return OrDie(buffer.CopySlice(0, size));
}

void Patch(const std::shared_ptr<arrow::Buffer>& body, int64_t position, uint8_t byte) {
  const_cast<uint8_t*>(body->data())[position] = byte;
}

// What a search would do with a partition from the cache in the place of the test's; true if it could.
bool CheckAndScan(const TestPartition& test, const Partition& partition) {
  const Quantizer& quantizer = *test.quantizer;
  const PartitionStorage& storage = partition.storage();
  if (!quantizer.CheckStorage(storage, test.layout).ok()) return false;
  const auto query = RandomFloats(quantizer.dimension(), 1), centroid = RandomFloats(quantizer.dimension(), 2);
  for (Metric metric : test.metrics) {
    const auto found = ScanStorage(quantizer, storage, query.data(), metric, centroid.data(), storage.num_rows());
    EXPECT_LE(found.size(), partition.num_rows());
    if (test.layout != StorageLayout::kRandomAccess) continue;
    EXPECT_EQ(storage_test::ScoreEveryRow(quantizer, storage, query.data(), metric, centroid.data()), found);
  }
  return true;
}

TEST(Partition, ComesBackFieldByFieldAndInPlace) {
  for (size_t num_rows : {0, 1, 63, 64, 65, 1000}) {
    for (const auto& kind : kTestPartitions) {
      SCOPED_TRACE(testing::Message() << kind.name << ", rows " << num_rows);
      const TestPartition test = kind.make(num_rows);
      const auto& partition = test.partition;
      const auto body = SerializedBody(*partition);
      const auto back = Partition::Deserialize(body);
      ASSERT_TRUE(back.ok()) << back.status();
      const PartitionStorage& ours = partition->storage();
      const PartitionStorage& theirs = (*back)->storage();
      EXPECT_EQ((*back)->sub_index_kind(), SubIndexKind::kFlat);
      EXPECT_EQ(theirs.kind(), ours.kind());
      EXPECT_EQ((*back)->num_rows(), num_rows);
      EXPECT_EQ(theirs.Parameters(), ours.Parameters());
      EXPECT_EQ((*back)->SizeInBytes(), partition->SizeInBytes());
      EXPECT_TRUE(theirs.ToBatch()->Equals(*ours.ToBatch()));
      EXPECT_TRUE(std::equal(ours.row_ids(), ours.row_ids() + num_rows, theirs.row_ids()));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(theirs.row_ids()) % 64, 0u);
      const auto arrays = theirs.ToBatch();
      for (const auto& column : arrays->columns()) {
        const auto& values = *static_cast<const arrow::LargeListArray&>(*column).values()->data()->buffers[1];
        if (values.size() == 0) continue;
        EXPECT_GE(values.address(), body->address());
        EXPECT_LE(values.address() + static_cast<uint64_t>(values.size()),
                  body->address() + static_cast<uint64_t>(body->size()));
      }
      EXPECT_TRUE(CheckAndScan(test, **back));
      EXPECT_EQ(SerializedBody(**back)->ToString(), body->ToString());
    }
  }
}

TEST(Partition, KeepsTheBodyAlive) {
  for (const auto& kind : kTestPartitions) {
    SCOPED_TRACE(kind.name);
    const TestPartition test = kind.make(20);
    auto body = SerializedBody(*test.partition);
    const auto back = OrDie(Partition::Deserialize(body));
    body.reset();
    EXPECT_TRUE(CheckAndScan(test, *back));
  }
}

TEST(Partition, TruncatedBodiesAreRefused) {
  for (const auto& kind : kTestPartitions) {
    SCOPED_TRACE(kind.name);
    const TestPartition test = kind.make(5);
    const auto body = SerializedBody(*test.partition);
    for (int64_t size = 0; size < body->size(); ++size) {
      EXPECT_FALSE(Partition::Deserialize(CopyOf(*body, size)).ok()) << size << " of " << body->size();
    }
  }
}

TEST(Partition, BodiesWithAnyByteChangedAreRefusedOrSound) {
  for (const auto& kind : kTestPartitions) {
    SCOPED_TRACE(kind.name);
    const TestPartition test = kind.make(5);
    const auto body = SerializedBody(*test.partition);
    size_t refused = 0, sound = 0;
    for (int64_t position = 0; position < body->size(); ++position) {
      for (int change : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f}) {
        const auto copy = CopyOf(*body, body->size());
        Patch(copy, position, static_cast<uint8_t>(body->data()[position] ^ change));
        const auto back = Partition::Deserialize(copy);
        if (!back.ok()) {
          ++refused;
          continue;
        }
        EXPECT_EQ((*back)->num_rows(), test.partition->num_rows());
        if (CheckAndScan(test, **back)) ++sound;
      }
    }
    EXPECT_GT(refused, 0u);
    EXPECT_GT(sound, 0u);
  }
}

TEST(Partition, TheHeaderIsChecked) {
  const auto body = SerializedBody(*PqTestPartition(8, 3, 6, 5).partition);
  const auto error = [&](int64_t position, uint8_t byte) {
    const auto copy = CopyOf(*body, body->size());
    Patch(copy, position, byte);
    return Partition::Deserialize(copy).status().message();
  };
  EXPECT_THAT(error(0, 77), HasSubstr("sub-index kind: unknown: 77"));
  EXPECT_THAT(error(4, 77), HasSubstr("storage kind: unknown: 77"));
  EXPECT_THAT(error(4, 0), HasSubstr("flat storage: element type uint8"));
  EXPECT_THAT(error(4, 3), HasSubstr("SQ storage: parameters 8, 3, 0, 0"));
  EXPECT_THAT(error(8, 6), HasSubstr("column _rowid: expected 6 values, not 5"));
  EXPECT_THAT(error(11, 0xff), HasSubstr("column _rowid"));
  EXPECT_THAT(error(12, 5), HasSubstr("PQ storage: parameters 5"));
  EXPECT_THAT(error(16, 0), HasSubstr("PQ storage: parameters 8, 0"));
  EXPECT_THAT(error(16, 4), HasSubstr("column codes: expected 256 values, not 192"));
  EXPECT_THAT(error(63, 1), HasSubstr("reserved"));
}

TEST(Partition, ABodyThatIsNotAlignedIsRefused) {
  const auto body = SerializedBody(*PqTestPartition(8, 3, 6, 5).partition);
  const auto storage = OrDie(arrow::AllocateBuffer(body->size() + 8));
  std::memcpy(storage->mutable_data() + 8, body->data(), static_cast<size_t>(body->size()));
  EXPECT_FALSE(Partition::Deserialize(std::make_shared<arrow::Buffer>(storage->data() + 8, body->size())).ok());
}

TEST(Partition, TrailingBytesAreRefused) {
  const auto body = SerializedBody(*PqTestPartition(8, 3, 6, 5).partition);
  const auto longer = OrDie(arrow::AllocateBuffer(body->size() + 64));
  std::memset(longer->mutable_data(), 0, static_cast<size_t>(longer->size()));
  std::memcpy(longer->mutable_data(), body->data(), static_cast<size_t>(body->size()));
  EXPECT_FALSE(Partition::Deserialize(std::make_shared<arrow::Buffer>(longer->data(), longer->size())).ok());
}

TEST(StorageKinds, KnowThemselves) {
  for (StorageKind kind : {StorageKind::kFlat, StorageKind::kFlatBinary, StorageKind::kPq, StorageKind::kSq}) {
    const auto entry = FindStorageKind(static_cast<uint32_t>(kind));
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_EQ((*entry)->kind, kind);
    EXPECT_EQ((*entry)->name, ToString(kind));
  }
  EXPECT_EQ(ToString(StorageKind::kPq), "PQ");
  EXPECT_EQ(ToString(SubIndexKind::kFlat), "flat");
  EXPECT_EQ(FindStorageKind("FLAT", ElementType::kFloat16)->kind, StorageKind::kFlat);
  EXPECT_EQ(FindStorageKind("FLAT", ElementType::kUint8)->kind, StorageKind::kFlatBinary);
  EXPECT_EQ(FindStorageKind("SQ", ElementType::kFloat64)->kind, StorageKind::kSq);
  EXPECT_EQ(FindStorageKind("SQ", ElementType::kUint8), nullptr);
  for (uint32_t kind : {5u, 256u, 0xffffffffu}) EXPECT_FALSE(FindStorageKind(kind).ok()) << kind;
}

}  // namespace
}  // namespace fewter
