#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>

#include "fewter/cache/key.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/subindex/sub_index.h"

namespace fewter {

/// One partition of an IVF index: sub-index x storage. Immutable, thread safe; the heaviest kind of cache entry.
///
/// Its bytes (docs/format/partition.md): a 64-byte header with the kinds and the row count, then one section with the
/// storage's arrays, and one with the sub-index's if it has any. A partition read from the cache uses them where they
/// lie.
class Partition {
 public:
  /// Without a sub-index, a flat one. The sub-index is over as many rows as the storage has.
  explicit Partition(std::shared_ptr<const PartitionStorage> storage,
                     std::shared_ptr<const SubIndex> sub_index = nullptr)
      : storage_(std::move(storage)), sub_index_(std::move(sub_index)) {}

  uint32_t num_rows() const { return storage_->num_rows(); }
  const PartitionStorage& storage() const { return *storage_; }
  SubIndexKind sub_index_kind() const { return sub_index_ == nullptr ? SubIndexKind::kFlat : sub_index_->kind(); }
  int64_t SizeInBytes() const {
    return storage_->SizeInBytes() + (sub_index_ == nullptr ? 0 : sub_index_->SizeInBytes());
  }

  /// Pushes the nearest rows, as the i-th of the partitions that `scorer` is turned to.
  void Search(const SubIndexSearchOptions& options, size_t i, QueryScorer* scorer, TopK* top_k) const {
    if (sub_index_ == nullptr || sub_index_->IsBeatenByScan(options, *top_k)) {
      return scorer->ScanPartition(i, *storage_, top_k);
    }
    sub_index_->Search(options, i, *storage_, scorer, top_k);
  }

  /// For the cache; see CacheEntry.
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const;

  static constexpr std::string_view kCacheTypeId = "fewter.vector.Partition";
  static constexpr uint32_t kCacheTypeVersion = 2;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const Partition>> Deserialize(const std::shared_ptr<arrow::Buffer>& body);

 private:
  std::shared_ptr<const PartitionStorage> storage_;
  /// Null for a flat one.
  std::shared_ptr<const SubIndex> sub_index_;
};

/// Names a partition within an index segment's namespace.
struct PartitionKey {
  using Value = Partition;
  static constexpr std::string_view kTypeId = "fewter.vector.PartitionKey";
  static CacheCodec Codec() { return CacheCodec::For<Partition>(); }

  uint32_t partition = 0;

  void AppendFields(KeyWriter& fields) const { fields.U32(partition); }
};

}  // namespace fewter
