#include "fewter/simd/distance.h"

// For VNNI.
#define HWY_WANT_AVX3_DL
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

// clang 16 fails on the assembly.
#if HWY_TARGET == HWY_AVX3_DL && !HWY_COMPILER_CLANG
using ByteTag = hn::Full512<uint8_t>;
using WordTag = hn::Full512<int32_t>;

// Multiplies bytes by signed bytes and adds the products by fours. By its name: the compiler is not told that this
// target has VNNI, though it is not chosen without.
HWY_INLINE void AddProducts(hn::Vec<ByteTag> bytes, hn::Vec<ByteTag> signed_bytes, hn::Vec<WordTag>& sum) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(bytes.raw), "v"(signed_bytes.raw));
}

// A signed byte is 128 less than what it stands for, so a row x needs, with the query q,
//     sum of (x - q)^2 = sum of q^2 + sum of x (x - 128) - 2 sum of x (q - 128) - 128 sum of x
// which takes the row as it lies, and all modulo 2^32, which the sum does not reach.
HWY_INLINE uint32_t SquaredByteDifferences(const uint8_t* HWY_RESTRICT query, const uint8_t* HWY_RESTRICT row,
                                           size_t dimension, uint32_t query_squared) {
  const ByteTag tag;
  const WordTag words;
  const auto top_bit = hn::Set(tag, 0x80), one = hn::Set(tag, 1);
  auto squares = hn::Zero(words), products = hn::Zero(words), sums = hn::Zero(words);
  const size_t lanes = hn::Lanes(tag);
  for (size_t i = 0; i < dimension; i += lanes) {
    const bool whole = i + lanes <= dimension;
    const auto mask = hn::FirstN(tag, dimension - i);
    const auto x = whole ? hn::LoadU(tag, row + i) : hn::MaskedLoad(mask, tag, row + i);
    const auto q = whole ? hn::LoadU(tag, query + i) : hn::MaskedLoad(mask, tag, query + i);
    AddProducts(x, hn::Xor(x, top_bit), squares);
    AddProducts(x, hn::Xor(q, top_bit), products);
    AddProducts(x, one, sums);
  }
  const auto twice_products = hn::Add(products, products);
  const auto sum = hn::Sub(hn::Sub(squares, twice_products), hn::ShiftLeft<7>(sums));
  return query_squared + static_cast<uint32_t>(hn::GetLane(hn::SumOfLanes(words, sum)));
}
#else
// No lane can exceed 32 bits, as even the sum of all cannot.
HWY_INLINE uint32_t SquaredByteDifferences(const uint8_t* HWY_RESTRICT a, const uint8_t* HWY_RESTRICT b,
                                           size_t dimension, uint32_t) {
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
#endif

uint32_t SumOfSquares(const uint8_t* values, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += uint32_t{values[i]} * values[i];
  return sum;
}

// Picked rows are asked for about so many bytes before they are looked at.
constexpr size_t kPickedBytesAhead = 2048;
// The others so many: bytes are compared faster than memory answers, so that some of the first of a piece of memory
// would be late with less.
constexpr size_t kConsecutiveBytesAhead = 12288;

}  // namespace

void L2SquaredU8(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                 const ReadAhead& read_ahead) {
  const uint32_t query_squared = SumOfSquares(query, dimension);
  for (size_t i = 0; i < num_rows; ++i) {
    const uint8_t* row = rows + i * dimension;
    PrefetchAll(read_ahead.After(row, kConsecutiveBytesAhead), dimension);
    out[i] = static_cast<float>(SquaredByteDifferences(query, row, dimension, query_squared));
  }
}

void L2SquaredPickedU8(const uint8_t* query, const uint8_t* rows, size_t num_picks, size_t dimension, float* out,
                       const uint32_t* picks) {
  const size_t ahead = std::clamp<size_t>(kPickedBytesAhead / std::max<size_t>(dimension, 1), 1, 16);
  const uint32_t query_squared = SumOfSquares(query, dimension);
  const PickedRows<uint8_t> picked(rows, dimension, picks, num_picks);
  picked.PrefetchFirst(ahead);
  for (size_t i = 0; i < num_picks; ++i) {
    PrefetchAll(picked.AheadOf(i, ahead), dimension);
    out[i] = static_cast<float>(SquaredByteDifferences(query, picked[i], dimension, query_squared));
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
HWY_EXPORT(L2SquaredPickedU8);
HWY_EXPORT(DotU8);

void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  if (picks == nullptr) return L2SquaredRows(query, rows, num_rows, dimension, out, ReadAhead());
  HWY_DYNAMIC_DISPATCH(L2SquaredPickedU8)(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const ReadAhead& read_ahead) {
  HWY_DYNAMIC_DISPATCH(L2SquaredU8)(query, rows, num_rows, dimension, out, read_ahead);
}

void DotRows(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotU8)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
