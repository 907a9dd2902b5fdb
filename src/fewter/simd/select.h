#pragma once

#include <cstddef>
#include <cstdint>

namespace fewter::simd {

/// Writes the indices i, ascending, with values[i] <= limit to `indices`, which has room for `n` of them; returns how
/// many there are. NaN is never selected, nor is anything if the limit is NaN. Made for the case that few pass.
/// Requires n < 2^32. Values may start at any address.
size_t SelectAtMost(const float* values, size_t n, float limit, uint32_t* indices);

/// Up to so many may be wanted of LimitForAtLeast.
inline constexpr size_t kMaxWanted = 256;

/// A limit that at least `wanted` of the values do not exceed, and seldom many more: it is the wanted-th least of the
/// least values of at least twice as many groups. Infinity if there are fewer; NaN is never counted. Takes one pass, in
/// which nothing is moved. Requires 1 <= wanted <= kMaxWanted.
float LimitForAtLeast(const float* values, size_t n, size_t wanted);

}  // namespace fewter::simd
