#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <nlohmann/json_fwd.hpp>

#include "fewter/ipc/sections.h"
#include "fewter/simd/read_ahead.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/element_type.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

/// What the kinds have in common that keep a value per dimension, row after row without padding: flat, binary and SQ.
/// Such rows serve scans and graphs alike, so their storages are the same in every layout; flat ones for scans have
/// sketches besides (see flat/flat_storage_internal.h).

namespace fewter {

/// What tells these kinds apart.
struct RowMajorFormat {
  StorageKind kind = StorageKind::kFlat;
  ElementType element_type = ElementType::kFloat32;
  uint32_t dimension = 0;
  /// Of auxiliary.idx, and of a storage's batch.
  const char* file_column = nullptr;
  const char* batch_column = nullptr;
  bool has_sketch = false;

  /// In an entry's header: the dimension, then the element type if the kind does not imply it, then 1 for sketches.
  StorageParameters Parameters() const {
    return {dimension, kind == StorageKind::kFlat ? static_cast<uint32_t>(element_type) : 0, has_sketch ? 1U : 0U};
  }

  /// For Quantizer::CheckStorage.
  arrow::Status Check(const PartitionStorage& storage) const;
};

class RowMajorStorage : public PartitionStorage {
 public:
  /// From rows of auxiliary.idx; no copy of what is aligned. Invalid, naming the column, if they do not fit.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromRows(const RowMajorFormat& format,
                                                                         const arrow::RecordBatch& rows);

  /// From a cache entry whose parameters gave the format (a dimension of 0 is refused); see StorageKindEntry.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromBatch(const RowMajorFormat& format,
                                                                          const arrow::RecordBatch& batch,
                                                                          uint32_t num_rows,
                                                                          const StorageParameters& parameters);

  RowMajorStorage(const RowMajorFormat& format, std::shared_ptr<arrow::Buffer> row_ids,
                  std::shared_ptr<arrow::Buffer> values)
      : format_(format), row_ids_(std::move(row_ids)), values_(std::move(values)) {}

  StorageKind kind() const override { return format_.kind; }
  uint32_t num_rows() const override { return static_cast<uint32_t>(row_ids_->size() / sizeof(uint64_t)); }
  const uint64_t* row_ids() const override { return row_ids_->data_as<uint64_t>(); }
  int64_t SizeInBytes() const override { return row_ids_->size() + values_->size() + int64_t{sizeof(*this)}; }
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override;
  StorageParameters Parameters() const override { return format_.Parameters(); }
  arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> rows,
                                                                std::vector<uint64_t> row_ids) const override;

  const RowMajorFormat& format() const { return format_; }
  /// The first row, 64-byte aligned.
  const uint8_t* values() const { return values_->data(); }
  size_t row_bytes() const { return size_t{format_.dimension} * SizeOf(format_.element_type); }

 protected:
  /// Row ids and values, and what a derived storage has besides.
  std::shared_ptr<arrow::RecordBatch> MakeBatch(const std::vector<std::string>& more_names,
                                                const arrow::ArrayVector& more_arrays) const;

 private:
  RowMajorFormat format_;
  std::shared_ptr<arrow::Buffer> row_ids_;
  std::shared_ptr<arrow::Buffer> values_;
};

/// Scores rows of these storages, to which partitions mean nothing; a kind says how.
class RowMajorScorer : public QueryScorer {
 public:
  void BeginPartitions(std::span<const ProbedPartition> partitions) override;
  void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) override;
  void ScoreRows(size_t i, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out) override;

 protected:
  struct Rows {
    const uint8_t* values = nullptr;
    size_t num_rows = 0;
    /// Null for the first num_rows; then it is known where the scan reads on.
    const uint32_t* picks = nullptr;
    simd::ReadAhead read_ahead{};
  };
  /// out[j] = the distance of row j of the values, or of row picks[j], for j below num_rows.
  virtual void Score(const Rows& rows, float* out) = 0;

 private:
  static constexpr size_t kRowsPerBlock = 512;

  alignas(kBufferAlignment) std::array<float, kRowsPerBlock> distances_;
};

/// storage_metadata as a JSON object. Invalid, naming the field, unless its `dim` is the dimension of the centroids.
arrow::Result<nlohmann::json> ParseRowMajorMetadata(std::string_view storage_metadata, uint32_t dimension);

/// A section of an index state that says no more than these numbers, and how it is read back.
arrow::Status WriteNumberSection(const std::vector<std::string>& names, const std::vector<uint32_t>& numbers,
                                 arrow::io::OutputStream* out);
arrow::Result<std::vector<uint32_t>> ReadNumberSection(const std::vector<std::string>& names,
                                                       ipc::SectionReader* sections);

}  // namespace fewter
