#pragma once

#include <cstddef>
#include <cstdint>

namespace fewter::simd {

/// Writes the indices i, ascending, with values[i] <= limit to `indices`, which has room for `n` of them; returns how
/// many there are. NaN is never selected, nor is anything if the limit is NaN. Made for the case that few pass.
/// Requires n < 2^32. Values may start at any address.
size_t SelectAtMost(const float* values, size_t n, float limit, uint32_t* indices);

}  // namespace fewter::simd
