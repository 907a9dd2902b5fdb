#pragma once

#include <cstddef>
#include <cstdint>

#include "fewter/simd/read_ahead.h"

/// Distances between vectors on raw pointers, by the widest instructions that the processor has.
///
/// Vectors may start at any address that suits their elements, rows follow one another without padding (the stride is
/// the dimension), and a dimension of 0 gives sums of 0. The order of summation depends on the processor: results agree
/// to a few units in the last place, not bit for bit. On one processor a row's distance depends on the query and the
/// row alone. NaN and infinities pass through. Nothing allocates; everything is thread safe.
///
/// The functions over rows take float32, float16, float64 and, some of them, bytes. Sums are float32, for float64 they
/// are float64. With `picks` they look at rows picks[0], picks[1] … picks[num_rows - 1] instead of the first num_rows,
/// and ask for the next ones while they look at some.

namespace fewter::simd {

/// An IEEE 754 half, by its 16 bits.
enum class Half : uint16_t {};

/// The sum of squared differences.
float L2Squared(const float* a, const float* b, size_t dimension);

/// The inner product.
float Dot(const float* a, const float* b, size_t dimension);

/// The inner product with itself.
float NormSquared(const float* a, size_t dimension);

/// out[i] = the sum of squared differences of the query and row i, for i in [0, num_rows).
void L2SquaredRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks = nullptr);
void L2SquaredRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks = nullptr);
void L2SquaredRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks = nullptr);

/// Between bytes the sum is exact until it becomes a float, up to this dimension.
inline constexpr size_t kMaxByteDimension = size_t{1} << 16;
void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const uint32_t* picks = nullptr);
/// As without picks.
void L2SquaredRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
                   const ReadAhead& read_ahead);

/// out[i] = the inner product of the query and row i.
void DotRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks = nullptr);
void DotRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks = nullptr);
void DotRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks = nullptr);
void DotRows(const float* query, const uint8_t* rows, size_t num_rows, size_t dimension, float* out,
             const uint32_t* picks = nullptr);

/// out[i] = 1 - cosine of the angle between the query and row i; NaN if either has no direction.
/// The rows' norms are computed on the way, which costs nothing beside reading them.
void CosineDistanceRows(const float* query, const float* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks = nullptr);
void CosineDistanceRows(const float* query, const Half* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks = nullptr);
void CosineDistanceRows(const double* query, const double* rows, size_t num_rows, size_t dimension, float* out,
                        const uint32_t* picks = nullptr);

}  // namespace fewter::simd
