#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <arrow/buffer.h>
#include <arrow/util/bit_util.h>

/// Bytes of a page, and bits in them.

namespace fewter::lance {

using Bytes = std::span<const uint8_t>;

inline Bytes BytesOf(const arrow::Buffer& buffer) {
  return {buffer.data(), static_cast<size_t>(buffer.size())};
}

/// Writes the bits [first, first + count) as a byte each.
inline void SpreadBits(const uint8_t* bits, uint64_t first, uint64_t count, uint8_t* out) {
  for (uint64_t i = 0; i < count; ++i) out[i] = arrow::bit_util::GetBit(bits, first + i) ? 1 : 0;
}

}  // namespace fewter::lance
