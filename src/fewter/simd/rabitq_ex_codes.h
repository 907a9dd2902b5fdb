#pragma once

#include <cstddef>
#include <cstdint>

/// RaBitQ's further bits: the inner product of a query with a row's whole numbers of 1 to 8 bits an element.
///
/// They lie in blocks of 64 elements, 8 * bits bytes each. Element 16k + b of a block (k < 4, b < 16):
///
///   1 bit    bit 16k + b, the lowest of a byte first
///   2 bits   byte b, bits 2k and 2k + 1
///   3 bits   the lower two as above; then 8 bytes of top bits: byte b % 8, bit 2k + b / 8
///   4 bits   byte 8k + b % 8, the lower half if b < 8
///   5 bits   the lower four in byte 16 (k / 2) + b, the lower half if k is even; then 8 bytes of top bits
///   6 bits   k < 3: byte 16k + b, the lower six bits; k = 3: the upper two bits of bytes b, 16 + b and 32 + b
///   7 bits   the lower six as above; then 8 bytes of top bits
///   8 bits   byte 16k + b

namespace fewter::simd {

/// Elements of a block.
inline constexpr size_t kRabitqExBlock = 64;

/// The sum of query[i] times the number of element i over `num_blocks` blocks; the query has 64 elements a block, and
/// zeros where the row has none. Requires 1 <= bits <= 8. Any bytes are valid codes; pointers need no alignment.
float RabitqExDot(const float* query, const uint8_t* codes, size_t num_blocks, uint32_t bits);

}  // namespace fewter::simd
