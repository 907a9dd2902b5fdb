#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/vector/quantizer/pq/pq_codebook_internal.h"
#include "fewter/vector/quantizer/quantizer.h"

namespace fewter {

/// Row ids and codes of one partition, the codes as the kernels read them.
///
/// For scans they are column-major, column j at j * stride(). stride() is the number of rows rounded up to 64, so that
/// every column starts at a cache line and ends with whole vectors of any width; the bytes beyond the rows are zero
/// when written here but are never relied on.
///
/// With them come the squared lengths of what the rows stand for, unless the metric is dot: what bounds of distances
/// are computed from (PqBounds).
///
/// For random access they are row-major without padding: one row is one or two cache lines.
class PqStorage final : public PartitionStorage {
 public:
  /// From rows of auxiliary.idx: `_rowid`, and `__pq_code` lists of a code's width, column-major within these rows if
  /// `transposed`, else row after row. Copies the codes unless they lie as they should already. With a centroid, a
  /// storage for scans has the rows' squared lengths. Invalid, naming the column, if the rows do not fit.
  static arrow::Result<std::shared_ptr<const PqStorage>> FromRows(const arrow::RecordBatch& rows,
                                                                  const PqCodebook& codebook, bool transposed,
                                                                  StorageLayout layout, const float* centroid);

  /// From a cache entry; see StorageKindEntry.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromBatch(
      const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters);

  /// `squared_lengths` may be null.
  PqStorage(std::shared_ptr<arrow::Buffer> row_ids, std::shared_ptr<arrow::Buffer> codes,
            std::shared_ptr<arrow::Buffer> squared_lengths, uint32_t num_bits, uint32_t code_width,
            StorageLayout layout)
      : row_ids_(std::move(row_ids)),
        codes_(std::move(codes)),
        squared_lengths_(std::move(squared_lengths)),
        num_bits_(num_bits),
        code_width_(code_width),
        layout_(layout) {}

  StorageKind kind() const override { return StorageKind::kPq; }
  uint32_t num_rows() const override { return static_cast<uint32_t>(row_ids_->size() / sizeof(uint64_t)); }
  const uint64_t* row_ids() const override { return row_ids_->data_as<uint64_t>(); }
  int64_t SizeInBytes() const override;
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override;
  /// Bits of a sub-vector's code, bytes of a row's, the layout, and whether there are squared lengths.
  StorageParameters Parameters() const override {
    return {num_bits_, code_width_, static_cast<uint32_t>(layout_), squared_lengths_ == nullptr ? 0u : 1u};
  }
  arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> rows,
                                                                std::vector<uint64_t> row_ids) const override;
  StorageLayout layout() const { return layout_; }

  const uint8_t* codes() const { return codes_->data(); }
  /// Of the layout for scans.
  size_t stride() const { return StrideOf(num_rows()); }
  /// Of each row, as PqCodebook::SquaredLengths gives it; null if there are none.
  const float* squared_lengths() const {
    return squared_lengths_ == nullptr ? nullptr : squared_lengths_->data_as<float>();
  }
  /// Has the processor bring what a scan reads.
  void Prefetch() const;

 private:
  static size_t StrideOf(size_t num_rows);

  std::shared_ptr<arrow::Buffer> row_ids_;
  std::shared_ptr<arrow::Buffer> codes_;
  std::shared_ptr<arrow::Buffer> squared_lengths_;
  uint32_t num_bits_;
  uint32_t code_width_;
  StorageLayout layout_;
};

}  // namespace fewter
