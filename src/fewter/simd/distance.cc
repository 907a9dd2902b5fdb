#include "fewter/simd/distance.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fewter/simd/prefetch_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/distance.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

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

// The rows to look at: one after another, or picked. Each knows where the row lies that comes `n` later, for it to be
// asked for: the processor's own prefetching stops at page boundaries; this is worth a tenth to a fifth beyond the
// first-level cache. An address past the end is harmless.
template <class Element>
class ConsecutiveRows {
 public:
  ConsecutiveRows(const Element* rows, size_t dimension) : rows_(rows), dimension_(dimension) {}
  HWY_INLINE const Element* operator[](size_t i) const { return rows_ + i * dimension_; }
  HWY_INLINE uintptr_t AddressOf(size_t i) const {
    return reinterpret_cast<uintptr_t>(rows_) + i * dimension_ * sizeof(Element);
  }
  HWY_INLINE void PrefetchFirst(size_t) const {}

 private:
  const Element* rows_;
  size_t dimension_;
};

template <class Element>
class PickedRows {
 public:
  PickedRows(const Element* rows, size_t dimension, const uint32_t* picks, size_t num_picks)
      : rows_(rows), dimension_(dimension), picks_(picks), num_picks_(num_picks) {}
  HWY_INLINE const Element* operator[](size_t i) const { return rows_ + picks_[i] * dimension_; }
  HWY_INLINE uintptr_t AddressOf(size_t i) const {
    return reinterpret_cast<uintptr_t>((*this)[std::min(i, num_picks_ - 1)]);
  }
  HWY_INLINE void PrefetchFirst(size_t n) const {
    for (size_t i = 0; i < std::min(n, num_picks_); ++i) PrefetchAll((*this)[i], dimension_ * sizeof(Element));
  }

 private:
  const Element* rows_;
  size_t dimension_;
  const uint32_t* picks_;
  size_t num_picks_;
};

HWY_INLINE void PrefetchAddress(uintptr_t address) {
  hwy::Prefetch(reinterpret_cast<const char*>(address));
}

// Rows by their numbers, those beyond the last being the last again; `kWhole` promises that there are none beyond it.
template <bool kWhole>
HWY_INLINE size_t AtMost(size_t row, size_t last) {
  return kWhole ? row : std::min(row, last);
}

// Rows `row` to row + 3. Four rows share each load of the query.
template <class Term, bool kWhole, class Element, class RowsType>
HWY_INLINE void FourRows(const SumOf<Element>* HWY_RESTRICT query, const RowsType& rows, size_t row, size_t last,
                         size_t dimension, float* HWY_RESTRICT out) {
  const TagOf<Element> tag;
  const size_t lanes = hn::Lanes(tag);
  const Element *row0 = rows[row], *row1 = rows[AtMost<kWhole>(row + 1, last)];
  const Element *row2 = rows[AtMost<kWhole>(row + 2, last)], *row3 = rows[AtMost<kWhole>(row + 3, last)];
  const uintptr_t next[4] = {rows.AddressOf(row + 4), rows.AddressOf(row + 5), rows.AddressOf(row + 6),
                             rows.AddressOf(row + 7)};
  auto even0 = hn::Zero(tag), even1 = hn::Zero(tag), even2 = hn::Zero(tag), even3 = hn::Zero(tag);
  auto odd0 = hn::Zero(tag), odd1 = hn::Zero(tag), odd2 = hn::Zero(tag), odd3 = hn::Zero(tag);
  size_t i = 0;
  for (; i + 2 * lanes <= dimension; i += 2 * lanes) {
    for (const uintptr_t address : next) PrefetchAddress(address + i * sizeof(Element));
    const auto q0 = hn::LoadU(tag, query + i), q1 = hn::LoadU(tag, query + i + lanes);
    even0 = Term::Add(q0, LoadNumbers(tag, row0 + i), even0);
    odd0 = Term::Add(q1, LoadNumbers(tag, row0 + i + lanes), odd0);
    even1 = Term::Add(q0, LoadNumbers(tag, row1 + i), even1);
    odd1 = Term::Add(q1, LoadNumbers(tag, row1 + i + lanes), odd1);
    even2 = Term::Add(q0, LoadNumbers(tag, row2 + i), even2);
    odd2 = Term::Add(q1, LoadNumbers(tag, row2 + i + lanes), odd2);
    even3 = Term::Add(q0, LoadNumbers(tag, row3 + i), even3);
    odd3 = Term::Add(q1, LoadNumbers(tag, row3 + i + lanes), odd3);
  }
  if (i + lanes <= dimension) {
    const auto q = hn::LoadU(tag, query + i);
    even0 = Term::Add(q, LoadNumbers(tag, row0 + i), even0);
    even1 = Term::Add(q, LoadNumbers(tag, row1 + i), even1);
    even2 = Term::Add(q, LoadNumbers(tag, row2 + i), even2);
    even3 = Term::Add(q, LoadNumbers(tag, row3 + i), even3);
    i += lanes;
  }
  out[0] = static_cast<float>(AddTail<Term>(query, row0, i, dimension, Sum(tag, hn::Add(even0, odd0))));
  out[1] = static_cast<float>(AddTail<Term>(query, row1, i, dimension, Sum(tag, hn::Add(even1, odd1))));
  out[2] = static_cast<float>(AddTail<Term>(query, row2, i, dimension, Sum(tag, hn::Add(even2, odd2))));
  out[3] = static_cast<float>(AddTail<Term>(query, row3, i, dimension, Sum(tag, hn::Add(even3, odd3))));
}

template <class Term, class Element, class RowsType>
HWY_INLINE void SumRows(const SumOf<Element>* query, const RowsType& rows, size_t num_rows, size_t dimension,
                        float* out) {
  rows.PrefetchFirst(4);
  size_t row = 0;
  for (; row + 4 <= num_rows; row += 4) FourRows<Term, true, Element>(query, rows, row, row + 3, dimension, out + row);
  if (row == num_rows) return;
  // Summed as every other row, not in a way of their own, so that equal rows are equally far.
  float sums[4];
  FourRows<Term, false, Element>(query, rows, row, num_rows - 1, dimension, sums);
  std::copy_n(sums, num_rows - row, out + row);
}

// The inner products of two rows with the query and with themselves, in one pass.
template <class T>
struct DotsAndNorms {
  T dot0, dot1, norm0, norm1;
};

template <bool kWhole, class Element, class RowsType>
HWY_INLINE DotsAndNorms<SumOf<Element>> TwoDotsAndNorms(const SumOf<Element>* HWY_RESTRICT query, const RowsType& rows,
                                                        size_t row, size_t last, size_t dimension) {
  const TagOf<Element> tag;
  const size_t lanes = hn::Lanes(tag);
  const Element *row0 = rows[row], *row1 = rows[AtMost<kWhole>(row + 1, last)];
  const uintptr_t next0 = rows.AddressOf(row + 2), next1 = rows.AddressOf(row + 3);
  auto dot0 = hn::Zero(tag), dot1 = hn::Zero(tag), odd_dot0 = hn::Zero(tag), odd_dot1 = hn::Zero(tag);
  auto norm0 = hn::Zero(tag), norm1 = hn::Zero(tag), odd_norm0 = hn::Zero(tag), odd_norm1 = hn::Zero(tag);
  size_t i = 0;
  for (; i + 2 * lanes <= dimension; i += 2 * lanes) {
    PrefetchAddress(next0 + i * sizeof(Element));
    PrefetchAddress(next1 + i * sizeof(Element));
    const auto q = hn::LoadU(tag, query + i), odd_q = hn::LoadU(tag, query + i + lanes);
    const auto x0 = LoadNumbers(tag, row0 + i), odd_x0 = LoadNumbers(tag, row0 + i + lanes);
    const auto x1 = LoadNumbers(tag, row1 + i), odd_x1 = LoadNumbers(tag, row1 + i + lanes);
    dot0 = hn::MulAdd(q, x0, dot0);
    dot1 = hn::MulAdd(q, x1, dot1);
    norm0 = hn::MulAdd(x0, x0, norm0);
    norm1 = hn::MulAdd(x1, x1, norm1);
    odd_dot0 = hn::MulAdd(odd_q, odd_x0, odd_dot0);
    odd_dot1 = hn::MulAdd(odd_q, odd_x1, odd_dot1);
    odd_norm0 = hn::MulAdd(odd_x0, odd_x0, odd_norm0);
    odd_norm1 = hn::MulAdd(odd_x1, odd_x1, odd_norm1);
  }
  return {AddTail<Product>(query, row0, i, dimension, Sum(tag, hn::Add(dot0, odd_dot0))),
          AddTail<Product>(query, row1, i, dimension, Sum(tag, hn::Add(dot1, odd_dot1))),
          AddTail<Product>(row0, row0, i, dimension, Sum(tag, hn::Add(norm0, odd_norm0))),
          AddTail<Product>(row1, row1, i, dimension, Sum(tag, hn::Add(norm1, odd_norm1)))};
}

// Two divisions, as the product of two small norms could underflow.
template <class T>
HWY_INLINE float CosineDistance(T dot, T query_norm, T norm_squared) {
  return static_cast<float>(1 - dot / query_norm / std::sqrt(norm_squared));
}

template <class Element, class RowsType>
HWY_INLINE void CosineRows(const SumOf<Element>* query, const RowsType& rows, size_t num_rows, size_t dimension,
                           float* out) {
  const auto query_norm = std::sqrt(Pair<Product>(query, query, dimension));
  rows.PrefetchFirst(2);
  size_t row = 0;
  for (; row + 2 <= num_rows; row += 2) {
    const auto sums = TwoDotsAndNorms<true, Element>(query, rows, row, row + 1, dimension);
    out[row] = CosineDistance(sums.dot0, query_norm, sums.norm0);
    out[row + 1] = CosineDistance(sums.dot1, query_norm, sums.norm1);
  }
  if (row == num_rows) return;
  const auto sums = TwoDotsAndNorms<false, Element>(query, rows, row, row, dimension);
  out[row] = CosineDistance(sums.dot0, query_norm, sums.norm0);
}

template <class Term, class Element>
HWY_INLINE void SumAll(const SumOf<Element>* query, const Element* rows, size_t num_rows, size_t dimension, float* out,
                       const uint32_t* picks) {
  if (picks == nullptr) {
    SumRows<Term, Element>(query, ConsecutiveRows<Element>(rows, dimension), num_rows, dimension, out);
  } else {
    SumRows<Term, Element>(query, PickedRows<Element>(rows, dimension, picks, num_rows), num_rows, dimension, out);
  }
}

template <class Element>
HWY_INLINE void CosineAll(const SumOf<Element>* query, const Element* rows, size_t num_rows, size_t dimension,
                          float* out, const uint32_t* picks) {
  if (picks == nullptr) {
    CosineRows<Element>(query, ConsecutiveRows<Element>(rows, dimension), num_rows, dimension, out);
  } else {
    CosineRows<Element>(query, PickedRows<Element>(rows, dimension, picks, num_rows), num_rows, dimension, out);
  }
}

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

float L2SquaredPair(const float* a, const float* b, size_t dimension) {
  return Pair<SquaredDifference>(a, b, dimension);
}

float DotPair(const float* a, const float* b, size_t dimension) {
  return Pair<Product>(a, b, dimension);
}

void L2SquaredF32(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                  const uint32_t* picks) {
  SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                  const uint32_t* picks) {
  SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                  const uint32_t* picks) {
  SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
}

void DotF32(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void DotF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void DotF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void DotU8(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
           const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void CosineF32(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

void CosineF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

void CosineF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

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

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredPair);
HWY_EXPORT(DotPair);
HWY_EXPORT(L2SquaredF32);
HWY_EXPORT(L2SquaredF16);
HWY_EXPORT(L2SquaredF64);
HWY_EXPORT(DotF32);
HWY_EXPORT(DotF16);
HWY_EXPORT(DotF64);
HWY_EXPORT(DotU8);
HWY_EXPORT(CosineF32);
HWY_EXPORT(CosineF16);
HWY_EXPORT(CosineF64);
HWY_EXPORT(L2SquaredU8);

float L2Squared(const float* a, const float* b, size_t dimension) {
  return HWY_DYNAMIC_DISPATCH(L2SquaredPair)(a, b, dimension);
}

float Dot(const float* a, const float* b, size_t dimension) {
  return HWY_DYNAMIC_DISPATCH(DotPair)(a, b, dimension);
}

float NormSquared(const float* a, size_t dimension) {
  return HWY_DYNAMIC_DISPATCH(DotPair)(a, a, dimension);
}

void L2SquaredRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredF32)(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredF16)(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredF64)(query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredU8)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF32)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF16)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF64)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotU8)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF32)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF16)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF64)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
