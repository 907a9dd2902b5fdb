#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/status.h>

#include "fewter/simd/prefetch_internal.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kFileColumn[] = "__pq_code";
constexpr char kCodesColumn[] = "codes";
constexpr char kSquaredLengthsColumn[] = "squared_lengths";
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

// Null if one of them is not finite.
arrow::Result<std::shared_ptr<arrow::Buffer>> SquaredLengths(const PqCodebook& codebook, const float* centroid,
                                                             const arrow::Buffer& codes, size_t stride,
                                                             size_t num_rows) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> lengths,
                        arrow::AllocateBuffer(static_cast<int64_t>(num_rows * sizeof(float))));
  auto* out = lengths->mutable_data_as<float>();
  const bool finite = codebook.SquaredLengths(centroid, codes.data(), stride, num_rows, out);
  return finite ? lengths : nullptr;
}

// Some rows of columns of `stride` bytes, as columns of `new_stride` bytes.
arrow::Result<std::shared_ptr<arrow::Buffer>> SelectFromColumns(const uint8_t* from, size_t width, size_t stride,
                                                                std::span<const uint32_t> rows, size_t new_stride) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> codes,
                        arrow::AllocateBuffer(static_cast<int64_t>(new_stride * width)));
  uint8_t* to = codes->mutable_data();
  for (size_t j = 0; j < width; ++j, from += stride, to += new_stride) {
    uint8_t* end = std::transform(rows.begin(), rows.end(), to, [from](uint32_t row) { return from[row]; });
    std::fill(end, to + new_stride, uint8_t{0});
  }
  return codes;
}

}  // namespace

size_t PqStorage::StrideOf(size_t num_rows) {
  return RoundUp(num_rows, kRowsPerColumnMultiple);
}

void PqStorage::Prefetch() const {
  simd::PrefetchArray(codes_->data(), static_cast<size_t>(codes_->size()));
  if (squared_lengths_ == nullptr) return;
  simd::PrefetchArray(squared_lengths_->data(), static_cast<size_t>(squared_lengths_->size()));
}

int64_t PqStorage::SizeInBytes() const {
  const int64_t lengths = squared_lengths_ == nullptr ? 0 : squared_lengths_->size();
  return row_ids_->size() + codes_->size() + lengths + int64_t{sizeof(*this)};
}

arrow::Result<std::shared_ptr<const PqStorage>> PqStorage::FromRows(const arrow::RecordBatch& rows,
                                                                    const PqCodebook& codebook, bool transposed,
                                                                    StorageLayout layout, const float* centroid) {
  const PqShape& shape = codebook.shape();
  const uint32_t code_width = shape.code_width();
  ARROW_ASSIGN_OR_RAISE(auto row_ids, RowIdsOf(rows));
  ARROW_ASSIGN_OR_RAISE(auto codes, ListValuesOf(rows, kFileColumn, *arrow::uint8(), code_width));
  std::shared_ptr<arrow::Buffer> squared_lengths;
  const auto num_rows = static_cast<size_t>(rows.num_rows());
  if (layout == StorageLayout::kScan) {
    const size_t stride = StrideOf(num_rows);
    ARROW_ASSIGN_OR_RAISE(codes, ForScans(codes->data(), num_rows, code_width, stride, transposed));
    if (centroid != nullptr) {
      ARROW_ASSIGN_OR_RAISE(squared_lengths, SquaredLengths(codebook, centroid, *codes, stride, num_rows));
    }
  } else {
    ARROW_ASSIGN_OR_RAISE(codes, ForRandomAccess(std::move(codes), num_rows, code_width, transposed));
  }
  return std::make_shared<PqStorage>(std::move(row_ids), std::move(codes), std::move(squared_lengths), shape.num_bits,
                                     code_width, layout);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> PqStorage::FromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  const auto [num_bits, code_width, layout, has_lengths] = parameters;
  if ((num_bits != 4 && num_bits != 8) || code_width == 0 ||
      layout > static_cast<uint32_t>(StorageLayout::kRandomAccess) || has_lengths > 1) {
    return arrow::Status::Invalid("PQ storage: parameters ", num_bits, ", ", code_width, ", ", layout, ", ",
                                  has_lengths);
  }
  ARROW_ASSIGN_OR_RAISE(auto row_ids, BufferOfOneRow(*batch, kRowIdColumn, *arrow::uint64(), num_rows));
  const bool for_scans = layout == static_cast<uint32_t>(StorageLayout::kScan);
  // Two numbers of 32 bits: their product cannot exceed 64, and is compared with what there is.
  const uint64_t num_codes = uint64_t{for_scans ? StrideOf(num_rows) : num_rows} * code_width;
  ARROW_ASSIGN_OR_RAISE(auto codes, BufferOfOneRow(*batch, kCodesColumn, *arrow::uint8(), num_codes));
  std::shared_ptr<arrow::Buffer> squared_lengths;
  if (has_lengths == 1) {
    ARROW_ASSIGN_OR_RAISE(squared_lengths, BufferOfOneRow(*batch, kSquaredLengthsColumn, *arrow::float32(), num_rows));
  }
  return std::make_shared<PqStorage>(std::move(row_ids), std::move(codes), std::move(squared_lengths), num_bits,
                                     code_width, static_cast<StorageLayout>(layout));
}

std::shared_ptr<arrow::RecordBatch> PqStorage::ToBatch() const {
  std::vector<std::string> names = {kRowIdColumn, kCodesColumn};
  arrow::ArrayVector arrays = {ArrayOver(arrow::uint64(), row_ids_), ArrayOver(arrow::uint8(), codes_)};
  if (squared_lengths_ != nullptr) {
    names.push_back(kSquaredLengthsColumn);
    arrays.push_back(ArrayOver(arrow::float32(), squared_lengths_));
  }
  return MakeOneRowBatch(names, arrays);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> PqStorage::Select(std::span<const uint32_t> rows,
                                                                         std::vector<uint64_t> row_ids) const {
  ARROW_ASSIGN_OR_RAISE(auto selected,
                        layout_ == StorageLayout::kScan
                            ? SelectFromColumns(codes(), code_width_, stride(), rows, StrideOf(rows.size()))
                            : SelectRows(codes(), code_width_, rows));
  std::shared_ptr<arrow::Buffer> lengths;
  if (squared_lengths_ != nullptr) {
    ARROW_ASSIGN_OR_RAISE(lengths, SelectRows(squared_lengths_->data(), sizeof(float), rows));
  }
  ARROW_ASSIGN_OR_RAISE(auto ids, EnsureAligned(arrow::Buffer::FromVector(std::move(row_ids))));
  return std::make_shared<PqStorage>(std::move(ids), std::move(selected), std::move(lengths), num_bits_, code_width_,
                                     layout_);
}

}  // namespace fewter
