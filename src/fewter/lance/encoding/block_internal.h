#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/encoding/column_builder_internal.h"
#include "fewter/lance/encoding/compression_internal.h"

/// Undoing the compression of values. In memory a value has a whole number of bytes; a bool is a byte, 0 or 1.

namespace fewter::lance {

/// Bytes of one value in memory. Requires values of fixed width.
uint64_t ValueBytes(const Compression& compression);

/// A block is a buffer that is decoded as a whole: levels, or a dictionary. None that a writer makes is larger than a
/// page, 32 MiB unless configured otherwise; some encodings can claim any number of values in a few bytes.
inline constexpr uint64_t kMaxBlockBytes = uint64_t{128} << 20;

/// Decodes `count` values of fixed width; the result is 64-byte aligned. Invalid if the bytes are not those of so many
/// values.
arrow::Result<std::shared_ptr<arrow::Buffer>> DecodeBlock(const Compression& compression,
                                                          std::span<const uint8_t> block, uint64_t count);

/// Values of varying length.
struct VariableValues {
  std::shared_ptr<arrow::Buffer> bytes;
  /// Where each value starts, and the end of the last.
  std::vector<uint64_t> starts;

  std::span<const uint8_t> operator[](uint64_t i) const {
    return {bytes->data() + starts[i], static_cast<size_t>(starts[i + 1] - starts[i])};
  }
};

/// Decodes `count` values of varying length.
arrow::Result<VariableValues> DecodeVariableBlock(const Compression& compression, std::span<const uint8_t> block,
                                                  uint64_t count);

/// Decodes a block of levels, 16 bits each.
arrow::Result<std::vector<uint16_t>> DecodeLevels(const Compression& compression, std::span<const uint8_t> block,
                                                  uint64_t count);

/// A range of the values of a chunk.
struct ValueRange {
  uint64_t start = 0;
  uint64_t length = 0;
};

/// Decodes ranges of the `count` values of a mini-block chunk, one after the other, into `out`, which is aligned for
/// them. `buffers` are the chunk's value buffers. Requires values of fixed width, and that the ranges lie inside the
/// chunk.
arrow::Status DecodeChunkValues(const Compression& compression, std::span<const std::span<const uint8_t>> buffers,
                                uint64_t count, std::span<const ValueRange> ranges, uint8_t* out);

/// Appends ranges of a chunk's values, of fixed width or of varying length, and the validity of their elements.
arrow::Status AppendChunkValues(const Compression& compression, std::span<const std::span<const uint8_t>> buffers,
                                uint64_t count, std::span<const ValueRange> ranges, ColumnBuilder* out);

/// Appends values that FSST has compressed: value i lies in `bytes` from starts[i] to starts[i + 1]. Overwrites
/// `starts`.
arrow::Status AppendFsstValues(const FsstDecoder& decoder, std::span<const uint8_t> bytes, std::span<uint64_t> starts,
                               ColumnBuilder* out);

/// Appends one value of a full-zip page: `value` has what `compression` made of it.
arrow::Status AppendZippedValue(const Compression& compression, std::span<const uint8_t> value, ColumnBuilder* out);

}  // namespace fewter::lance
