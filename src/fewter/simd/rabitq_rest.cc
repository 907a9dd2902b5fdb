#include "fewter/simd/rabitq_rest.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/rabitq_rest.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kMaxRows = 32;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
using Tag = hn::CappedTag<float, 16>;
using CodeTag = hn::RebindToSigned<Tag>;
using ByteTag = hn::Rebind<uint8_t, Tag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());

// entries[code & 15] in each lane.
HWY_INLINE hn::Vec<Tag> LookUp(const float* entries, hn::Vec<CodeTag> codes) {
  const Tag tag;
  const CodeTag to_code;
  const auto indices = hn::IndicesFromVec(tag, hn::And(codes, hn::Set(to_code, static_cast<int32_t>(kLanes - 1))));
  const auto found = hn::TableLookupLanes(hn::LoadU(tag, entries), indices);
  if constexpr (kLanes == 16) return found;
  const auto found_above = hn::TableLookupLanes(hn::LoadU(tag, entries + 16 - kLanes), indices);
  const auto is_above = hn::TestBit(codes, hn::Set(to_code, 8));
  return hn::IfThenElse(hn::RebindMask(tag, is_above), found_above, found);
}

// The sums of as many rows as there are lanes, from row `begin` on; beyond the last row any sums.
HWY_INLINE void SumLanes(const float* HWY_RESTRICT table, const uint8_t* HWY_RESTRICT codes, size_t num_rows,
                         size_t code_bytes, size_t begin, float* HWY_RESTRICT sums) {
  const Tag tag;
  auto sum = hn::Zero(tag);
  const size_t end = num_rows * code_bytes;
  for (size_t p = 0; p < code_bytes; ++p, table += 32) {
    const size_t at = p * num_rows + begin;
    // The last columns end too soon for a whole load.
    uint8_t last[kLanes] = {};
    const uint8_t* from = codes + at;
    if (at + kLanes > end) {
      std::memcpy(last, from, end - at);
      from = last;
    }
    const auto pair = hn::PromoteTo(CodeTag(), hn::LoadU(ByteTag(), from));
    sum = hn::Add(sum, LookUp(table, pair));
    sum = hn::Add(sum, LookUp(table + 16, hn::ShiftRight<4>(pair)));
  }
  hn::StoreU(sum, tag, sums + begin);
}

HWY_INLINE void SumAllRows(const float* table, const uint8_t* codes, size_t num_rows, size_t code_bytes, float* sums) {
  for (size_t begin = 0; begin < num_rows; begin += kLanes) {
    SumLanes(table, codes, num_rows, code_bytes, begin, sums);
  }
}
#else
// Look-ups by register take more of narrower vectors than scalar ones cost.
HWY_INLINE void SumAllRows(const float* table, const uint8_t* codes, size_t num_rows, size_t code_bytes, float* sums) {
  std::fill_n(sums, num_rows, 0.0f);
  for (size_t p = 0; p < code_bytes; ++p, table += 32, codes += num_rows) {
    for (size_t i = 0; i < num_rows; ++i) {
      sums[i] += table[codes[i] & 15];
      sums[i] += table[16 + (codes[i] >> 4)];
    }
  }
}
#endif

}  // namespace

void ScanRest(const float* table, const uint8_t* codes, size_t num_rows, size_t code_bytes, float* out) {
  float sums[kMaxRows];
  SumAllRows(table, codes, num_rows, code_bytes, sums);
  std::copy_n(sums, num_rows, out);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(ScanRest);

void RabitqScanRest(const float* table, const uint8_t* codes, size_t num_rows, size_t code_bytes, float* out) {
  HWY_DYNAMIC_DISPATCH(ScanRest)(table, codes, num_rows, code_bytes, out);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
