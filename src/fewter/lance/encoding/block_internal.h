#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/encoding/compression_internal.h"

/// Undoing the compression of values. In memory a value has value_bits() / 8 bytes; one of 1 bit is a byte, 0 or 1.

namespace fewter::lance {

/// Bytes of one value in memory.
constexpr uint64_t ValueBytes(uint64_t value_bits) {
  return value_bits == 1 ? 1 : value_bits / 8;
}

/// A block is a buffer that is decoded as a whole: levels, or a dictionary. None that a writer makes is larger than a
/// page, 32 MiB unless configured otherwise; some encodings can claim any number of values in a few bytes.
inline constexpr uint64_t kMaxBlockBytes = uint64_t{128} << 20;

/// Decodes `count` values; the result is 64-byte aligned. Invalid if the bytes are not those of so many values.
arrow::Result<std::shared_ptr<arrow::Buffer>> DecodeBlock(const Compression& compression,
                                                          std::span<const uint8_t> block, uint64_t count);

/// Decodes a block of levels, 16 bits each.
arrow::Result<std::vector<uint16_t>> DecodeLevels(const Compression& compression, std::span<const uint8_t> block,
                                                  uint64_t count);

/// A range of the values of a chunk.
struct ValueRange {
  uint64_t start = 0;
  uint64_t length = 0;
};

/// Decodes the values `range` out of the `count` of a mini-block chunk into `out`, which is aligned for them. `buffers`
/// are the chunk's value buffers. Requires that the range lies inside the chunk.
arrow::Status DecodeChunkValues(const Compression& compression, std::span<const std::span<const uint8_t>> buffers,
                                uint64_t count, ValueRange range, uint8_t* out);

}  // namespace fewter::lance
