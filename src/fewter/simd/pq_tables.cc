#include "fewter/simd/pq_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/pq_tables.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// The kinds of table differ in the sum over a sub-vector's elements and in what is made of it.
struct L2Entry {
  template <class V>
  static HWY_INLINE V Add(V query, V codeword, V sum) {
    const V difference = hn::Sub(query, codeword);
    return hn::MulAdd(difference, difference, sum);
  }
  template <class V>
  static HWY_INLINE V Start(V zero, V) {
    return zero;
  }
};

struct DotEntry {
  template <class V>
  static HWY_INLINE V Add(V query, V codeword, V sum) {
    return hn::NegMulAdd(query, codeword, sum);
  }
  template <class V>
  static HWY_INLINE V Start(V, V one) {
    return one;
  }
};

struct CrossTermEntry {
  template <class V>
  static HWY_INLINE V Add(V query, V codeword, V sum) {
    return hn::NegMulAdd(hn::Add(query, query), codeword, sum);
  }
  template <class V>
  static HWY_INLINE V Start(V zero, V) {
    return zero;
  }
};

// The entries of kVectors vectors of codewords within a block of 16; `block` is at the first of them.
template <class Entry, size_t kVectors, class D>
HWY_INLINE void FillEntries(D tag, const float* HWY_RESTRICT query, const float* HWY_RESTRICT block,
                            size_t sub_dimension, float* HWY_RESTRICT entries) {
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(tag);
  const V start = Entry::Start(hn::Zero(tag), hn::Set(tag, 1.0f));
  V sum0 = start, sum1 = start, sum2 = start, sum3 = start;
  for (size_t t = 0; t < sub_dimension; ++t, block += 16) {
    const V q = hn::Set(tag, query[t]);
    sum0 = Entry::Add(q, hn::LoadU(tag, block), sum0);
    if constexpr (kVectors > 1) sum1 = Entry::Add(q, hn::LoadU(tag, block + lanes), sum1);
    if constexpr (kVectors > 2) {
      sum2 = Entry::Add(q, hn::LoadU(tag, block + 2 * lanes), sum2);
      sum3 = Entry::Add(q, hn::LoadU(tag, block + 3 * lanes), sum3);
    }
  }
  hn::StoreU(sum0, tag, entries);
  if constexpr (kVectors > 1) hn::StoreU(sum1, tag, entries + lanes);
  if constexpr (kVectors > 2) {
    hn::StoreU(sum2, tag, entries + 2 * lanes);
    hn::StoreU(sum3, tag, entries + 3 * lanes);
  }
}

template <class Entry>
HWY_INLINE void FillTables(const float* queries, size_t num_queries, const float* codebook, size_t m,
                           size_t sub_dimension, size_t num_codewords, float* tables) {
  const hn::CappedTag<float, 16> tag;
  constexpr size_t kVectors = HWY_MIN(4, 16 / hn::MaxLanes(tag));
  // A codebook does not fit in the first-level cache, a block of it does: it is read once for all queries.
  for (size_t j = 0; j < m; ++j) {
    for (size_t block = 0; block < num_codewords; block += 16) {
      for (size_t i = 0; i < num_queries; ++i) {
        const float* query = queries + (i * m + j) * sub_dimension;
        float* table = tables + (i * m + j) * num_codewords + block;
        for (size_t c = 0; c < 16; c += kVectors * hn::Lanes(tag)) {
          FillEntries<Entry, kVectors>(tag, query, codebook + c, sub_dimension, table + c);
        }
      }
      codebook += 16 * sub_dimension;
    }
  }
}

struct Codes8 {
  static constexpr size_t kCodewords = 256;
  static HWY_INLINE size_t At(const uint8_t* row, size_t stride, size_t j) { return row[j * stride]; }
};

struct Codes4 {
  static constexpr size_t kCodewords = 16;
  static HWY_INLINE size_t At(const uint8_t* row, size_t stride, size_t j) {
    return (row[j / 2 * stride] >> (j % 2 * 4)) & 15;
  }
};

// By the same operations in the same order as table and scan take: one lane of what FillEntries does.
template <class Codes>
HWY_INLINE float OneDistance(const float* HWY_RESTRICT query, const float* HWY_RESTRICT codewords, size_t m,
                             size_t sub_dimension, const uint8_t* HWY_RESTRICT row, size_t stride) {
  const hn::CappedTag<float, 1> tag;
  float distance = 0;
  for (size_t j = 0; j < m; ++j) {
    const float* codeword = codewords + (j * Codes::kCodewords + Codes::At(row, stride, j)) * sub_dimension;
    auto sum = hn::Zero(tag);
    for (size_t t = 0; t < sub_dimension; ++t) {
      sum = L2Entry::Add(hn::LoadU(tag, query + t), hn::LoadU(tag, codeword + t), sum);
    }
    distance += hn::GetLane(sum);
    query += sub_dimension;
  }
  return distance;
}

}  // namespace

void TablesL2(const float* queries, size_t num_queries, const float* codebook, size_t m, size_t sub_dimension,
              size_t num_codewords, float* tables) {
  FillTables<L2Entry>(queries, num_queries, codebook, m, sub_dimension, num_codewords, tables);
}

void TableDot(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
              float* table) {
  FillTables<DotEntry>(query, 1, codebook, m, sub_dimension, num_codewords, table);
}

void TableCrossTerms(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
                     float* table) {
  FillTables<CrossTermEntry>(query, 1, codebook, m, sub_dimension, num_codewords, table);
}

void DistancesL2(const float* query, const float* codewords, size_t m, size_t sub_dimension, size_t num_codewords,
                 const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks, float* out) {
  for (size_t i = 0; i < num_picks; ++i) {
    const uint8_t* row = codes + picks[i];
    out[i] = num_codewords == 16 ? OneDistance<Codes4>(query, codewords, m, sub_dimension, row, stride)
                                 : OneDistance<Codes8>(query, codewords, m, sub_dimension, row, stride);
  }
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(TablesL2);
HWY_EXPORT(TableDot);
HWY_EXPORT(TableCrossTerms);
HWY_EXPORT(DistancesL2);

void PqTableL2(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
               float* table) {
  PqTablesL2(query, 1, codebook, m, sub_dimension, num_codewords, table);
}

void PqTablesL2(const float* queries, size_t num_queries, const float* codebook, size_t m, size_t sub_dimension,
                size_t num_codewords, float* tables) {
  HWY_DYNAMIC_DISPATCH(TablesL2)(queries, num_queries, codebook, m, sub_dimension, num_codewords, tables);
}

void PqTableDot(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
                float* table) {
  HWY_DYNAMIC_DISPATCH(TableDot)(query, codebook, m, sub_dimension, num_codewords, table);
}

void PqTableCrossTerms(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
                       float* table) {
  HWY_DYNAMIC_DISPATCH(TableCrossTerms)(query, codebook, m, sub_dimension, num_codewords, table);
}

void PqDistancesL2(const float* query, const float* codewords, size_t m, size_t sub_dimension, size_t num_codewords,
                   const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks, float* out) {
  HWY_DYNAMIC_DISPATCH(DistancesL2)
  (query, codewords, m, sub_dimension, num_codewords, codes, stride, picks, num_picks, out);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
