#include "fewter/vector/ivf/moved_rows.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace fewter {
namespace {

using storage_test::kTestPartitions;
using storage_test::OrDie;
using storage_test::RandomFloats;
using storage_test::ScanStorage;
using storage_test::TestPartition;

/// Deletes the rows whose id leaves no rest, and gives the others an id far from the old one.
class Moves final : public RowMoves {
 public:
  explicit Moves(uint64_t divisor) : divisor_(divisor) {}
  std::optional<uint64_t> NewId(uint64_t row_id) const override {
    if (row_id % divisor_ == 0) return std::nullopt;
    return row_id + 1'000'000'000;
  }

 private:
  uint64_t divisor_;
};

class NoMoves final : public RowMoves {
 public:
  std::optional<uint64_t> NewId(uint64_t row_id) const override { return row_id; }
};

class LiveRows final : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id != kDeletedRowId; }
};

/// What a scan finds, of rows that have not been deleted.
std::vector<Neighbor> Scan(const TestPartition& test, const PartitionStorage& storage, Metric metric, ApproxMode mode) {
  const auto query = RandomFloats(test.quantizer->dimension(), 1);
  const auto centroid = RandomFloats(test.quantizer->dimension(), 2);
  const LiveRows live;
  TopK top_k(storage.num_rows(), &live);
  const auto scorer = test.quantizer->MakeScorer(query.data(), {.metric = metric, .approx_mode = mode});
  scorer->BeginPartition({.centroid = centroid.data()});
  scorer->Scan(storage, &top_k);
  return top_k.Finish();
}

/// RaBitQ rounds the table for rows of complete blocks only, and which rows those are changes when others leave.
void ExpectSameNeighbors(const TestPartition& test, const std::vector<Neighbor>& found,
                         const std::vector<Neighbor>& expected) {
  if (test.quantizer->kind() != StorageKind::kRabitq) {
    EXPECT_EQ(found, expected);
    return;
  }
  ASSERT_EQ(found.size(), expected.size());
  std::map<uint64_t, float> distance_of;
  for (const Neighbor& row : expected) distance_of[row.row_id] = row.distance;
  for (const Neighbor& row : found) {
    ASSERT_TRUE(distance_of.contains(row.row_id));
    EXPECT_NEAR(row.distance, distance_of[row.row_id], 0.02F * (1 + std::abs(row.distance)));
  }
}

TEST(MovedRows, TheOthersKeepTheirDistances) {
  for (const auto& kind : kTestPartitions) {
    for (size_t num_rows : {1, 33, 64, 130, 1000}) {
      for (uint64_t divisor : {1, 2, 5, 1'000'003}) {
        SCOPED_TRACE(testing::Message() << kind.name << ", rows " << num_rows << ", every " << divisor);
        const TestPartition test = kind.make(num_rows);
        const auto before = std::shared_ptr<const PartitionStorage>(test.partition, &test.partition->storage());
        const Moves moves(divisor);
        const auto after = OrDie(MoveRows(before, moves, StorageLayout::kScan));
        ASSERT_TRUE(test.quantizer->CheckStorage(*after, test.layout).ok());
        for (Metric metric : test.metrics) {
          auto expected = Scan(test, *before, metric, ApproxMode::kAccurate);
          std::erase_if(expected, [&](const Neighbor& row) { return !moves.NewId(row.row_id); });
          for (Neighbor& row : expected) row.row_id = *moves.NewId(row.row_id);
          ExpectSameNeighbors(test, Scan(test, *after, metric, ApproxMode::kAccurate), expected);
        }
      }
    }
  }
}

TEST(MovedRows, RowsOfAGraphStayWhereTheyAre) {
  for (const auto& kind : kTestPartitions) {
    SCOPED_TRACE(kind.name);
    const TestPartition test = kind.make(100);
    const auto before = std::shared_ptr<const PartitionStorage>(test.partition, &test.partition->storage());
    const Moves moves(3);
    const auto after = OrDie(MoveRows(before, moves, StorageLayout::kRandomAccess));
    ASSERT_EQ(after->num_rows(), 100U);
    for (uint32_t row = 0; row < 100; ++row) {
      EXPECT_EQ(after->row_ids()[row], moves.NewId(before->row_ids()[row]).value_or(kDeletedRowId));
    }
    EXPECT_EQ(reinterpret_cast<uintptr_t>(after->row_ids()) % kBufferAlignment, 0U);
    auto before_batch = before->ToBatch(), after_batch = after->ToBatch();
    EXPECT_TRUE(OrDie(after_batch->RemoveColumn(0))->Equals(*OrDie(before_batch->RemoveColumn(0))));
  }
}

TEST(MovedRows, WithoutMovesNothingIsCopied) {
  const TestPartition test = kTestPartitions[0].make(10);
  const auto storage = std::shared_ptr<const PartitionStorage>(test.partition, &test.partition->storage());
  EXPECT_EQ(OrDie(MoveRows(storage, NoMoves(), StorageLayout::kScan)), storage);
}

}  // namespace
}  // namespace fewter
