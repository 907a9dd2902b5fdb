#include "fewter/simd/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/distance_bytes.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "fewter/simd/distance_rows_internal.h"

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

// No lane can exceed 32 bits, as even the sum of all cannot.
HWY_INLINE uint32_t SquaredByteDifferences(const uint8_t* HWY_RESTRICT a, const uint8_t* HWY_RESTRICT b,
                                           size_t dimension) {
  uint32_t sum = 0;
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<uint8_t> tag;
  const hn::Repartition<int16_t, decltype(tag)> shorts;
  const hn::Repartition<int32_t, decltype(tag)> words;
  const size_t lanes = hn::Lanes(tag);
  auto sum0 = hn::Zero(words), sum1 = hn::Zero(words), sum2 = hn::Zero(words), sum3 = hn::Zero(words);
  for (; i + lanes <= dimension; i += lanes) {
    const auto x = hn::LoadU(tag, a + i), y = hn::LoadU(tag, b + i);
    const auto difference = hn::Or(hn::SaturatedSub(x, y), hn::SaturatedSub(y, x));
    const auto low = hn::BitCast(shorts, hn::InterleaveLower(tag, difference, hn::Zero(tag)));
    const auto high = hn::BitCast(shorts, hn::InterleaveUpper(tag, difference, hn::Zero(tag)));
    sum0 = hn::ReorderWidenMulAccumulate(words, low, low, sum0, sum1);
    sum2 = hn::ReorderWidenMulAccumulate(words, high, high, sum2, sum3);
  }
  // Of all lanes together the largest sum needs the bit that would be a sign.
  const hn::Repartition<uint32_t, decltype(tag)> sums;
  const auto low_sums = hn::Add(hn::BitCast(sums, sum0), hn::BitCast(sums, sum1));
  const auto high_sums = hn::Add(hn::BitCast(sums, sum2), hn::BitCast(sums, sum3));
  sum = hn::GetLane(hn::SumOfLanes(sums, hn::Add(low_sums, high_sums)));
#endif
  for (; i < dimension; ++i) {
    const int difference = int{a[i]} - int{b[i]};
    sum += static_cast<uint32_t>(difference * difference);
  }
  return sum;
}

}  // namespace

void L2SquaredU8(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                 const uint32_t* picks) {
  const auto distance = [&](const uint8_t* row) {
    return static_cast<float>(SquaredByteDifferences(query, row, dimension));
  };
  if (picks == nullptr) {
    for (size_t i = 0; i < num_rows; ++i) out[i] = distance(rows + i * dimension);
    return;
  }
  constexpr size_t kAhead = 4;
  const PickedRows<uint8_t> picked(rows, dimension, picks, num_rows);
  picked.PrefetchFirst(kAhead);
  for (size_t i = 0; i < num_rows; ++i) {
    if (i + kAhead < num_rows) PrefetchAll(picked[i + kAhead], dimension);
    out[i] = distance(picked[i]);
  }
}

void DotU8(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
           const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredU8);
HWY_EXPORT(DotU8);

void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredU8)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotU8)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
