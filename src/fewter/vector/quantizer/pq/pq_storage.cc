#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/array.h>
#include <arrow/status.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kFileColumn[] = "__pq_code";
constexpr char kCodesColumn[] = "codes";
constexpr size_t kRowsPerColumnMultiple = 64;

// out[j * stride + i] = from[i * width + j]: row-major to column-major, so many rows at a time that their codes stay in
// the first-level cache.
void Transpose(const uint8_t* from, size_t num_rows, size_t width, size_t stride, uint8_t* out) {
  for (size_t begin = 0; begin < num_rows; begin += kRowsPerColumnMultiple) {
    const size_t end = std::min(num_rows, begin + kRowsPerColumnMultiple);
    for (size_t j = 0; j < width; ++j) {
      for (size_t i = begin; i < end; ++i) out[j * stride + i] = from[i * width + j];
    }
  }
}

// The other way round, from columns without padding.
void TransposeBack(const uint8_t* from, size_t num_rows, size_t width, uint8_t* out) {
  for (size_t begin = 0; begin < num_rows; begin += kRowsPerColumnMultiple) {
    const size_t end = std::min(num_rows, begin + kRowsPerColumnMultiple);
    for (size_t j = 0; j < width; ++j) {
      for (size_t i = begin; i < end; ++i) out[i * width + j] = from[j * num_rows + i];
    }
  }
}

// The codes are in memory already, so their size rounded up to 64 rows fits too.
arrow::Result<std::shared_ptr<arrow::Buffer>> ForScans(const uint8_t* from, size_t num_rows, size_t width,
                                                       size_t stride, bool transposed) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> codes,
                        arrow::AllocateBuffer(static_cast<int64_t>(stride * width)));
  uint8_t* to = codes->mutable_data();
  for (size_t j = 0; j < width && num_rows > 0; ++j) {
    if (transposed) std::memcpy(to + j * stride, from + j * num_rows, num_rows);
    std::memset(to + j * stride + num_rows, 0, stride - num_rows);
  }
  if (!transposed) Transpose(from, num_rows, width, stride, to);
  return codes;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ForRandomAccess(std::shared_ptr<arrow::Buffer> from, size_t num_rows,
                                                              size_t width, bool transposed) {
  if (!transposed) return EnsureAligned(std::move(from));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> codes, arrow::AllocateBuffer(from->size()));
  TransposeBack(from->data(), num_rows, width, codes->mutable_data());
  return codes;
}

}  // namespace

size_t PqStorage::StrideOf(size_t num_rows) {
  return RoundUp(num_rows, kRowsPerColumnMultiple);
}

arrow::Result<std::shared_ptr<const PqStorage>> PqStorage::FromRows(const arrow::RecordBatch& rows, uint32_t num_bits,
                                                                    uint32_t code_width, bool transposed,
                                                                    StorageLayout layout) {
  ARROW_ASSIGN_OR_RAISE(auto row_ids, RowIdsOf(rows));
  ARROW_ASSIGN_OR_RAISE(auto codes, ListValuesOf(rows, kFileColumn, *arrow::uint8(), code_width));
  const auto num_rows = static_cast<size_t>(rows.num_rows());
  if (layout == StorageLayout::kScan) {
    ARROW_ASSIGN_OR_RAISE(codes, ForScans(codes->data(), num_rows, code_width, StrideOf(num_rows), transposed));
  } else {
    ARROW_ASSIGN_OR_RAISE(codes, ForRandomAccess(std::move(codes), num_rows, code_width, transposed));
  }
  return std::make_shared<PqStorage>(std::move(row_ids), std::move(codes), num_bits, code_width, layout);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> PqStorage::FromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  const auto [num_bits, code_width, layout, unused] = parameters;
  if ((num_bits != 4 && num_bits != 8) || code_width == 0 ||
      layout > static_cast<uint32_t>(StorageLayout::kRandomAccess) || unused != 0) {
    return arrow::Status::Invalid("PQ storage: parameters ", num_bits, ", ", code_width, ", ", layout, ", ", unused);
  }
  ARROW_ASSIGN_OR_RAISE(auto row_ids, BufferOfOneRow(*batch, kRowIdColumn, *arrow::uint64(), num_rows));
  const bool for_scans = layout == static_cast<uint32_t>(StorageLayout::kScan);
  // Two numbers of 32 bits: their product cannot exceed 64, and is compared with what there is.
  const uint64_t num_codes = uint64_t{for_scans ? StrideOf(num_rows) : num_rows} * code_width;
  ARROW_ASSIGN_OR_RAISE(auto codes, BufferOfOneRow(*batch, kCodesColumn, *arrow::uint8(), num_codes));
  return std::make_shared<PqStorage>(std::move(row_ids), std::move(codes), num_bits, code_width,
                                     static_cast<StorageLayout>(layout));
}

std::shared_ptr<arrow::RecordBatch> PqStorage::ToBatch() const {
  return MakeOneRowBatch({kRowIdColumn, kCodesColumn},
                         {ArrayOver(arrow::uint64(), row_ids_), ArrayOver(arrow::uint8(), codes_)});
}

}  // namespace fewter
