#pragma once

#include <cstddef>

/// A random rotation in O(d log d): what RaBitQ indexes use in the place of a random orthogonal matrix.

namespace fewter::simd {

/// Rounds of a rotation.
inline constexpr size_t kHadamardRounds = 4;

/// Rotates `values`, a vector of `dimension` elements, in place. `signs` holds 1 and -1, `dimension` of them a round.
///
/// A round multiplies by its signs and then transforms: if the dimension is a power of two, all elements by
/// Walsh-Hadamard; otherwise the first (in even rounds) or last (in odd rounds) elements, as many as the largest power
/// of two below, after which element i and element i + dimension / 2 become their sum and their difference. Everything
/// is scaled so that lengths are kept.
///
/// Elements are added pair by pair, in the order of the definition. Requires an even dimension of at least 4. Pointers
/// need no alignment; nothing allocates; thread safe.
void HadamardRotate(const float* signs, size_t dimension, float* values);

}  // namespace fewter::simd
