#include "fewter/simd/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/distance_f16.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "fewter/simd/distance_rows_internal.h"

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {

void L2SquaredF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                  const uint32_t* picks) {
  SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
}

void DotF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void CosineF16(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredF16);
HWY_EXPORT(DotF16);
HWY_EXPORT(CosineF16);

void L2SquaredRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredF16)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF16)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF16)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
