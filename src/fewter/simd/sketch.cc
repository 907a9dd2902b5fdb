#include "fewter/simd/sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Products of bytes, four to a sum, come with VNNI, which this target has.
#define HWY_WANT_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/sketch.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "fewter/simd/numbers_internal.h"
#include "fewter/simd/prefetch_internal.h"

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

// Rows of other lengths are not bounded: beyond these, squares of floats or of their rounding errors could get lost.
constexpr float kLeastNorm = 1e-10f;
constexpr float kGreatestNorm = 1e15f;

template <class Element>
HWY_INLINE float LargestMagnitude(const Element* row, size_t dimension) {
  const hn::ScalableTag<float> tag;
  const size_t lanes = hn::Lanes(tag);
  auto largest = hn::Zero(tag);
  size_t i = 0;
  for (; i + lanes <= dimension; i += lanes) largest = hn::Max(largest, hn::Abs(LoadNumbers(tag, row + i)));
  float result = hn::GetLane(hn::MaxOfLanes(tag, largest));
  for (; i < dimension; ++i) result = std::max(result, std::abs(AsNumber(row[i])));
  return result;
}

struct SquaredSums {
  float errors = 0;
  float values = 0;
};

// Writes the bytes of elements [begin, end), one by one.
template <class Element>
HWY_NOINLINE SquaredSums SketchTail(const Element* row, size_t begin, size_t end, float scale, float inverse,
                                    uint8_t* bytes) {
  SquaredSums sums;
  for (size_t i = begin; i < end; ++i) {
    const float value = AsNumber(row[i]);
    const float steps = value * inverse;
    // Not a NaN either.
    const float whole = steps > -127 && steps < 127 ? std::nearbyint(steps) : steps >= 127 ? 127.0f : -127.0f;
    bytes[i] = static_cast<uint8_t>(static_cast<int>(whole) + 128);
    const float error = value - scale * whole;
    sums.errors += error * error;
    sums.values += value * value;
  }
  return sums;
}

template <class Element>
HWY_INLINE SquaredSums SketchElements(const Element* HWY_RESTRICT row, size_t dimension, float scale, float inverse,
                                      uint8_t* HWY_RESTRICT bytes) {
  const hn::ScalableTag<float> tag;
  const hn::RebindToSigned<decltype(tag)> words;
  const hn::Rebind<uint8_t, decltype(tag)> to_bytes;
  const size_t lanes = hn::Lanes(tag);
  auto errors = hn::Zero(tag), values = hn::Zero(tag);
  size_t i = 0;
  for (; i + lanes <= dimension; i += lanes) {
    const auto value = LoadNumbers(tag, row + i);
    const auto rounded = hn::NearestInt(hn::Mul(value, hn::Set(tag, inverse)));
    const auto whole = hn::Min(hn::Max(rounded, hn::Set(words, -127)), hn::Set(words, 127));
    hn::StoreU(hn::DemoteTo(to_bytes, hn::Add(whole, hn::Set(words, 128))), to_bytes, bytes + i);
    const auto error = hn::NegMulAdd(hn::Set(tag, scale), hn::ConvertTo(tag, whole), value);
    errors = hn::MulAdd(error, error, errors);
    values = hn::MulAdd(value, value, values);
  }
  SquaredSums sums = SketchTail(row, i, dimension, scale, inverse, bytes);
  sums.errors += Sum(tag, errors);
  sums.values += Sum(tag, values);
  return sums;
}

template <class Element>
HWY_INLINE SketchFactors Sketch(const Element* row, size_t dimension, uint8_t* bytes) {
  const float largest = LargestMagnitude(row, dimension);
  const float scale = largest / 127;
  const SquaredSums sums = SketchElements(row, dimension, scale, largest == 0 ? 0 : 127 / largest, bytes);
  std::fill(bytes + dimension, bytes + SketchStride(dimension), uint8_t{128});
  const float norm = std::sqrt(sums.values);
  if (largest == 0 && norm == 0) return {};
  // An element's error is itself off by the rounding of the element (from a double, say), of a product and of a
  // difference, each by 2^-24 of the largest; a sum of positive terms by 2^-24 of itself for each of them.
  const auto elements = static_cast<float>(dimension);
  const float error =
      std::sqrt(sums.errors) * (1 + (elements + 8) * 0x1p-24f) + std::sqrt(elements) * largest * 0x1p-22f;
  if (std::isfinite(error) && norm >= kLeastNorm && norm <= kGreatestNorm) return {scale, error, norm};
  return {0, std::numeric_limits<float>::infinity(), norm};
}

// out[r] = the sum of the products of the query with rows[r], for four of them.
#if HWY_TARGET == HWY_AVX3_DL
// Adds to each sum the products of four bytes with four signed ones. Highway 1.0.3 finds out whether the processor has
// this instruction, but does not tell the compiler, which therefore refuses its intrinsic.
HWY_INLINE void AddProducts(__m512i& sum, __m512i bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(signed_bytes));
}

HWY_INLINE __m128i SumOfQuarters(__m512i v) {
  const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

HWY_INLINE void FourProducts(const SketchQuery& query, const uint8_t* const* rows, size_t stride,
                             int32_t* HWY_RESTRICT out) {
  __m512i high0 = _mm512_setzero_si512(), high1 = high0, high2 = high0, high3 = high0;
  __m512i low0 = high0, low1 = high0, low2 = high0, low3 = high0;
  for (size_t i = 0; i < stride; i += 64) {
    const __m512i high = _mm512_loadu_si512(query.high + i), low = _mm512_loadu_si512(query.low + i);
    const __m512i row0 = _mm512_loadu_si512(rows[0] + i), row1 = _mm512_loadu_si512(rows[1] + i);
    const __m512i row2 = _mm512_loadu_si512(rows[2] + i), row3 = _mm512_loadu_si512(rows[3] + i);
    AddProducts(high0, row0, high);
    AddProducts(low0, row0, low);
    AddProducts(high1, row1, high);
    AddProducts(low1, row1, low);
    AddProducts(high2, row2, high);
    AddProducts(low2, row2, low);
    AddProducts(high3, row3, high);
    AddProducts(low3, row3, low);
  }
  const auto joined = [](__m512i high, __m512i low)
                          HWY_ATTR { return SumOfQuarters(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low)); };
  const __m128i sums01 = _mm_hadd_epi32(joined(high0, low0), joined(high1, low1));
  const __m128i sums23 = _mm_hadd_epi32(joined(high2, low2), joined(high3, low3));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_hadd_epi32(sums01, sums23));
}
#elif HWY_TARGET == HWY_SCALAR
HWY_INLINE void FourProducts(const SketchQuery& query, const uint8_t* const* rows, size_t stride, int32_t* out) {
  for (size_t r = 0; r < 4; ++r) {
    out[r] = 0;
    for (size_t i = 0; i < stride; ++i) out[r] += query.whole[i] * rows[r][i];
  }
}
#else
HWY_INLINE void FourProducts(const SketchQuery& query, const uint8_t* const* rows, size_t stride,
                             int32_t* HWY_RESTRICT out) {
  const hn::CappedTag<int16_t, 64> tag;
  const hn::Rebind<uint8_t, decltype(tag)> bytes;
  const hn::RepartitionToWide<decltype(tag)> words;
  auto sum0 = hn::Zero(words), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  auto more0 = sum0, more1 = sum0, more2 = sum0, more3 = sum0;
  for (size_t i = 0; i < stride; i += hn::Lanes(tag)) {
    const auto q = hn::LoadU(tag, query.whole + i);
    const auto at = [&](size_t r) HWY_ATTR { return hn::PromoteTo(tag, hn::LoadU(bytes, rows[r] + i)); };
    sum0 = hn::ReorderWidenMulAccumulate(words, q, at(0), sum0, more0);
    sum1 = hn::ReorderWidenMulAccumulate(words, q, at(1), sum1, more1);
    sum2 = hn::ReorderWidenMulAccumulate(words, q, at(2), sum2, more2);
    sum3 = hn::ReorderWidenMulAccumulate(words, q, at(3), sum3, more3);
  }
  out[0] = hn::GetLane(hn::SumOfLanes(words, hn::Add(sum0, more0)));
  out[1] = hn::GetLane(hn::SumOfLanes(words, hn::Add(sum1, more1)));
  out[2] = hn::GetLane(hn::SumOfLanes(words, hn::Add(sum2, more2)));
  out[3] = hn::GetLane(hn::SumOfLanes(words, hn::Add(sum3, more3)));
}
#endif

// A plain loop, which becomes vectors of the target's width by itself.
template <bool kByNorm>
HWY_INLINE void Apply(const SketchFormula& formula, const int32_t* HWY_RESTRICT products,
                      const SketchFactorArrays& factors, size_t n, float* HWY_RESTRICT out) {
  const SketchFormula f = formula;
  const float* HWY_RESTRICT scale = factors.scale;
  const float* HWY_RESTRICT error = factors.error;
  const float* HWY_RESTRICT norm = factors.norm;
  for (size_t i = 0; i < n; ++i) {
    const float product = static_cast<float>(products[i] - f.product_offset) * (f.step * scale[i]);
    float upper = product + error[i] * f.norm + f.spread * (norm[i] + error[i]) + 1e-30f;
    if constexpr (kByNorm) upper /= norm[i];
    const float bound = f.base + f.norm_weight * (norm[i] * norm[i]) - f.product_weight * upper;
    out[i] = bound == bound ? bound : -std::numeric_limits<float>::infinity();
  }
}

}  // namespace

SketchFactors SketchF32(const float* row, size_t dimension, uint8_t* bytes) {
  return Sketch(row, dimension, bytes);
}

SketchFactors SketchF16(const Half* row, size_t dimension, uint8_t* bytes) {
  return Sketch(row, dimension, bytes);
}

void Products(const SketchQuery& query, const uint8_t* rows, size_t num_rows, size_t stride, int32_t* out,
              const ReadAhead& read_ahead) {
  // Far enough that memory has answered, near enough that nothing is pushed out of the first-level cache.
  constexpr size_t kBytesAhead = 4096;
  size_t row = 0;
  for (; row + 4 <= num_rows; row += 4, rows += 4 * stride) {
    PrefetchAll(read_ahead.After(rows, kBytesAhead), 4 * stride);
    const uint8_t* four[4] = {rows, rows + stride, rows + 2 * stride, rows + 3 * stride};
    FourProducts(query, four, stride, out + row);
  }
  if (row == num_rows) return;
  const auto at = [&](size_t i) { return rows + std::min(i, num_rows - row - 1) * stride; };
  const uint8_t* four[4] = {rows, at(1), at(2), at(3)};
  int32_t sums[4];
  FourProducts(query, four, stride, sums);
  std::copy_n(sums, num_rows - row, out + row);
}

void Bounds(const SketchFormula& formula, const int32_t* products, const SketchFactorArrays& factors, size_t n,
            float* out) {
  if (formula.by_norm) return Apply<true>(formula, products, factors, n, out);
  Apply<false>(formula, products, factors, n, out);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(SketchF32);
HWY_EXPORT(SketchF16);
HWY_EXPORT(Products);
HWY_EXPORT(Bounds);

SketchFactors SketchRow(const float* row, size_t dimension, uint8_t* bytes) {
  return HWY_DYNAMIC_DISPATCH(SketchF32)(row, dimension, bytes);
}

SketchFactors SketchRow(const Half* row, size_t dimension, uint8_t* bytes) {
  return HWY_DYNAMIC_DISPATCH(SketchF16)(row, dimension, bytes);
}

void SketchProducts(const SketchQuery& query, const uint8_t* rows, size_t num_rows, size_t stride, int32_t* out,
                    const ReadAhead& read_ahead) {
  HWY_DYNAMIC_DISPATCH(Products)(query, rows, num_rows, stride, out, read_ahead);
}

void SketchBounds(const SketchFormula& formula, const int32_t* products, const SketchFactorArrays& factors, size_t n,
                  float* out) {
  HWY_DYNAMIC_DISPATCH(Bounds)(formula, products, factors, n, out);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
