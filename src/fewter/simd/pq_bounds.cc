#include "fewter/simd/pq_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Byte permutations across a whole register come with VBMI, which this target has.
#define HWY_WANT_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/pq_bounds.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// To a number of 8 binary digits, not below `value`; a step of zero would divide by zero.
HWY_INLINE float RoundUpToByte(float value) {
  int exponent;
  const float fraction = std::frexp(std::max(value, 0x1p-100f), &exponent);
  return std::ldexp(std::ceil(std::ldexp(fraction, 8)), exponent - 8);
}

// Vectors whose width the compiler does not know cannot be kept in an array, and the scalar target has no look-ups.
#if !HWY_HAVE_SCALABLE && HWY_TARGET != HWY_SCALAR
using ByteTag = hn::CappedTag<uint8_t, 64>;
using SumTag = hn::Repartition<uint16_t, ByteTag>;
using Bytes = hn::Vec<ByteTag>;
using Sums = hn::Vec<SumTag>;
constexpr size_t kRowsPerVector = hn::MaxLanes(ByteTag());

// Sums of bytes for kVectors vectors of rows. The bytes of even rows are in the lower halves of the lanes to which
// they are added, the others in the upper halves: `all_` sums lanes as they are and loses what overflows, and the lower
// halves' sums follow at the end.
template <size_t kVectors>
class SumsOfBytes {
 public:
  HWY_INLINE SumsOfBytes() {
    for (size_t v = 0; v < kVectors; ++v) all_[v] = upper_[v] = hn::Zero(SumTag());
  }

  HWY_INLINE void Add(size_t v, Bytes bytes) {
    const Sums lanes = hn::BitCast(SumTag(), bytes);
    all_[v] = hn::Add(all_[v], lanes);
    upper_[v] = hn::Add(upper_[v], hn::ShiftRight<8>(lanes));
  }

  HWY_INLINE void Store(uint16_t* HWY_RESTRICT sums) const {
    for (size_t v = 0; v < kVectors; ++v) {
      const Sums lower = hn::Sub(all_[v], hn::ShiftLeft<8>(upper_[v]));
      hn::StoreInterleaved2(lower, upper_[v], SumTag(), sums + v * kRowsPerVector);
    }
  }

 private:
  Sums all_[kVectors];
  Sums upper_[kVectors];
};

// A table row of 256 bytes.
#if HWY_TARGET == HWY_AVX3_DL
class Table256 {
 public:
  explicit HWY_INLINE Table256(const uint8_t* bytes) {
    for (size_t i = 0; i < 4; ++i) parts_[i] = hn::LoadU(ByteTag(), bytes + 64 * i);
  }

  HWY_INLINE Bytes operator[](Bytes codes) const {
    const __m512i low = _mm512_permutex2var_epi8(parts_[0].raw, codes.raw, parts_[1].raw);
    const __m512i high = _mm512_permutex2var_epi8(parts_[2].raw, codes.raw, parts_[3].raw);
    return Bytes{_mm512_mask_blend_epi8(_mm512_movepi8_mask(codes.raw), low, high)};
  }

 private:
  Bytes parts_[4];
};
#else
// In parts of 16 bytes, each but the first of a half as its difference (by exclusive or) from the one before. A look-up
// gives 0 for an index with the top bit set: with an index that falls by 16 from part to part, a code takes in all
// parts up to its own, and the differences leave that one's byte.
class Table256 {
 public:
  explicit HWY_INLINE Table256(const uint8_t* bytes) {
    for (size_t i = 0; i < 16; ++i) parts_[i] = hn::LoadDup128(ByteTag(), bytes + 16 * i);
    for (size_t i = 15; i > 0; --i) {
      if (i != 8) parts_[i] = hn::Xor(parts_[i], parts_[i - 1]);
    }
  }

  HWY_INLINE Bytes operator[](Bytes codes) const {
    return hn::Or(Half(codes, 0), Half(hn::Xor(codes, hn::Set(ByteTag(), 0x80)), 8));
  }

 private:
  HWY_INLINE Bytes Half(Bytes codes, size_t first) const {
    const hn::RebindToSigned<ByteTag> tag;
    auto index = hn::BitCast(tag, codes);
    Bytes found = LookUp(parts_[first], codes);
    for (size_t i = first + 1; i < first + 8; ++i) {
      index = hn::SaturatedSub(index, hn::Set(tag, 16));
      found = hn::Xor(found, LookUp(parts_[i], hn::BitCast(ByteTag(), index)));
    }
    return found;
  }

  // By the top bit and the lowest four; x86 does not look at the others.
  static HWY_INLINE Bytes LookUp(Bytes part, Bytes index) {
#if !HWY_ARCH_X86 || HWY_TARGET == HWY_EMU128
    index = hn::And(index, hn::Set(ByteTag(), 0x8f));
#endif
    return hn::TableLookupBytesOr0(part, index);
  }

  Bytes parts_[16];
};
#endif

struct Codes8 {
  static constexpr size_t kBytesPerColumn = 256;

  template <size_t kVectors>
  static HWY_INLINE void AddColumn(const PqBoundedQuery (&queries)[1], size_t j, const uint8_t* HWY_RESTRICT codes,
                                   SumsOfBytes<kVectors> (&sums)[1]) {
    const Table256 table(queries[0].bytes + j * kBytesPerColumn);
    for (size_t v = 0; v < kVectors; ++v) {
      sums[0].Add(v, table[hn::LoadU(ByteTag(), codes + v * kRowsPerVector)]);
    }
  }
};

// A table row of 16 bytes. Looks at the lower four bits of an index and at no others.
class Table16 {
 public:
  explicit HWY_INLINE Table16(const uint8_t* bytes) : row_(hn::LoadDup128(ByteTag(), bytes)) {}

  HWY_INLINE Bytes operator[](Bytes codes) const {
#if HWY_TARGET == HWY_AVX3_DL
    // By the lower six bits, which lead to one of four copies of the row.
    return Bytes{_mm512_permutexvar_epi8(codes.raw, row_.raw)};
#else
    return hn::TableLookupBytes(row_, hn::And(codes, hn::Set(ByteTag(), 15)));
#endif
  }

 private:
  Bytes row_;
};

// Both rows of a byte's codes.
struct TwoTables16 {
  explicit HWY_INLINE TwoTables16(const uint8_t* bytes) : even(bytes), odd(bytes + 16) {}
  Table16 even, odd;
};

struct Codes4 {
  static constexpr size_t kBytesPerColumn = 32;

  template <size_t kVectors, size_t kQueries>
  static HWY_INLINE void AddColumn(const PqBoundedQuery (&queries)[kQueries], size_t j,
                                   const uint8_t* HWY_RESTRICT codes, SumsOfBytes<kVectors> (&sums)[kQueries]) {
    const TwoTables16 first(queries[0].bytes + j * kBytesPerColumn);
    const TwoTables16 last(queries[kQueries - 1].bytes + j * kBytesPerColumn);
    for (size_t v = 0; v < kVectors; ++v) {
      const Bytes both = hn::LoadU(ByteTag(), codes + v * kRowsPerVector);
      const Bytes upper = hn::BitCast(ByteTag(), hn::ShiftRight<4>(hn::BitCast(SumTag(), both)));
      sums[0].Add(v, hn::Add(first.even[both], first.odd[upper]));
      if constexpr (kQueries > 1) sums[1].Add(v, hn::Add(last.even[both], last.odd[upper]));
    }
  }
};

HWY_INLINE void ToBounds(const uint16_t* HWY_RESTRICT sums, float step, const float* HWY_RESTRICT base, size_t num_rows,
                         float* HWY_RESTRICT out) {
  const hn::CappedTag<float, 16> tag;
  const hn::Rebind<int32_t, decltype(tag)> words;
  const hn::Rebind<uint16_t, decltype(tag)> shorts;
  const size_t lanes = hn::Lanes(tag);
  const auto steps = hn::Set(tag, step);
  size_t i = 0;
  for (; i + lanes <= num_rows; i += lanes) {
    const auto sum = hn::ConvertTo(tag, hn::PromoteTo(words, hn::LoadU(shorts, sums + i)));
    const auto start = base == nullptr ? hn::Zero(tag) : hn::LoadU(tag, base + i);
    hn::StoreU(hn::MulAdd(sum, steps, start), tag, out + i);
  }
  for (; i < num_rows; ++i) out[i] = static_cast<float>(sums[i]) * step + (base == nullptr ? 0 : base[i]);
}

template <class Codes, size_t kVectors, size_t kQueries>
HWY_INLINE void BoundTile(const PqBoundedQuery (&queries)[kQueries], const PqBoundedRows& rows, size_t width,
                          size_t begin, size_t num_rows) {
  SumsOfBytes<kVectors> sums[kQueries];
  for (size_t j = 0; j < width; ++j) Codes::AddColumn(queries, j, rows.codes + j * rows.stride + begin, sums);
  HWY_ALIGN uint16_t stored[kVectors * kRowsPerVector];
  for (size_t q = 0; q < kQueries; ++q) {
    sums[q].Store(stored);
    ToBounds(stored, queries[q].step, rows.base == nullptr ? nullptr : rows.base + begin, num_rows,
             queries[q].out + begin);
  }
}

// At most kVectors vectors of rows, and no vector more than that: what lies beyond may be none of ours.
template <class Codes, size_t kVectors, size_t kQueries>
HWY_INLINE void BoundAtMost(const PqBoundedQuery (&queries)[kQueries], const PqBoundedRows& rows, size_t width,
                            size_t begin, size_t num_rows) {
  if constexpr (kVectors > 1) {
    if (num_rows <= (kVectors - 1) * kRowsPerVector) {
      return BoundAtMost<Codes, kVectors - 1>(queries, rows, width, begin, num_rows);
    }
  }
  BoundTile<Codes, kVectors>(queries, rows, width, begin, num_rows);
}

template <class Codes, size_t kQueries>
void Bound(const PqBoundedQuery (&queries)[kQueries], const PqBoundedRows& rows, size_t width) {
  // As many rows at a time as there are registers for their sums.
  constexpr size_t kVectors = kQueries == 1 ? (HWY_MAX_BYTES == 64 ? 6 : 4) : (HWY_MAX_BYTES == 64 ? 4 : 2);
  constexpr size_t kRowsPerTile = kVectors * kRowsPerVector;
  for (size_t begin = 0; begin < rows.count; begin += kRowsPerTile) {
    BoundAtMost<Codes, kVectors>(queries, rows, width, begin, std::min(kRowsPerTile, rows.count - begin));
  }
}
#else
struct Codes8 {
  static uint32_t Look(const uint8_t* bytes, size_t j, uint8_t code) { return bytes[j * 256 + code]; }
};

struct Codes4 {
  static uint32_t Look(const uint8_t* bytes, size_t j, uint8_t code) {
    return uint32_t{bytes[j * 32 + (code & 15)]} + bytes[j * 32 + 16 + (code >> 4)];
  }
};

template <class Codes, size_t kQueries>
void Bound(const PqBoundedQuery (&queries)[kQueries], const PqBoundedRows& rows, size_t width) {
  for (const PqBoundedQuery& query : queries) {
    for (size_t row = 0; row < rows.count; ++row) {
      uint32_t sum = 0;
      for (size_t j = 0; j < width; ++j) sum += Codes::Look(query.bytes, j, rows.codes[j * rows.stride + row]);
      query.out[row] = static_cast<float>(sum) * query.step + (rows.base == nullptr ? 0 : rows.base[row]);
    }
  }
}
#endif

// The least and the largest of a row's entries.
struct Range {
  float least, largest;
};

HWY_INLINE Range RangeOf(const float* HWY_RESTRICT entries, size_t n) {
  const hn::CappedTag<float, 16> tag;
  auto least = hn::LoadU(tag, entries);
  auto largest = least;
  for (size_t e = hn::Lanes(tag); e < n; e += hn::Lanes(tag)) {
    const auto entry = hn::LoadU(tag, entries + e);
    least = hn::Min(least, entry);
    largest = hn::Max(largest, entry);
  }
  return {hn::GetLane(hn::MinOfLanes(tag, least)), hn::GetLane(hn::MaxOfLanes(tag, largest))};
}

HWY_INLINE void RoundRowDown(const float* HWY_RESTRICT entries, size_t n, float least, float step, int levels,
                             uint8_t* HWY_RESTRICT bytes) {
  const hn::CappedTag<float, 16> tag;
  const hn::Rebind<int32_t, decltype(tag)> words;
  const hn::Rebind<uint8_t, decltype(tag)> byte_tag;
  const auto starts = hn::Set(tag, least);
  const auto steps_per_unit = hn::Set(tag, 1 / step);
  const auto most = hn::Set(words, levels);
  for (size_t e = 0; e < n; e += hn::Lanes(tag)) {
    const auto steps = hn::Mul(hn::Sub(hn::LoadU(tag, entries + e), starts), steps_per_unit);
    hn::StoreU(hn::DemoteTo(byte_tag, hn::Min(hn::ConvertTo(words, steps), most)), byte_tag, bytes + e);
  }
}

}  // namespace

PqByteScale RoundTableDown(const float* table, size_t m, size_t num_codewords, uint8_t* bytes) {
  // Rows that share a byte of code are added up in bytes.
  const size_t rows_per_byte = num_codewords == 16 ? 2 : 1;
  PqByteScale scale;
  float widest = 0;
  for (size_t j = 0; j < m; j += rows_per_byte) {
    float width = 0;
    for (size_t row = j; row < std::min(m, j + rows_per_byte); ++row) {
      const Range range = RangeOf(table + row * num_codewords, num_codewords);
      scale.start += range.least;
      width += range.largest - range.least;
    }
    widest = std::max(widest, width);
  }
  // So that all sums of bytes fit in 16 bits.
  const int levels = static_cast<int>(std::min<size_t>(255, 65535 * rows_per_byte / std::max<size_t>(m, 1)));
  scale.step = RoundUpToByte(widest / static_cast<float>(levels));
  for (size_t j = 0; j < m; ++j) {
    const float* entries = table + j * num_codewords;
    const float least = RangeOf(entries, num_codewords).least;
    RoundRowDown(entries, num_codewords, least, scale.step, levels, bytes + j * num_codewords);
  }
  return scale;
}

void Bounds8(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m) {
  Bound<Codes8>({query}, rows, m);
}

void Bounds4(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m) {
  Bound<Codes4>({query}, rows, m / 2);
}

void PairOfBounds4(const PqBoundedQuery& query, const PqBoundedQuery& other, const PqBoundedRows& rows, size_t m) {
  Bound<Codes4>({query, other}, rows, m / 2);
}
}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(RoundTableDown);
HWY_EXPORT(Bounds8);
HWY_EXPORT(Bounds4);
HWY_EXPORT(PairOfBounds4);

PqByteScale PqRoundTableDown(const float* table, size_t m, size_t num_codewords, uint8_t* bytes) {
  return HWY_DYNAMIC_DISPATCH(RoundTableDown)(table, m, num_codewords, bytes);
}

void PqBounds8(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m) {
  HWY_DYNAMIC_DISPATCH(Bounds8)(query, rows, m);
}

void PqBounds4(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m) {
  HWY_DYNAMIC_DISPATCH(Bounds4)(query, rows, m);
}

void PqPairOfBounds4(const PqBoundedQuery& query, const PqBoundedQuery& other, const PqBoundedRows& rows, size_t m) {
  HWY_DYNAMIC_DISPATCH(PairOfBounds4)(query, other, rows, m);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
