#pragma once

#include <cstdint>
#include <span>

#include <arrow/status.h>

namespace fewter::lance {

/// Run-length decoding: values of `value_bits` bits, each repeated as often as the entry of `lengths` beside it says,
/// which has `length_bits` bits (both 8, 16, 32 or 64). Writes `count` values to `out`, which is aligned for them.
/// Invalid if there are not as many lengths as values, or the lengths do not add up to `count`; with `may_overrun`,
/// they may add up to more, of which the rest is left out.
arrow::Status DecodeRunLengths(std::span<const uint8_t> values, uint32_t value_bits, std::span<const uint8_t> lengths,
                               uint32_t length_bits, uint64_t count, bool may_overrun, uint8_t* out);

}  // namespace fewter::lance
