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

void RowsF32(RowMeasure measure, const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  MeasureAll(measure, query, rows, num_rows, dimension, out, picks);
}

void RowsF16(RowMeasure measure, const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  MeasureAll(measure, query, rows, num_rows, dimension, out, picks);
}

void RowsF64(RowMeasure measure, const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  MeasureAll(measure, query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fewter::simd {

HWY_EXPORT(L2SquaredPair);
HWY_EXPORT(DotPair);
HWY_EXPORT(RowsF32);
HWY_EXPORT(RowsF16);
HWY_EXPORT(RowsF64);

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
  HWY_DYNAMIC_DISPATCH(RowsF32)(RowMeasure::kL2Squared, query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF16)(RowMeasure::kL2Squared, query, rows, num_rows, dimension, out, picks);
}

void L2SquaredRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF64)(RowMeasure::kL2Squared, query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF32)(RowMeasure::kDot, query, rows, num_rows, dimension, out, picks);
}

void DotRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF16)(RowMeasure::kDot, query, rows, num_rows, dimension, out, picks);
}

void DotRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF64)(RowMeasure::kDot, query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF32)(RowMeasure::kCosine, query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF16)(RowMeasure::kCosine, query, rows, num_rows, dimension, out, picks);
}

void CosineDistanceRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks) {
  HWY_DYNAMIC_DISPATCH(RowsF64)(RowMeasure::kCosine, query, rows, num_rows, dimension, out, picks);
}

}  // namespace fewter::simd
#endif  // HWY_ONCE
