#include "fewter/simd/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/distance.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "fewter/simd/distance_rows_internal.h"

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {

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

void DotF32(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void CosineF32(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredPair);
HWY_EXPORT(DotPair);
HWY_EXPORT(L2SquaredF32);
HWY_EXPORT(DotF32);
HWY_EXPORT(CosineF32);

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

void DotRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF32)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF32)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
