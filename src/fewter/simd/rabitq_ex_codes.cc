#include "fewter/simd/rabitq_ex_codes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/rabitq_ex_codes.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// One lane holds no run of 16 codes, vectors of unknown width hold any number, and emulated ones are slower than this.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || HWY_HAVE_SCALABLE

template <uint32_t kBits>
uint32_t CodeOf(const uint8_t* block, size_t k, size_t b) {
  constexpr size_t kTopBits = kBits == 3 ? 16 : kBits == 5 ? 32 : 48;
  const uint32_t top =
      kBits % 2 == 0 || kBits == 1 ? 0 : (block[kTopBits + b % 8] >> (2 * k + b / 8) & 1u) << (kBits - 1);
  if constexpr (kBits == 1) return block[2 * k + b / 8] >> (b % 8) & 1u;
  if constexpr (kBits == 2 || kBits == 3) return (block[b] >> (2 * k) & 3u) | top;
  if constexpr (kBits == 4) return block[8 * k + b % 8] >> (b / 8 * 4) & 15u;
  if constexpr (kBits == 5) return (block[16 * (k / 2) + b] >> (k % 2 * 4) & 15u) | top;
  if constexpr (kBits == 6 || kBits == 7) {
    const uint32_t last = block[b] >> 6 | block[16 + b] >> 6 << 2 | block[32 + b] >> 6 << 4;
    return (k < 3 ? block[16 * k + b] & 63u : last) | top;
  }
  return block[16 * k + b];
}

template <uint32_t kBits>
float Dot(const float* query, const uint8_t* codes, size_t num_blocks) {
  float sum = 0;
  for (; num_blocks > 0; --num_blocks, codes += size_t{8} * kBits, query += kRabitqExBlock) {
    for (size_t i = 0; i < kRabitqExBlock; ++i) {
      sum += query[i] * static_cast<float>(CodeOf<kBits>(codes, i / 16, i % 16));
    }
  }
  return sum;
}

#else

using Bytes = hn::FixedTag<uint8_t, 16>;
using Run = hn::Vec<Bytes>;

// The 8 bytes at `from`, twice.
HWY_INLINE Run LoadTwice(const uint8_t* from) {
  const auto half = hn::LoadU(hn::Half<Bytes>(), from);
  return hn::Combine(Bytes(), half, half);
}

// 2^kTop in the bytes b of run k whose top bit is set, in the 8 bytes at `plane`.
template <size_t k, uint32_t kTop>
HWY_INLINE Run TopBits(const uint8_t* plane) {
  const hn::Half<Bytes> half;
  const Run masks = hn::Combine(Bytes(), hn::Set(half, uint8_t{2u << (2 * k)}), hn::Set(half, uint8_t{1u << (2 * k)}));
  const Run is_unset = hn::VecFromMask(Bytes(), hn::Eq(hn::And(LoadTwice(plane), masks), hn::Zero(Bytes())));
  return hn::AndNot(is_unset, hn::Set(Bytes(), uint8_t{1u << kTop}));
}

// The codes of elements 16k to 16k + 15 of a block.
template <uint32_t kBits, size_t k>
HWY_INLINE Run CodesOf(const uint8_t* block) {
  const Bytes tag;
  const auto at = [&](size_t i) { return hn::LoadU(tag, block + 16 * i); };
  if constexpr (kBits == 1) {
    HWY_ALIGN static constexpr uint8_t kMasks[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const hn::Half<Bytes> half;
    const Run pair = hn::Combine(tag, hn::Set(half, block[2 * k + 1]), hn::Set(half, block[2 * k]));
    return hn::Min(hn::And(pair, hn::Load(tag, kMasks)), hn::Set(tag, uint8_t{1}));
  } else if constexpr (kBits == 2) {
    return hn::And(hn::ShiftRight<2 * k>(at(0)), hn::Set(tag, uint8_t{3}));
  } else if constexpr (kBits == 4) {
    const auto pair = hn::LoadU(hn::Half<Bytes>(), block + 8 * k);
    return hn::Combine(tag, hn::ShiftRight<4>(pair), hn::And(pair, hn::Set(hn::Half<Bytes>(), uint8_t{15})));
  } else if constexpr (kBits == 6) {
    if constexpr (k < 3) return hn::And(at(k), hn::Set(tag, uint8_t{63}));
    const Run lower = hn::Or(hn::ShiftRight<6>(at(0)), hn::ShiftLeft<2>(hn::ShiftRight<6>(at(1))));
    return hn::Or(lower, hn::ShiftLeft<4>(hn::ShiftRight<6>(at(2))));
  } else if constexpr (kBits == 8) {
    return at(k);
  } else if constexpr (kBits == 5) {
    const Run lower = hn::And(hn::ShiftRight<k % 2 * 4>(at(k / 2)), hn::Set(tag, uint8_t{15}));
    return hn::Or(lower, TopBits<k, 4>(block + 32));
  } else {
    return hn::Or(CodesOf<kBits - 1, k>(block), TopBits<k, kBits - 1>(block + 8 * (kBits - 1)));
  }
}

// Adds query[i] * codes[i] of a run of 16 to two sums. A template, so that only the target's way is compiled.
template <class D>
HWY_INLINE void AddRun(D tag, const float* HWY_RESTRICT query, Run codes, hn::Vec<D>& sum0, hn::Vec<D>& sum1) {
  const hn::RebindToSigned<D> to_int;
  const auto add = [&](size_t i, auto part, hn::Vec<D>& sum) {
    sum = hn::MulAdd(hn::LoadU(tag, query + i), hn::ConvertTo(tag, hn::PromoteTo(to_int, part)), sum);
  };
  if constexpr (hn::MaxLanes(D()) == 16) {
    add(0, codes, sum0);
  } else if constexpr (hn::MaxLanes(D()) == 8) {
    add(0, hn::LowerHalf(codes), sum0);
    add(8, hn::UpperHalf(hn::Half<Bytes>(), codes), sum1);
  } else {
    const hn::FixedTag<uint16_t, 8> wide;
    const auto low = hn::PromoteTo(wide, hn::LowerHalf(codes));
    const auto high = hn::PromoteTo(wide, hn::UpperHalf(hn::Half<Bytes>(), codes));
    add(0, hn::LowerHalf(low), sum0);
    add(4, hn::UpperHalf(hn::Half<decltype(wide)>(), low), sum1);
    add(8, hn::LowerHalf(high), sum0);
    add(12, hn::UpperHalf(hn::Half<decltype(wide)>(), high), sum1);
  }
}

template <uint32_t kBits>
float Dot(const float* query, const uint8_t* codes, size_t num_blocks) {
  const hn::CappedTag<float, 16> tag;
  auto sum0 = hn::Zero(tag), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  for (; num_blocks > 0; --num_blocks, codes += size_t{8} * kBits, query += kRabitqExBlock) {
    AddRun(tag, query, CodesOf<kBits, 0>(codes), sum0, sum1);
    AddRun(tag, query + 16, CodesOf<kBits, 1>(codes), sum2, sum3);
    AddRun(tag, query + 32, CodesOf<kBits, 2>(codes), sum0, sum1);
    AddRun(tag, query + 48, CodesOf<kBits, 3>(codes), sum2, sum3);
  }
  return hn::GetLane(hn::SumOfLanes(tag, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}
#endif

}  // namespace

float ExDot(const float* query, const uint8_t* codes, size_t num_blocks, uint32_t bits) {
  constexpr decltype(&Dot<1>) kDots[] = {Dot<1>, Dot<2>, Dot<3>, Dot<4>, Dot<5>, Dot<6>, Dot<7>, Dot<8>};
  return kDots[bits - 1](query, codes, num_blocks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(ExDot);

float RabitqExDot(const float* query, const uint8_t* codes, size_t num_blocks, uint32_t bits) {
  return HWY_DYNAMIC_DISPATCH(ExDot)(query, codes, num_blocks, bits);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
