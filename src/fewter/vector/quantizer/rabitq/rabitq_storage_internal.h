#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/simd/rabitq_ex_codes.h"
#include "fewter/simd/rabitq_scan.h"
#include "fewter/vector/quantizer/rabitq/rabitq.h"

namespace fewter {

/// The rows of one partition.
///
/// One-bit codes lie as Lance packs them, which is as kernels read them: blocks of 32 rows (see simd::RabitqScan), and
/// the n % 32 last rows column after column, byte p of the i-th at p * (n % 32) + i. Ex codes are row after row, each
/// in blocks of 64 elements (see simd::RabitqExDot); they and what belongs to them are there only if ex_bits() > 0.
class RabitqStorage final : public PartitionStorage {
 public:
  /// From rows of auxiliary.idx. Codes that are not packed are copied. Invalid, naming the column, if they do not fit.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromRows(const arrow::RecordBatch& rows,
                                                                         const RabitqShape& shape);
  /// The columns that FromRows reads.
  static std::vector<std::string> ColumnsOf(const RabitqShape& shape);

  /// From a cache entry; see StorageKindEntry.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromBatch(
      const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters);

  /// The arrays of a storage, in the order of its columns in an entry.
  enum Array : size_t { kRowIds, kCodes, kScale, kAdd, kError, kExCodes, kExScale, kExAdd, kNumArrays };
  /// Those that are not there are null.
  using Buffers = std::array<std::shared_ptr<arrow::Buffer>, kNumArrays>;

  RabitqStorage(uint32_t code_dimension, uint32_t ex_bits, Buffers buffers)
      : code_dimension_(code_dimension), ex_bits_(ex_bits), buffers_(std::move(buffers)) {}

  StorageKind kind() const override { return StorageKind::kRabitq; }
  uint32_t num_rows() const override { return static_cast<uint32_t>(buffers_[kRowIds]->size() / sizeof(uint64_t)); }
  const uint64_t* row_ids() const override { return buffers_[kRowIds]->data_as<uint64_t>(); }
  int64_t SizeInBytes() const override;
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override;
  /// One-bit elements of a row, and bits of an element's ex code.
  StorageParameters Parameters() const override { return {code_dimension_, ex_bits_}; }
  arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> rows,
                                                                std::vector<uint64_t> row_ids) const override;

  size_t code_bytes() const { return code_dimension_ / 8; }
  uint32_t ex_bits() const { return ex_bits_; }
  /// Bytes of a row's ex code.
  size_t ex_code_bytes() const { return num_ex_blocks() * 8 * ex_bits_; }
  size_t num_ex_blocks() const { return (size_t{code_dimension_} + simd::kRabitqExBlock - 1) / simd::kRabitqExBlock; }

  const uint8_t* codes() const { return buffers_[kCodes]->data(); }
  const uint8_t* ex_codes() const { return buffers_[kExCodes]->data(); }
  const float* floats(Array array) const { return buffers_[array]->data_as<float>(); }
  /// Has the processor bring what a scan reads of every row.
  void Prefetch() const;

 private:
  uint32_t code_dimension_;
  uint32_t ex_bits_;
  Buffers buffers_;
};

}  // namespace fewter
