#pragma once

#include <cstddef>
#include <cstdint>

/// Where the bits of RaBitQ's ex codes lie, one by one, as rabitq_ex_codes.h tells it: for tests, and for codes that
/// have to be laid out anew. The kernels know it only by the run of 16.

namespace fewter::simd {

/// The place in a block, counted from the lowest bit of its first byte, of bit `bit` of element 16k + b.
inline size_t ExBitPlace(uint32_t bits, size_t bit, size_t k, size_t b) {
  const bool has_top_plane = bits == 3 || bits == 5 || bits == 7;
  if (has_top_plane && bit == bits - 1) return 8 * (size_t{8} * (bits - 1) + b % 8) + 2 * k + b / 8;
  switch (bits) {
    case 1:
      return 16 * k + b;
    case 2:
    case 3:
      return 8 * b + 2 * k + bit;
    case 4:
      return 8 * (8 * k + b % 8) + (b < 8 ? 0 : 4) + bit;
    case 5:
      return 8 * (16 * (k / 2) + b) + 4 * (k % 2) + bit;
    case 6:
    case 7:
      if (k < 3) return 8 * (16 * k + b) + bit;
      return 8 * (16 * (bit / 2) + b) + 6 + bit % 2;
    default:
      return 8 * (16 * k + b) + bit;
  }
}

/// The number of an element of a block.
inline uint32_t ExCodeOf(const uint8_t* block, uint32_t bits, size_t element) {
  uint32_t code = 0;
  for (size_t bit = 0; bit < bits; ++bit) {
    const size_t place = ExBitPlace(bits, bit, element / 16, element % 16);
    code |= (uint32_t{block[place / 8]} >> (place % 8) & 1U) << bit;
  }
  return code;
}

/// Sets it in a block of zeros.
inline void SetExCode(uint8_t* block, uint32_t bits, size_t element, uint32_t code) {
  for (size_t bit = 0; bit < bits; ++bit) {
    const size_t place = ExBitPlace(bits, bit, element / 16, element % 16);
    block[place / 8] = static_cast<uint8_t>(block[place / 8] | (code >> bit & 1U) << (place % 8));
  }
}

}  // namespace fewter::simd
