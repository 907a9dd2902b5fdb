#include "fewter/simd/select.h"

#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/select.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

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

size_t SelectAtMost(const float* values, size_t n, float limit, uint32_t* indices) {
  return HWY_DYNAMIC_DISPATCH(SelectAll)(values, n, limit, indices);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
