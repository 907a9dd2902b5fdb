/// Per-target loops over rows, consecutive or picked, for sources that each compile them for one type of elements.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "fewter/simd/numbers_internal.h"
#include "fewter/simd/prefetch_internal.h"

#ifndef FEWTER_SIMD_ROW_MEASURE
#define FEWTER_SIMD_ROW_MEASURE
namespace fewter::simd {
/// What is computed of the query and each row.
enum class RowMeasure { kL2Squared, kDot, kCosine };
}  // namespace fewter::simd
#endif

// Compiled once for each target, after <hwy/highway.h>.
#if defined(FEWTER_SIMD_DISTANCE_ROWS_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef FEWTER_SIMD_DISTANCE_ROWS_TOGGLE
#undef FEWTER_SIMD_DISTANCE_ROWS_TOGGLE
#else
#define FEWTER_SIMD_DISTANCE_ROWS_TOGGLE
#endif

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

// The rows to look at: one after another, or picked. Each knows what to ask for while a row is looked at, since the
// processor's own prefetching stops at page boundaries: what lies so far behind it that memory has answered by the time
// it is needed, or the picked row that comes `rows_later`. An address past the end is harmless.
constexpr size_t kBytesAhead = 8192;

template <class Element>
class ConsecutiveRows {
 public:
  ConsecutiveRows(const Element* rows, size_t dimension) : rows_(rows), dimension_(dimension) {}
  HWY_INLINE const Element* operator[](size_t i) const { return rows_ + i * dimension_; }
  HWY_INLINE uintptr_t AheadOf(size_t i, size_t) const {
    return reinterpret_cast<uintptr_t>(rows_) + i * dimension_ * sizeof(Element) + kBytesAhead;
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
  HWY_INLINE uintptr_t AheadOf(size_t i, size_t rows_later) const {
    return reinterpret_cast<uintptr_t>((*this)[std::min(i + rows_later, num_picks_ - 1)]);
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

// All of [address, address + bytes), which may lie past the end, where no pointer may be computed.
template <size_t bytes>
HWY_INLINE void PrefetchAhead(uintptr_t address) {
  for (size_t i = 0; i < bytes; i += kCacheLine) {
    hwy::Prefetch(reinterpret_cast<const char*>(address + i));  // NOLINT(performance-no-int-to-ptr)
  }
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
  constexpr size_t kStepBytes = 2 * hn::MaxLanes(tag) * sizeof(Element);
  const Element *row0 = rows[row], *row1 = rows[AtMost<kWhole>(row + 1, last)];
  const Element *row2 = rows[AtMost<kWhole>(row + 2, last)], *row3 = rows[AtMost<kWhole>(row + 3, last)];
  const uintptr_t ahead[4] = {rows.AheadOf(row, 4), rows.AheadOf(row + 1, 4), rows.AheadOf(row + 2, 4),
                              rows.AheadOf(row + 3, 4)};
  auto even0 = hn::Zero(tag), even1 = hn::Zero(tag), even2 = hn::Zero(tag), even3 = hn::Zero(tag);
  auto odd0 = hn::Zero(tag), odd1 = hn::Zero(tag), odd2 = hn::Zero(tag), odd3 = hn::Zero(tag);
  size_t i = 0;
  for (; i + 2 * lanes <= dimension; i += 2 * lanes) {
    for (const uintptr_t address : ahead) PrefetchAhead<kStepBytes>(address + i * sizeof(Element));
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

// Two divisions, as the product of two small norms could underflow.
template <class T>
HWY_INLINE float CosineDistance(T dot, T query_norm, T norm_squared) {
  return static_cast<float>(1 - dot / query_norm / std::sqrt(norm_squared));
}

// As FourRows, but the inner products with the query and with the rows themselves, in one pass.
template <bool kWhole, class Element, class RowsType>
HWY_INLINE void FourCosines(const SumOf<Element>* HWY_RESTRICT query, SumOf<Element> query_norm, const RowsType& rows,
                            size_t row, size_t last, size_t dimension, float* HWY_RESTRICT out) {
  const TagOf<Element> tag;
  const size_t lanes = hn::Lanes(tag);
  constexpr size_t kStepBytes = hn::MaxLanes(tag) * sizeof(Element);
  const Element *row0 = rows[row], *row1 = rows[AtMost<kWhole>(row + 1, last)];
  const Element *row2 = rows[AtMost<kWhole>(row + 2, last)], *row3 = rows[AtMost<kWhole>(row + 3, last)];
  const uintptr_t ahead[4] = {rows.AheadOf(row, 4), rows.AheadOf(row + 1, 4), rows.AheadOf(row + 2, 4),
                              rows.AheadOf(row + 3, 4)};
  auto dot0 = hn::Zero(tag), dot1 = hn::Zero(tag), dot2 = hn::Zero(tag), dot3 = hn::Zero(tag);
  auto norm0 = hn::Zero(tag), norm1 = hn::Zero(tag), norm2 = hn::Zero(tag), norm3 = hn::Zero(tag);
  size_t i = 0;
  for (; i + lanes <= dimension; i += lanes) {
    for (const uintptr_t address : ahead) PrefetchAhead<kStepBytes>(address + i * sizeof(Element));
    const auto q = hn::LoadU(tag, query + i);
    const auto x0 = LoadNumbers(tag, row0 + i), x1 = LoadNumbers(tag, row1 + i);
    const auto x2 = LoadNumbers(tag, row2 + i), x3 = LoadNumbers(tag, row3 + i);
    dot0 = hn::MulAdd(q, x0, dot0);
    dot1 = hn::MulAdd(q, x1, dot1);
    dot2 = hn::MulAdd(q, x2, dot2);
    dot3 = hn::MulAdd(q, x3, dot3);
    norm0 = hn::MulAdd(x0, x0, norm0);
    norm1 = hn::MulAdd(x1, x1, norm1);
    norm2 = hn::MulAdd(x2, x2, norm2);
    norm3 = hn::MulAdd(x3, x3, norm3);
  }
  const auto cosine = [&](const Element* x, auto dot, auto norm) HWY_ATTR {
    return CosineDistance(AddTail<Product>(query, x, i, dimension, Sum(tag, dot)), query_norm,
                          AddTail<Product>(x, x, i, dimension, Sum(tag, norm)));
  };
  out[0] = cosine(row0, dot0, norm0);
  out[1] = cosine(row1, dot1, norm1);
  out[2] = cosine(row2, dot2, norm2);
  out[3] = cosine(row3, dot3, norm3);
}

template <class Element, class RowsType>
HWY_INLINE void CosineRows(const SumOf<Element>* query, const RowsType& rows, size_t num_rows, size_t dimension,
                           float* out) {
  const auto norm = std::sqrt(Pair<Product>(query, query, dimension));
  rows.PrefetchFirst(4);
  size_t row = 0;
  for (; row + 4 <= num_rows; row += 4)
    FourCosines<true, Element>(query, norm, rows, row, row + 3, dimension, out + row);
  if (row == num_rows) return;
  float cosines[4];
  FourCosines<false, Element>(query, norm, rows, row, num_rows - 1, dimension, cosines);
  std::copy_n(cosines, num_rows - row, out + row);
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

template <class Element>
HWY_INLINE void MeasureAll(RowMeasure measure, const SumOf<Element>* query, const Element* rows, size_t num_rows,
                           size_t dimension, float* out, const uint32_t* picks) {
  switch (measure) {
    case RowMeasure::kL2Squared:
      return SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
    case RowMeasure::kDot:
      return SumAll<Product>(query, rows, num_rows, dimension, out, picks);
    case RowMeasure::kCosine:
      return CosineAll(query, rows, num_rows, dimension, out, picks);
  }
}

}  // namespace
}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FEWTER_SIMD_DISTANCE_ROWS_TOGGLE
