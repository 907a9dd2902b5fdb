#include "fewter/simd/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fewter/simd/distance_f64.cc"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "fewter/simd/distance_rows_internal.h"

HWY_BEFORE_NAMESPACE();
namespace fewter::simd::HWY_NAMESPACE {

void L2SquaredF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                  const uint32_t* picks) {
  SumAll<SquaredDifference>(query, rows, num_rows, dimension, out, picks);
}

void DotF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
            const uint32_t* picks) {
  SumAll<Product>(query, rows, num_rows, dimension, out, picks);
}

void CosineF64(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
               const uint32_t* picks) {
  CosineAll(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredF64);
HWY_EXPORT(DotF64);
HWY_EXPORT(CosineF64);

void L2SquaredRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(L2SquaredF64)(query, rows, num_rows, dimension, out, picks);
}

void DotRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(DotF64)(query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(CosineF64)(query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
