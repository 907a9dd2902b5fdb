#include "fewter/simd/select.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/select.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Of so few the wanted one is found by counting.
constexpr size_t kLeastGroups = 64;

// minima[g] = the least of the values whose index is g modulo `groups`, a multiple of any vector's lanes.
HWY_INLINE void LeastOfGroups(const float* HWY_RESTRICT values, size_t n, size_t groups, float* HWY_RESTRICT minima) {
  const hn::CappedTag<float, 16> tag;
  const size_t lanes = hn::Lanes(tag);
  const size_t whole = n - n % lanes;
  for (size_t first = 0; first < groups; first += lanes) {
    auto least = hn::Set(tag, kInfinity);
    for (size_t i = first; i < whole; i += groups) {
      const auto value = hn::LoadU(tag, values + i);
      least = hn::IfThenElse(hn::Lt(value, least), value, least);  // not Min, for NaN
    }
    hn::StoreU(least, tag, minima + first);
  }
  for (size_t i = whole; i < n; ++i) {
    if (values[i] < minima[i % groups]) minima[i % groups] = values[i];
  }
}

// The wanted-th least: the largest of those of which fewer than `wanted` are less than themselves.
HWY_INLINE float WantedByCounting(const float* HWY_RESTRICT values, size_t n, size_t wanted) {
  const hn::CappedTag<float, 16> tag;
  const hn::RebindToSigned<decltype(tag)> counts;
  auto largest = hn::Set(tag, -kInfinity);
  for (size_t i = 0; i < n; i += hn::Lanes(tag)) {
    const auto value = hn::LoadU(tag, values + i);
    auto less = hn::Zero(counts);
    for (size_t j = 0; j < n; ++j) {
      const auto is_less = hn::RebindMask(counts, hn::Lt(hn::Set(tag, values[j]), value));
      less = hn::Sub(less, hn::VecFromMask(counts, is_less));
    }
    const auto is_near = hn::RebindMask(tag, hn::Lt(less, hn::Set(counts, static_cast<int32_t>(wanted))));
    largest = hn::Max(largest, hn::IfThenElse(is_near, value, hn::Set(tag, -kInfinity)));
  }
  return hn::GetLane(hn::MaxOfLanes(tag, largest));
}

}  // namespace

float LimitOf(const float* values, size_t n, size_t wanted) {
  HWY_ALIGN std::array<float, 2 * kMaxWanted> minima;
  const size_t groups = std::max(kLeastGroups, std::bit_ceil(2 * wanted));
  LeastOfGroups(values, n, groups, minima.data());
  if (groups == kLeastGroups) return WantedByCounting(minima.data(), groups, wanted);
  const auto at = minima.begin() + static_cast<std::ptrdiff_t>(wanted) - 1;
  std::nth_element(minima.begin(), at, minima.begin() + static_cast<std::ptrdiff_t>(groups));
  return *at;
}

size_t SelectAll(const float* HWY_RESTRICT values, size_t n, float limit, uint32_t* HWY_RESTRICT indices) {
  // At most 64 lanes, so that a mask fits in one word.
  const hn::CappedTag<float, 64> tag;
  const size_t lanes = hn::Lanes(tag);
  const auto limits = hn::Set(tag, limit);
  size_t count = 0;
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto mask = hn::Le(hn::LoadU(tag, values + i), limits);
    if (hn::AllFalse(tag, mask)) continue;
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(tag, mask, bytes);
    uint64_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    for (; bits != 0; bits &= bits - 1) indices[count++] = static_cast<uint32_t>(i + std::countr_zero(bits));
  }
  for (; i < n; ++i) {
    if (values[i] <= limit) indices[count++] = static_cast<uint32_t>(i);
  }
  return count;
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(SelectAll);
HWY_EXPORT(LimitOf);

size_t SelectAtMost(const float* values, size_t n, float limit, uint32_t* indices) {
  return HWY_DYNAMIC_DISPATCH(SelectAll)(values, n, limit, indices);
}

float LimitForAtLeast(const float* values, size_t n, size_t wanted) {
  return HWY_DYNAMIC_DISPATCH(LimitOf)(values, n, wanted);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
