/// Per-target parts that kernels over rows share: elements of any type as numbers in vectors, and sums of terms.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "fewter/simd/distance.h"

// Compiled once for each target, after <hwy/highway.h>.
#if defined(FEWTER_SIMD_NUMBERS_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef FEWTER_SIMD_NUMBERS_TOGGLE
#undef FEWTER_SIMD_NUMBERS_TOGGLE
#else
#define FEWTER_SIMD_NUMBERS_TOGGLE
#endif

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// What sums over rows of an element type are taken in, and what the query is given in.
template <class Element>
struct SumTypeOf {
  using Type = float;
};
template <>
struct SumTypeOf<double> {
  using Type = double;
};
template <class Element>
using SumOf = typename SumTypeOf<Element>::Type;
template <class Element>
using TagOf = hn::ScalableTag<SumOf<Element>>;

// What a pair of elements adds to the sum, for a vector of them and for one.
struct SquaredDifference {
  template <class V>
  static HWY_INLINE V Add(V a, V b, V sum) {
    const V difference = hn::Sub(a, b);
    return hn::MulAdd(difference, difference, sum);
  }
  template <class T>
  static HWY_INLINE T AddOne(T a, T b, T sum) {
    return sum + (a - b) * (a - b);
  }
};

struct Product {
  template <class V>
  static HWY_INLINE V Add(V a, V b, V sum) {
    return hn::MulAdd(a, b, sum);
  }
  template <class T>
  static HWY_INLINE T AddOne(T a, T b, T sum) {
    return sum + a * b;
  }
};

// A half without its sign, moved to where a float has exponent and mantissa, is too small by this factor, which also
// makes normal numbers of the subnormal ones. Infinities and NaN (from kLargestHalf on) need the largest exponent.
constexpr float kHalfScale = 0x1p112f;
constexpr int32_t kLargestHalf = 0x7bff << 13;
constexpr int32_t kLargestExponent = 0x7f800000;

HWY_INLINE float AsNumber(Half half) {
  const auto bits = static_cast<int32_t>(half);
  const int32_t magnitude = (bits & 0x7fff) << 13;
  float number;
  std::memcpy(&number, &magnitude, sizeof(number));
  number *= kHalfScale;
  uint32_t result;
  std::memcpy(&result, &number, sizeof(result));
  if (magnitude > kLargestHalf) result |= kLargestExponent;
  result |= static_cast<uint32_t>(bits & 0x8000) << 16;
  std::memcpy(&number, &result, sizeof(number));
  return number;
}
HWY_INLINE float AsNumber(float value) {
  return value;
}
HWY_INLINE double AsNumber(double value) {
  return value;
}
HWY_INLINE float AsNumber(uint8_t value) {
  return value;
}

// As many elements as the tag has lanes, as numbers, from any address. (A plain Load would be Highway's, which wants an
// aligned one.)
template <class D>
HWY_INLINE hn::Vec<D> LoadNumbers(D tag, const hn::TFromD<D>* from) {
  return hn::LoadU(tag, from);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadNumbers(D tag, const uint8_t* from) {
  const hn::Rebind<uint8_t, D> bytes;
  return hn::ConvertTo(tag, hn::PromoteTo(hn::Rebind<int32_t, D>(), hn::LoadU(bytes, from)));
}

template <class D>
HWY_INLINE hn::Vec<D> LoadNumbers(D tag, const Half* from) {
  const hn::Rebind<uint16_t, D> halves;
  const auto bits = hn::LoadU(halves, reinterpret_cast<const uint16_t*>(from));
  // Where the processor cannot, Highway 1.0.3 takes infinities and NaN for numbers.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || \
    (HWY_ARCH_X86 && (HWY_TARGET >= HWY_SSE4 || defined(HWY_DISABLE_F16C)))
  const hn::Rebind<int32_t, D> words;
  const auto word = hn::PromoteTo(words, bits);
  const auto magnitude = hn::ShiftLeft<13>(hn::And(word, hn::Set(words, 0x7fff)));
  const auto number = hn::Mul(hn::BitCast(tag, magnitude), hn::Set(tag, kHalfScale));
  const auto exponent =
      hn::IfThenElseZero(hn::Gt(magnitude, hn::Set(words, kLargestHalf)), hn::Set(words, kLargestExponent));
  const auto sign = hn::ShiftLeft<16>(hn::And(word, hn::Set(words, 0x8000)));
  return hn::BitCast(tag, hn::Or(hn::BitCast(words, number), hn::Or(exponent, sign)));
#else
  return hn::PromoteTo(tag, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#endif
}

template <class D>
HWY_INLINE hn::TFromD<D> Sum(D tag, hn::Vec<D> v) {
  return hn::GetLane(hn::SumOfLanes(tag, v));
}

// The sum over elements [begin, dimension), on top of `sum`. Out of line, as the compiler would otherwise unroll each
// of its many uses at the price of registers in the loops that matter.
template <class Term, class A, class B>
HWY_NOINLINE SumOf<B> TailSum(const A* a, const B* b, size_t begin, size_t dimension, SumOf<B> sum) {
  for (size_t i = begin; i < dimension; ++i) sum = Term::AddOne(AsNumber(a[i]), AsNumber(b[i]), sum);
  return sum;
}

template <class Term, class A, class B>
HWY_INLINE SumOf<B> AddTail(const A* a, const B* b, size_t begin, size_t dimension, SumOf<B> sum) {
  return begin == dimension ? sum : TailSum<Term>(a, b, begin, dimension, sum);
}

// Four sums at once hide the latency of the multiply-add.
template <class Term, class T>
HWY_INLINE T Pair(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, size_t dimension) {
  const hn::ScalableTag<T> tag;
  const size_t lanes = hn::Lanes(tag);
  auto sum0 = hn::Zero(tag), sum1 = hn::Zero(tag), sum2 = hn::Zero(tag), sum3 = hn::Zero(tag);
  size_t i = 0;
  for (; i + 4 * lanes <= dimension; i += 4 * lanes) {
    sum0 = Term::Add(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i), sum0);
    sum1 = Term::Add(hn::LoadU(tag, a + i + lanes), hn::LoadU(tag, b + i + lanes), sum1);
    sum2 = Term::Add(hn::LoadU(tag, a + i + 2 * lanes), hn::LoadU(tag, b + i + 2 * lanes), sum2);
    sum3 = Term::Add(hn::LoadU(tag, a + i + 3 * lanes), hn::LoadU(tag, b + i + 3 * lanes), sum3);
  }
  for (; i + lanes <= dimension; i += lanes) {
    sum0 = Term::Add(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i), sum0);
  }
  return AddTail<Term>(a, b, i, dimension, Sum(tag, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

}  // namespace
}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FEWTER_SIMD_NUMBERS_TOGGLE
