#include "fewter/simd/pq_scan.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/pq_scan.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Sums of this many rows stay in the first-level cache while the columns pass by.
constexpr size_t kRowsPerBlock = 1024;

// Adds kColumns columns to the sums of `num_rows` rows. Eight codes come by one load; the look-ups are scalar loads,
// which on the machines measured beat gathers (3.0 against 1.5 per nanosecond on Zen 3), and four tables at a time
// leave the first-level cache to them while a sum is loaded and stored once per four columns.
template <size_t kColumns>
HWY_INLINE void AddColumns8(const float* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes, size_t stride,
                            size_t num_rows, float* HWY_RESTRICT sums) {
  size_t row = 0;
  for (; row + 8 <= num_rows; row += 8) {
    float* HWY_RESTRICT s = sums + row;
    float s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3], s4 = s[4], s5 = s[5], s6 = s[6], s7 = s[7];
    for (size_t j = 0; j < kColumns; ++j) {
      uint64_t word;
      std::memcpy(&word, codes + j * stride + row, sizeof(word));
      const float* HWY_RESTRICT entries = table + j * 256;
      s0 += entries[word & 255];
      s1 += entries[(word >> 8) & 255];
      s2 += entries[(word >> 16) & 255];
      s3 += entries[(word >> 24) & 255];
      s4 += entries[(word >> 32) & 255];
      s5 += entries[(word >> 40) & 255];
      s6 += entries[(word >> 48) & 255];
      s7 += entries[word >> 56];
    }
    s[0] = s0, s[1] = s1, s[2] = s2, s[3] = s3, s[4] = s4, s[5] = s5, s[6] = s6, s[7] = s7;
  }
  for (; row < num_rows; ++row) {
    for (size_t j = 0; j < kColumns; ++j) sums[row] += table[j * 256 + codes[j * stride + row]];
  }
}

// Vectors whose width the compiler does not know cannot be kept in a class; those targets take the scalar loop. So does
// the emulated one, where Highway 1.0.3 takes the sign of a selector by comparing it with zero, which -0 passes.
#if !HWY_HAVE_SCALABLE && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define FEWTER_TABLE16_IN_REGISTERS 1

using Tag = hn::CappedTag<float, 16>;
using CodeTag = hn::Rebind<int32_t, Tag>;
using ByteTag = hn::Rebind<uint8_t, Tag>;
using Floats = hn::Vec<Tag>;
using Codes = hn::Vec<CodeTag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());

// A table row of 16 entries in registers, in parts of one vector; the parts that a target does not need stay unused.
class Table16 {
 public:
  explicit HWY_INLINE Table16(const float* entries)
      : part0_(Part(entries, 0)), part1_(Part(entries, 1)), part2_(Part(entries, 2)), part3_(Part(entries, 3)) {}

  // entries[code & 15] in each lane.
  HWY_INLINE Floats operator[](Codes code) const {
    const auto indices = hn::IndicesFromVec(Tag(), hn::And(code, hn::Set(CodeTag(), static_cast<int>(kLanes - 1))));
    const Floats found0 = hn::TableLookupLanes(part0_, indices);
    if constexpr (kLanes == 16) {
      return found0;
    } else if constexpr (kLanes == 8) {
      return IfBit<3>(code, hn::TableLookupLanes(part1_, indices), found0);
    } else {
      const Floats low = IfBit<2>(code, hn::TableLookupLanes(part1_, indices), found0);
      const Floats found2 = hn::TableLookupLanes(part2_, indices);
      return IfBit<3>(code, IfBit<2>(code, hn::TableLookupLanes(part3_, indices), found2), low);
    }
  }

 private:
  static HWY_INLINE Floats Part(const float* entries, size_t part) {
    return hn::LoadU(Tag(), entries + (part * kLanes) % 16);
  }

  template <int kBit>
  static HWY_INLINE Floats IfBit(Codes code, Floats yes, Floats no) {
    Codes sign = hn::ShiftLeft<31 - kBit>(code);
#if HWY_TARGET == HWY_SSSE3
    sign = hn::BroadcastSignBit(sign);  // Highway 1.0.3 selects by all bits there, not by the sign
#endif
    return hn::IfNegativeThenElse(hn::BitCast(Tag(), sign), yes, no);
  }

  Floats part0_, part1_, part2_, part3_;
};
#else
#define FEWTER_TABLE16_IN_REGISTERS 0
#endif

// Adds one column of bytes, that is two sub-vectors.
HWY_INLINE void AddColumn4(const float* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes, size_t num_rows,
                           float* HWY_RESTRICT sums) {
  size_t row = 0;
#if FEWTER_TABLE16_IN_REGISTERS
  const Tag tag;
  const Table16 even(table);
  const Table16 odd(table + 16);
  for (; row + kLanes <= num_rows; row += kLanes) {
    const Codes both = hn::PromoteTo(CodeTag(), hn::LoadU(ByteTag(), codes + row));
    const Floats sum = hn::Add(hn::LoadU(tag, sums + row), even[both]);
    hn::StoreU(hn::Add(sum, odd[hn::ShiftRight<4>(both)]), tag, sums + row);
  }
#endif
  for (; row < num_rows; ++row) {
    sums[row] += table[codes[row] & 15];
    sums[row] += table[16 + (codes[row] >> 4)];
  }
}

// Picked rows that are summed side by side, and the columns whose codes are brought together for them at a time.
constexpr size_t kPicks = 16;
constexpr size_t kColumnsTogether = 64;

// Adds columns of which the codes of kPicks rows lie together.
HWY_INLINE void AddPicked4(const float* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes, size_t columns,
                           float* HWY_RESTRICT sums) {
#if FEWTER_TABLE16_IN_REGISTERS
  const Tag tag;
  for (size_t row = 0; row < kPicks; row += kLanes) {
    Floats sum = hn::LoadU(tag, sums + row);
    for (size_t j = 0; j < columns; ++j) {
      const Codes both = hn::PromoteTo(CodeTag(), hn::LoadU(ByteTag(), codes + j * kPicks + row));
      sum = hn::Add(sum, Table16(table + j * 32)[both]);
      sum = hn::Add(sum, Table16(table + j * 32 + 16)[hn::ShiftRight<4>(both)]);
    }
    hn::StoreU(sum, tag, sums + row);
  }
#else
  for (size_t j = 0; j < columns; ++j) AddColumn4(table + j * 32, codes + j * kPicks, kPicks, sums);
#endif
}
#undef FEWTER_TABLE16_IN_REGISTERS

// At most kPicks rows; `out` has room for kPicks.
HWY_INLINE void SumPicked4(const float* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes, size_t stride,
                           const uint32_t* HWY_RESTRICT picks, size_t num_picks, size_t m, float* HWY_RESTRICT out) {
  // What is left of the zeros belongs to rows that nobody asked for.
  uint8_t together[kColumnsTogether * kPicks] = {};
  std::fill_n(out, kPicks, 0.0f);
  for (size_t begin = 0; begin < m / 2; begin += kColumnsTogether) {
    const size_t columns = std::min(kColumnsTogether, m / 2 - begin);
    for (size_t i = 0; i < num_picks; ++i) {
      const uint8_t* HWY_RESTRICT row = codes + begin * stride + picks[i];
      for (size_t j = 0; j < columns; ++j) together[j * kPicks + i] = row[j * stride];
    }
    AddPicked4(table + begin * 32, together, columns, out);
  }
}

}  // namespace

void Scan8(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out) {
  std::fill_n(out, num_rows, 0.0f);
  for (size_t begin = 0; begin < num_rows; begin += kRowsPerBlock) {
    const size_t rows = std::min(kRowsPerBlock, num_rows - begin);
    size_t j = 0;
    for (; j + 4 <= m; j += 4) AddColumns8<4>(table + j * 256, codes + j * stride + begin, stride, rows, out + begin);
    for (; j < m; ++j) AddColumns8<1>(table + j * 256, codes + j * stride + begin, stride, rows, out + begin);
  }
}

void Scan4(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out) {
  std::fill_n(out, num_rows, 0.0f);
  for (size_t begin = 0; begin < num_rows; begin += kRowsPerBlock) {
    const size_t rows = std::min(kRowsPerBlock, num_rows - begin);
    for (size_t j = 0; j < m / 2; ++j) AddColumn4(table + j * 32, codes + j * stride + begin, rows, out + begin);
  }
}

void ScanPicked4(const float* table, const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks,
                 size_t m, float* out) {
  for (size_t begin = 0; begin < num_picks; begin += kPicks) {
    const size_t count = std::min(kPicks, num_picks - begin);
    HWY_ALIGN float sums[kPicks];
    SumPicked4(table, codes, stride, picks + begin, count, m, sums);
    std::copy_n(sums, count, out + begin);
  }
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(Scan8);
HWY_EXPORT(Scan4);
HWY_EXPORT(ScanPicked4);

void PqScan8(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out) {
  HWY_DYNAMIC_DISPATCH(Scan8)(table, codes, stride, num_rows, m, out);
}

void PqScan4(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out) {
  HWY_DYNAMIC_DISPATCH(Scan4)(table, codes, stride, num_rows, m, out);
}

void PqScanPicked4(const float* table, const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks,
                   size_t m, float* out) {
  HWY_DYNAMIC_DISPATCH(ScanPicked4)(table, codes, stride, picks, num_picks, m, out);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
