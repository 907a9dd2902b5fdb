#include "fewter/simd/hamming.h"

#include <algorithm>
#include <cstring>

#include "fewter/simd/prefetch_internal.h"

// Counts of bits in a word come with VPOPCNTDQ, which this target has.
#define HWY_WANT_AVX3_DL
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

// Bits that differ in bytes [begin, bytes), a word at a time.
HWY_INLINE uint64_t CountTail(const uint8_t* a, const uint8_t* b, size_t begin, size_t bytes) {
  uint64_t differing = 0;
  for (; begin + 8 <= bytes; begin += 8) {
    uint64_t word_a, word_b;
    std::memcpy(&word_a, a + begin, sizeof(word_a));
    std::memcpy(&word_b, b + begin, sizeof(word_b));
    differing += hwy::PopCount(word_a ^ word_b);
  }
  for (; begin < bytes; ++begin) differing += hwy::PopCount(static_cast<uint64_t>(a[begin] ^ b[begin]));
  return differing;
}

#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
HWY_INLINE void TwoRows(const uint8_t* query, const uint8_t* row0, const uint8_t* row1, size_t bytes, float* out) {
  out[0] = static_cast<float>(CountTail(query, row0, 0, bytes));
  out[1] = static_cast<float>(CountTail(query, row1, 0, bytes));
}
#else
using WordTag = hn::ScalableTag<uint64_t>;
using Words = hn::Vec<WordTag>;
using ByteTag = hn::Repartition<uint8_t, WordTag>;

HWY_INLINE Words DifferingBits(hn::Vec<ByteTag> a, hn::Vec<ByteTag> b) {
  return hn::PopulationCount(hn::BitCast(WordTag(), hn::Xor(a, b)));
}

// The sums of the even lanes and of the odd ones.
template <class D>
HWY_INLINE hn::Vec<hn::Full128<uint64_t> > SumOfBlocks(D /*tag*/, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 2) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// Two rows share the steps that add up lanes, which for short rows are most of the work.
HWY_INLINE void TwoRows(const uint8_t* HWY_RESTRICT query, const uint8_t* HWY_RESTRICT row0,
                        const uint8_t* HWY_RESTRICT row1, size_t bytes, float* HWY_RESTRICT out) {
  const WordTag words;
  const ByteTag tag;
  const size_t lanes = hn::Lanes(tag);
  auto sum0 = hn::Zero(words), sum1 = sum0;
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) {
    const auto q = hn::LoadU(tag, query + i);
    sum0 = hn::Add(sum0, DifferingBits(q, hn::LoadU(tag, row0 + i)));
    sum1 = hn::Add(sum1, DifferingBits(q, hn::LoadU(tag, row1 + i)));
  }
  uint64_t tail0 = 0, tail1 = 0;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  if (i < bytes) {
    const auto mask = hn::FirstN(tag, bytes - i);
    const auto q = hn::MaskedLoad(mask, tag, query + i);
    sum0 = hn::Add(sum0, DifferingBits(q, hn::MaskedLoad(mask, tag, row0 + i)));
    sum1 = hn::Add(sum1, DifferingBits(q, hn::MaskedLoad(mask, tag, row1 + i)));
  }
#else
  // Other targets' masked loads read what they mask.
  tail0 = CountTail(query, row0, i, bytes);
  tail1 = CountTail(query, row1, i, bytes);
#endif
  const auto both = hn::Add(hn::InterleaveLower(words, sum0, sum1), hn::InterleaveUpper(words, sum0, sum1));
  const hn::Full128<uint64_t> pair;
  HWY_ALIGN uint64_t sums[2];
  hn::Store(SumOfBlocks(words, both), pair, sums);
  out[0] = static_cast<float>(static_cast<int64_t>(sums[0] + tail0));
  out[1] = static_cast<float>(static_cast<int64_t>(sums[1] + tail1));
}
#endif

// `row` gives the address of a row by its place.
template <class Row>
HWY_INLINE void AllRows(const uint8_t* query, const Row& row, size_t num_rows, size_t bytes, float* out) {
  size_t i = 0;
  for (; i + 2 <= num_rows; i += 2) TwoRows(query, row(i), row(i + 1), bytes, out + i);
  if (i == num_rows) return;
  float last[2];
  TwoRows(query, row(i), row(i), bytes, last);
  out[i] = last[0];
}

}  // namespace

void HammingAll(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t bytes, float* out,
                const uint32_t* picks) {
  if (picks == nullptr) {
    // The processor's own prefetching stops at page boundaries.
    constexpr size_t kBytesAhead = 8192;
    const auto row = [&](size_t i) HWY_ATTR {
      const uint8_t* at = rows + i * bytes;
      PrefetchAll(at + kBytesAhead, bytes);
      return at;
    };
    return AllRows(query, row, num_rows, bytes, out);
  }
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < std::min(num_rows, kAhead); ++i) PrefetchAll(rows + picks[i] * bytes, bytes);
  const auto row = [&](size_t i) HWY_ATTR {
    if (i + kAhead < num_rows) PrefetchAll(rows + picks[i + kAhead] * bytes, bytes);
    return rows + picks[i] * bytes;
  };
  AllRows(query, row, num_rows, bytes, out);
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
