#include "fewter/simd/rabitq_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/rabitq_scan.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// The emulated vectors of Highway 1.0.3 round some floats just below a half upwards, one lane cannot shuffle bytes, and
// vectors of unknown width are not whole halves of a block.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || HWY_HAVE_SCALABLE

void Round(const float* table, size_t n, float min, float factor, uint8_t* low, uint8_t* high) {
  for (size_t i = 0; i < n; ++i) {
    const float scaled = (table[i] - min) * factor;
    const auto entry = static_cast<uint32_t>(scaled > 0 ? std::nearbyint(std::min(scaled, 65535.0f)) : 0.0f);
    low[i] = static_cast<uint8_t>(entry);
    if (high != nullptr) high[i] = static_cast<uint8_t>(entry >> 8);
  }
}

// Adds what `table` says of one block of codes to the sums of its rows.
void SumBlock(const uint8_t* table, const uint8_t* codes, size_t code_bytes, uint32_t* sums) {
  for (size_t half = 0; half < 2 * code_bytes; ++half, table += 16, codes += 16) {
    for (size_t j = 0; j < 16; ++j) {
      sums[kRabitqRowAt[j]] += table[codes[j] & 15];
      sums[kRabitqRowAt[j] + 16] += table[codes[j] >> 4];
    }
  }
}

#else

void Round(const float* table, size_t n, float min, float factor, uint8_t* low, uint8_t* high) {
  const hn::CappedTag<float, 16> tag;
  const hn::RebindToSigned<decltype(tag)> to_int;
  const hn::Rebind<uint8_t, decltype(tag)> to_byte;
  const auto lower_byte = hn::Set(to_int, 255), most = hn::Set(to_int, 65535), zero = hn::Zero(to_int);
  for (size_t i = 0; i < n; i += hn::Lanes(tag)) {
    const auto scaled = hn::Mul(hn::Sub(hn::LoadU(tag, table + i), hn::Set(tag, min)), hn::Set(tag, factor));
    const auto entry = hn::Max(hn::Min(hn::NearestInt(scaled), most), zero);
    hn::StoreU(hn::DemoteTo(to_byte, hn::And(entry, lower_byte)), to_byte, low + i);
    if (high != nullptr) hn::StoreU(hn::DemoteTo(to_byte, hn::ShiftRight<8>(entry)), to_byte, high + i);
  }
}

using ByteTag = hn::CappedTag<uint8_t, 64>;

// Sums of two bytes fit in 16 bits for so many look-ups a place.
constexpr size_t kLookUpsPerFlush = 256;

// Adds the sums of `wide`, of which every eight are of the same eight rows, to `sums`.
template <class D>
HWY_INLINE void Flush(D tag, hn::Vec<D> wide, uint32_t* HWY_RESTRICT sums) {
  HWY_ALIGN uint16_t places[hn::MaxLanes(tag)];
  hn::Store(wide, tag, places);
  for (size_t begin = 0; begin < hn::Lanes(tag); begin += 8) {
    for (size_t i = 0; i < 8; ++i) sums[i] += places[begin + i];
  }
}

// Adds what the 16 entries at each 16 bytes of `table` say of 16 bytes of a block, `num_halves` times. Even and odd
// bytes are summed apart, in 16 bits each; their places are such that a vector of sums is of rows that follow.
template <class D>
HWY_INLINE void SumHalves(D tag, const uint8_t* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes,
                          size_t num_halves, uint32_t* HWY_RESTRICT sums) {
  const hn::RepartitionToWide<D> wide;
  const size_t halves = hn::Lanes(tag) / 16;
  const auto low_half = hn::Set(tag, 15);
  while (num_halves >= halves) {
    const size_t steps = std::min(num_halves / halves, kLookUpsPerFlush);
    auto both0 = hn::Zero(wide), odd0 = both0, both16 = both0, odd16 = both0;
    for (size_t i = 0; i < steps; ++i, table += hn::Lanes(tag), codes += hn::Lanes(tag)) {
      const auto entries = hn::LoadU(tag, table), pair = hn::LoadU(tag, codes);
      const auto found0 = hn::BitCast(wide, hn::TableLookupBytes(entries, hn::And(pair, low_half)));
      const auto found16 = hn::BitCast(wide, hn::TableLookupBytes(entries, hn::ShiftRight<4>(pair)));
      // The odd ones' share of `both` is taken away at the end; until then it may overflow.
      both0 = hn::Add(both0, found0);
      both16 = hn::Add(both16, found16);
      odd0 = hn::Add(odd0, hn::ShiftRight<8>(found0));
      odd16 = hn::Add(odd16, hn::ShiftRight<8>(found16));
    }
    Flush(wide, hn::Sub(both0, hn::ShiftLeft<8>(odd0)), sums);
    Flush(wide, odd0, sums + 8);
    Flush(wide, hn::Sub(both16, hn::ShiftLeft<8>(odd16)), sums + 16);
    Flush(wide, odd16, sums + 24);
    num_halves -= steps * halves;
  }
  if constexpr (hn::MaxLanes(D()) > 32) {
    if (num_halves > 0) SumHalves(hn::Half<D>(), table, codes, num_halves, sums);
  }
}

HWY_INLINE void SumBlock(const uint8_t* table, const uint8_t* codes, size_t code_bytes, uint32_t* sums) {
  SumHalves(ByteTag(), table, codes, 2 * code_bytes, sums);
}
#endif

// The plain loops below become vectors of the target's width by themselves.

template <bool kIsBound>
HWY_INLINE void Apply(const RabitqFormula& formula, const float* HWY_RESTRICT products, const RabitqFactors& factors,
                      size_t n, float* HWY_RESTRICT out) {
  const RabitqFormula f = formula;
  const float* HWY_RESTRICT scale = factors.scale;
  const float* HWY_RESTRICT add = factors.add;
  const float* HWY_RESTRICT error = factors.error;
  for (size_t i = 0; i < n; ++i) {
    float d = (products[i] * f.product_weight + f.product_offset) * scale[i] + f.add_weight * add[i] + f.offset;
    if constexpr (kIsBound) {
      d -= error[i] * f.error_weight;
      d = d == d ? d : -std::numeric_limits<float>::infinity();
    }
    out[i] = d;
  }
}

}  // namespace

void Table(const float* query, size_t dimension, float* table) {
  for (size_t g = 0; g < dimension / 4; ++g, query += 4, table += 16) {
    for (size_t c = 0; c < 16; c += 4) {
      const float high = (c & 8) == 0 ? 0.0f : query[3];
      const float upper = (c & 4) == 0 ? high : high + query[2];
      table[c] = upper;
      table[c + 1] = upper + query[0];
      table[c + 2] = upper + query[1];
      table[c + 3] = upper + query[1] + query[0];
    }
  }
}

void Extremes(const float* values, size_t n, float* min, float* max) {
  const hn::CappedTag<float, 16> tag;
  const size_t lanes = hn::Lanes(tag);
  auto min0 = hn::LoadU(tag, values), min1 = min0, max0 = min0, max1 = min0;
  for (size_t i = 0; i < n; i += 2 * lanes) {
    const auto a = hn::LoadU(tag, values + i), b = hn::LoadU(tag, values + i + lanes);
    min0 = hn::Min(min0, a);
    max0 = hn::Max(max0, a);
    min1 = hn::Min(min1, b);
    max1 = hn::Max(max1, b);
  }
  *min = hn::GetLane(hn::MinOfLanes(tag, hn::Min(min0, min1)));
  *max = hn::GetLane(hn::MaxOfLanes(tag, hn::Max(max0, max1)));
}

void RoundTable(const float* table, size_t n, float min, float factor, uint8_t* low, uint8_t* high) {
  Round(table, n, min, factor, low, high);
}

void Scan(const RabitqByteTable& table, const uint8_t* codes, size_t num_blocks, size_t code_bytes, float* out) {
  for (; num_blocks > 0; --num_blocks, codes += kRabitqBlockRows * code_bytes, out += kRabitqBlockRows) {
    uint32_t low[kRabitqBlockRows] = {}, high[kRabitqBlockRows] = {};
    SumBlock(table.low, codes, code_bytes, low);
    if (table.high != nullptr) SumBlock(table.high, codes, code_bytes, high);
    for (size_t r = 0; r < kRabitqBlockRows; ++r) {
      out[r] = static_cast<float>(static_cast<int32_t>(low[r] + 256 * high[r])) * table.step + table.base;
    }
  }
}

void Distances(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
               float* out) {
  Apply<false>(formula, products, factors, n, out);
}

void LowerBounds(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
                 float* out) {
  Apply<true>(formula, products, factors, n, out);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(Table);
HWY_EXPORT(Extremes);
HWY_EXPORT(RoundTable);
HWY_EXPORT(Scan);
HWY_EXPORT(Distances);
HWY_EXPORT(LowerBounds);

void RabitqTable(const float* query, size_t dimension, float* table) {
  HWY_DYNAMIC_DISPATCH(Table)(query, dimension, table);
}

void MinAndMax(const float* values, size_t n, float* min, float* max) {
  HWY_DYNAMIC_DISPATCH(Extremes)(values, n, min, max);
}

void RabitqRoundTable(const float* table, size_t n, float min, float factor, uint8_t* low, uint8_t* high) {
  HWY_DYNAMIC_DISPATCH(RoundTable)(table, n, min, factor, low, high);
}

void RabitqScan(const RabitqByteTable& table, const uint8_t* codes, size_t num_blocks, size_t code_bytes, float* out) {
  HWY_DYNAMIC_DISPATCH(Scan)(table, codes, num_blocks, code_bytes, out);
}

void RabitqDistances(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(Distances)(formula, products, factors, n, out);
}

void RabitqLowerBounds(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
                       float* out) {
  HWY_DYNAMIC_DISPATCH(LowerBounds)(formula, products, factors, n, out);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
