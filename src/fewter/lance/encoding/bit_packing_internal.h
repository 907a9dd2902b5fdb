#pragma once

#include <cstdint>
#include <span>

#include <arrow/status.h>

/// Bit-packed integers in FastLanes order.
///
/// A block is 1024 values of T bits, each cut to its low W bits, W between 0 and T. A row of 1024 / T lanes is packed
/// at once, so that a row of values comes out with one shift and one mask for all lanes: a loop that compilers turn
/// into SIMD code. The price is that values do not lie in order: row r holds the values `order[r / 8] * 16 + (r % 8) *
/// 128 + lane`, order = 0 4 2 6 1 5 3 7.

namespace fewter::lance {

inline constexpr uint64_t kPackedBlockValues = 1024;

/// Unpacks one block. Reads 128 * width bytes and writes 1024 values. Requires width <= 8 * sizeof(T).
template <typename T>
void UnpackBlock(const uint8_t* packed, uint32_t width, T* out);

/// Values of `bits` bits (8, 16, 32 or 64) in one block that starts with its own width, a word of that many bits.
/// Writes `count` values to `out`, which is aligned for them. Invalid if there are more than 1024, the width is larger
/// than `bits`, or `packed` has not exactly the length that this takes.
arrow::Status UnpackInline(std::span<const uint8_t> packed, uint32_t bits, uint64_t count, uint8_t* out);

/// Values of `bits` bits packed to `width`, block after block. The last block may be a whole one, of which only the
/// first values count, or plain words, as many as there are values left: the length of `packed` tells which.
arrow::Status UnpackOutOfLine(std::span<const uint8_t> packed, uint32_t bits, uint32_t width, uint64_t count,
                              uint8_t* out);

}  // namespace fewter::lance
