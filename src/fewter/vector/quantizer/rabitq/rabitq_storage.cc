#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <arrow/array.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include "fewter/simd/prefetch_internal.h"
#include "fewter/simd/rabitq_ex_places_internal.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/rabitq/rabitq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

/// An array's name in auxiliary.idx and in a cache entry.
struct ArrayNames {
  const char* file;
  const char* entry;
};
constexpr char kSequentialExCodes[] = "__ex_codes";
constexpr ArrayNames kNames[RabitqStorage::kNumArrays] = {
    {kRowIdColumn, kRowIdColumn},       {"_rabit_codes", "codes"},      {"__scale_factors", "scale"},
    {"__add_factors", "add"},           {"__error_factors", "error"},   {"__blocked_ex_codes", "ex_codes"},
    {"__scale_factors_ex", "ex_scale"}, {"__add_factors_ex", "ex_add"},
};

/// The arrays from kError on belong to ex codes.
size_t NumArrays(uint32_t ex_bits) {
  return ex_bits == 0 ? RabitqStorage::kError : RabitqStorage::kNumArrays;
}

bool IsCodes(size_t array) {
  return array == RabitqStorage::kCodes || array == RabitqStorage::kExCodes;
}

const std::shared_ptr<arrow::DataType>& TypeOf(size_t array) {
  if (array == RabitqStorage::kRowIds) return arrow::uint64();
  return IsCodes(array) ? arrow::uint8() : arrow::float32();
}

uint32_t ExCodeBytes(uint32_t code_dimension, uint32_t ex_bits) {
  return RoundUp(code_dimension, static_cast<uint32_t>(simd::kRabitqExBlock)) / 8 * ex_bits;
}

/// Row after row to blocks of 32 rows and columns of the rest.
void Pack(const uint8_t* rows, size_t num_rows, size_t width, uint8_t* to) {
  constexpr size_t kHalf = simd::kRabitqBlockRows / 2;
  const size_t num_blocks = num_rows / simd::kRabitqBlockRows;
  for (size_t block = 0; block < num_blocks; ++block, rows += simd::kRabitqBlockRows * width) {
    for (size_t p = 0; p < width; ++p, to += simd::kRabitqBlockRows) {
      for (size_t j = 0; j < kHalf; ++j) {
        const uint32_t first = rows[simd::kRabitqRowAt[j] * width + p];
        const uint32_t second = rows[(simd::kRabitqRowAt[j] + kHalf) * width + p];
        to[j] = static_cast<uint8_t>((first & 15) | (second & 15) << 4);
        to[kHalf + j] = static_cast<uint8_t>(first >> 4 | (second & 0xf0));
      }
    }
  }
  const size_t rest = num_rows % simd::kRabitqBlockRows;
  for (size_t p = 0; p < width; ++p) {
    for (size_t i = 0; i < rest; ++i) *to++ = rows[i * width + p];
  }
}

/// Some rows of packed codes, row after row: the other way round.
std::vector<uint8_t> Unpack(const uint8_t* packed, size_t num_rows, size_t width, std::span<const uint32_t> rows) {
  constexpr size_t kBlock = simd::kRabitqBlockRows;
  constexpr size_t kHalf = kBlock / 2;
  std::array<size_t, kHalf> place_of;
  for (size_t j = 0; j < kHalf; ++j) place_of[simd::kRabitqRowAt[j]] = j;
  const size_t packed_rows = num_rows - num_rows % kBlock;
  std::vector<uint8_t> codes;
  codes.reserve(rows.size() * width);
  for (const size_t row : rows) {
    const uint8_t* block = packed + (row - row % kBlock) * width;
    const size_t place = place_of[row % kHalf];
    const uint32_t shift = row % kBlock < kHalf ? 0 : 4;
    for (size_t p = 0; p < width; ++p, block += kBlock) {
      if (row >= packed_rows) {
        codes.push_back(packed[packed_rows * width + p * (num_rows - packed_rows) + (row - packed_rows)]);
      } else {
        const uint32_t low = block[place] >> shift & 15, high = block[kHalf + place] >> shift & 15;
        codes.push_back(static_cast<uint8_t>(low | high << 4));
      }
    }
  }
  return codes;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> CodesOf(const arrow::RecordBatch& rows, const RabitqShape& shape) {
  ARROW_ASSIGN_OR_RAISE(auto from,
                        ListValuesOf(rows, kNames[RabitqStorage::kCodes].file, *arrow::uint8(), shape.code_bytes()));
  if (shape.packed) return EnsureAligned(std::move(from));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> packed, arrow::AllocateBuffer(from->size()));
  Pack(from->data(), static_cast<size_t>(rows.num_rows()), shape.code_bytes(), packed->mutable_data());
  return packed;
}

const char* FileColumnOf(const RabitqShape& shape, size_t array) {
  return array == RabitqStorage::kExCodes && !shape.has_blocked_ex_codes ? kSequentialExCodes : kNames[array].file;
}

/// The code of an element among those of a row that follow each other, from the lowest bit of the first byte on.
uint32_t SequentialExCode(const uint8_t* row, uint32_t bits, size_t element) {
  uint32_t code = 0;
  for (uint32_t bit = 0; bit < bits; ++bit) {
    const size_t place = element * bits + bit;
    code |= (uint32_t{row[place / 8]} >> (place % 8) & 1U) << bit;
  }
  return code;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ExCodesOf(const arrow::RecordBatch& rows, const RabitqShape& shape) {
  const char* column = FileColumnOf(shape, RabitqStorage::kExCodes);
  const uint32_t bits = shape.ex_bits(), width = ExCodeBytes(shape.code_dimension, bits);
  if (shape.has_blocked_ex_codes) {
    ARROW_ASSIGN_OR_RAISE(auto codes, ListValuesOf(rows, column, *arrow::uint8(), width));
    return EnsureAligned(std::move(codes));
  }
  const uint32_t file_width = shape.code_dimension / 8 * bits;
  ARROW_ASSIGN_OR_RAISE(const auto codes, ListValuesOf(rows, column, *arrow::uint8(), file_width));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> blocked, arrow::AllocateBuffer(rows.num_rows() * width));
  std::memset(blocked->mutable_data(), 0, static_cast<size_t>(blocked->size()));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    const uint8_t* from = codes->data() + row * file_width;
    uint8_t* to = blocked->mutable_data() + row * width;
    for (size_t i = 0; i < shape.code_dimension; ++i) {
      uint8_t* block = to + i / simd::kRabitqExBlock * 8 * bits;
      simd::SetExCode(block, bits, i % simd::kRabitqExBlock, SequentialExCode(from, bits, i));
    }
  }
  return blocked;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ArrayOf(const arrow::RecordBatch& rows, const RabitqShape& shape,
                                                      size_t array) {
  if (array == RabitqStorage::kRowIds) return RowIdsOf(rows);
  if (array == RabitqStorage::kCodes) return CodesOf(rows, shape);
  if (array == RabitqStorage::kExCodes) return ExCodesOf(rows, shape);
  return ValuesOf(rows, kNames[array].file, *TypeOf(array));
}

}  // namespace

std::vector<std::string> RabitqStorage::ColumnsOf(const RabitqShape& shape) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < NumArrays(shape.ex_bits()); ++i) columns.emplace_back(FileColumnOf(shape, i));
  return columns;
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RabitqStorage::FromRows(const arrow::RecordBatch& rows,
                                                                               const RabitqShape& shape) {
  Buffers buffers;
  for (size_t i = 0; i < NumArrays(shape.ex_bits()); ++i) {
    ARROW_ASSIGN_OR_RAISE(buffers[i], ArrayOf(rows, shape, i));
  }
  return std::make_shared<RabitqStorage>(shape.code_dimension, shape.ex_bits(), std::move(buffers));
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RabitqStorage::FromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  const auto [code_dimension, ex_bits, unused2, unused3] = parameters;
  if (code_dimension == 0 || code_dimension % 8 != 0 || code_dimension > RabitqShape::kMaxCodeDimension ||
      ex_bits > 8 || unused2 != 0 || unused3 != 0) {
    return arrow::Status::Invalid("RaBitQ storage: parameters ", code_dimension, ", ", ex_bits, ", ", unused2, ", ",
                                  unused3);
  }
  Buffers buffers;
  for (size_t i = 0; i < NumArrays(ex_bits); ++i) {
    // A row has at most 65536 bytes of codes, so no product exceeds 48 bits.
    const uint64_t width = i == kCodes ? code_dimension / 8 : i == kExCodes ? ExCodeBytes(code_dimension, ex_bits) : 1;
    ARROW_ASSIGN_OR_RAISE(buffers[i], BufferOfOneRow(*batch, kNames[i].entry, *TypeOf(i), width * num_rows));
  }
  return std::make_shared<RabitqStorage>(code_dimension, ex_bits, std::move(buffers));
}

void RabitqStorage::Prefetch() const {
  for (const Array array : {kCodes, kScale, kAdd, kError}) {
    if (buffers_[array] == nullptr) continue;
    simd::PrefetchArray(buffers_[array]->data(), static_cast<size_t>(buffers_[array]->size()));
  }
}

int64_t RabitqStorage::SizeInBytes() const {
  int64_t size = sizeof(*this);
  for (const auto& buffer : buffers_) size += buffer == nullptr ? 0 : buffer->size();
  return size;
}

std::shared_ptr<arrow::RecordBatch> RabitqStorage::ToBatch() const {
  std::vector<std::string> names;
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < NumArrays(ex_bits_); ++i) {
    names.emplace_back(kNames[i].entry);
    arrays.push_back(ArrayOver(TypeOf(i), buffers_[i]));
  }
  return MakeOneRowBatch(names, arrays);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RabitqStorage::Select(std::span<const uint32_t> rows,
                                                                             std::vector<uint64_t> row_ids) const {
  Buffers selected;
  ARROW_ASSIGN_OR_RAISE(selected[kRowIds], EnsureAligned(arrow::Buffer::FromVector(std::move(row_ids))));
  const auto unpacked = Unpack(codes(), num_rows(), code_bytes(), rows);
  ARROW_ASSIGN_OR_RAISE(selected[kCodes], arrow::AllocateBuffer(static_cast<int64_t>(unpacked.size())));
  Pack(unpacked.data(), rows.size(), code_bytes(), selected[kCodes]->mutable_data());
  for (size_t i = kScale; i < NumArrays(ex_bits_); ++i) {
    const size_t width = i == kExCodes ? ex_code_bytes() : sizeof(float);
    ARROW_ASSIGN_OR_RAISE(selected[i], SelectRows(buffers_[i]->data(), width, rows));
  }
  return std::make_shared<RabitqStorage>(code_dimension_, ex_bits_, std::move(selected));
}

}  // namespace fewter
