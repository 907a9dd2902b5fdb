#include "fewter/simd/hamming.h"

#include <algorithm>

#include "fewter/simd/prefetch_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/hamming.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE uint64_t CountTail(const uint8_t* a, const uint8_t* b, size_t begin, size_t bytes) {
  uint64_t differing = 0;
  for (size_t i = begin; i < bytes; ++i) {
    differing += hwy::PopCount(static_cast<uint64_t>(a[i] ^ b[i]));
  }
  return differing;
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE uint64_t Differing(const uint8_t* a, const uint8_t* b, size_t bytes) {
  return CountTail(a, b, 0, bytes);
}
#else
HWY_INLINE uint64_t Differing(const uint8_t* HWY_RESTRICT a, const uint8_t* HWY_RESTRICT b, size_t bytes) {
  const hn::ScalableTag<uint64_t> words;
  const hn::Repartition<uint8_t, decltype(words)> tag;
  const size_t lanes = hn::Lanes(tag);
  auto sum = hn::Zero(words);
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) {
    const auto difference = hn::Xor(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i));
    sum = hn::Add(sum, hn::SumsOf8(hn::PopulationCount(difference)));
  }
  return hn::GetLane(hn::SumOfLanes(words, sum)) + CountTail(a, b, i, bytes);
}
#endif

}  // namespace

void HammingAll(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t bytes, float* out,
                const uint32_t* picks) {
  if (picks == nullptr) {
    for (size_t i = 0; i < num_rows; ++i) out[i] = static_cast<float>(Differing(query, rows + i * bytes, bytes));
    return;
  }
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < std::min(num_rows, kAhead); ++i) PrefetchAll(rows + picks[i] * bytes, bytes);
  for (size_t i = 0; i < num_rows; ++i) {
    if (i + kAhead < num_rows) PrefetchAll(rows + picks[i + kAhead] * bytes, bytes);
    out[i] = static_cast<float>(Differing(query, rows + picks[i] * bytes, bytes));
  }
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(HammingAll);

void HammingRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t bytes, float* out,
                 const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(HammingAll)(query, rows, num_rows, bytes, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
