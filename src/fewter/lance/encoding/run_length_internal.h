#pragma once

#include <cstdint>
#include <span>

#include <arrow/status.h>

namespace fewter::lance {

/// Run-length decoding: values of `value_bits` bits, each repeated as often as the entry of `lengths` beside it says,
/// which has `length_bits` bits (both 8, 16, 32 or 64). Writes `count` values to `out`, which is aligned for them.
/// Invalid if there are not as many lengths as values, or the lengths do not add up to `count`.
arrow::Status DecodeRunLengths(std::span<const uint8_t> values, uint32_t value_bits, std::span<const uint8_t> lengths,
                               uint32_t length_bits, uint64_t count, uint8_t* out);

/// The same from one buffer: the byte size of the values (u64), the values, the lengths.
arrow::Status DecodeRunLengthBlock(std::span<const uint8_t> block, uint32_t value_bits, uint32_t length_bits,
                                   uint64_t count, uint8_t* out);

}  // namespace fewter::lance
