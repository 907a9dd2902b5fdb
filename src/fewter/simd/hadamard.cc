#include "fewter/simd/hadamard.h"

#include <bit>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/hadamard.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Elements i and i + half of each 2 * half become their sum and their difference. `half` is a multiple of the lanes.
template <class D>
HWY_INLINE void Butterflies(D tag, float* HWY_RESTRICT values, size_t n, size_t half) {
  for (size_t begin = 0; begin < n; begin += 2 * half) {
    float* HWY_RESTRICT left = values + begin;
    for (size_t i = 0; i < half; i += hn::Lanes(tag)) {
      const auto a = hn::LoadU(tag, left + i), b = hn::LoadU(tag, left + half + i);
      hn::StoreU(hn::Add(a, b), tag, left + i);
      hn::StoreU(hn::Sub(a, b), tag, left + half + i);
    }
  }
}

// The first two steps, whose pairs are too close together for vectors.
HWY_INLINE void ButterfliesOfFour(float* HWY_RESTRICT values, size_t n) {
  for (size_t i = 0; i < n; i += 4) {
    const float a = values[i] + values[i + 1], b = values[i] - values[i + 1];
    const float c = values[i + 2] + values[i + 3], d = values[i + 2] - values[i + 3];
    values[i] = a + c;
    values[i + 1] = b + d;
    values[i + 2] = a - c;
    values[i + 3] = b - d;
  }
}

HWY_INLINE void WalshHadamard(float* values, size_t n) {
  ButterfliesOfFour(values, n);
  if (n >= 8) Butterflies(hn::CappedTag<float, 4>(), values, n, 4);
  if (n >= 16) Butterflies(hn::CappedTag<float, 8>(), values, n, 8);
  for (size_t half = 16; half < n; half *= 2) Butterflies(hn::CappedTag<float, 16>(), values, n, half);
}

}  // namespace

void Rotate(const float* HWY_RESTRICT signs, size_t dimension, float* HWY_RESTRICT values) {
  const size_t window = std::bit_floor(dimension);
  const float scale = 1.0f / std::sqrt(static_cast<float>(window));
  for (size_t round = 0; round < kHadamardRounds; ++round, signs += dimension) {
    for (size_t i = 0; i < dimension; ++i) values[i] *= signs[i];
    float* HWY_RESTRICT first = round % 2 == 0 ? values : values + (dimension - window);
    WalshHadamard(first, window);
    for (size_t i = 0; i < window; ++i) first[i] *= scale;
    if (window == dimension) continue;
    const size_t half = dimension / 2;
    for (size_t i = 0; i < half; ++i) {
      const float a = values[i], b = values[half + i];
      values[i] = a + b;
      values[half + i] = a - b;
    }
  }
  if (window == dimension) return;
  // Each of the four rounds made the vector longer by a factor of sqrt(2).
  for (size_t i = 0; i < dimension; ++i) values[i] *= 0.25f;
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(Rotate);

void HadamardRotate(const float* signs, size_t dimension, float* values) {
  HWY_DYNAMIC_DISPATCH(Rotate)(signs, dimension, values);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
