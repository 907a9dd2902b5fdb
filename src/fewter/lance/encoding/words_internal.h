#pragma once

#include <cstdint>

#include <arrow/status.h>

namespace fewter::lance {

/// True for the widths of whole words: 8, 16, 32 and 64 bits.
constexpr bool IsWordWidth(uint64_t bits) {
  return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

/// Calls `function` with a zero of the unsigned type of that many bits. Invalid if there is none.
template <typename Function>
arrow::Status WithWord(uint64_t bits, Function&& function) {
  switch (bits) {
    case 8:
      return function(uint8_t{0});
    case 16:
      return function(uint16_t{0});
    case 32:
      return function(uint32_t{0});
    case 64:
      return function(uint64_t{0});
    default:
      return arrow::Status::Invalid("values of ", bits, " bits");
  }
}

}  // namespace fewter::lance
