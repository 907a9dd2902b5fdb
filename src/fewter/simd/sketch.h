#pragma once

#include <cstddef>
#include <cstdint>

#include "fewter/simd/distance.h"
#include "fewter/simd/read_ahead.h"

/// Sketches of vectors: a byte an element, and how far that is off, so that few rows of a scan need to be read.
///
/// Element j of a row is about scale * (byte j - 128), and the vector of the differences is known by its length, the
/// row's error. With a query q, by Cauchy and Schwarz, <q, x> is then at most <q, sketch> + |q| * error. The query is
/// rounded too, much finer, so that <q, sketch> is a sum of whole numbers and the same on every processor.
///
/// The bytes of a row begin at a multiple of 64, and what follows its elements is 128, which counts as 0. Nothing
/// allocates; everything is thread safe.

namespace fewter::simd {

/// Sums of products stay below 2^31 up to this dimension.
inline constexpr size_t kMaxSketchDimension = size_t{1} << 16;

/// Bytes from a sketch to the next.
constexpr size_t SketchStride(size_t dimension) {
  return (dimension + 63) / 64 * 64;
}

/// What is known of a row besides its bytes.
struct SketchFactors {
  float scale = 0;
  /// Not less than the length of row - sketch. Infinity if the row has elements that are no numbers, or a length too
  /// small or too large for the sums to be trusted; the scale is 0 then.
  float error = 0;
  /// The row's length, but for the rounding of its sum.
  float norm = 0;
};

/// Sketches a row; writes SketchStride(dimension) bytes.
SketchFactors SketchRow(const float* row, size_t dimension, uint8_t* bytes);
SketchFactors SketchRow(const Half* row, size_t dimension, uint8_t* bytes);

/// The largest magnitude of a rounded element of a query: what two signed bytes hold, high * 128 + low.
inline constexpr int kMaxSketchQuery = 127 * 128;

/// A query in whole numbers, by SketchStride(dimension) each; they end with zeros. Once as they are, once in two parts.
/// The sum of their magnitudes must be at most 2^31 / 256.
struct SketchQuery {
  const int16_t* whole = nullptr;
  const int8_t* high = nullptr;
  const int8_t* low = nullptr;
};

/// out[i] = the sum over j of query[j] * byte j of row i, exactly. `stride` is a multiple of 64.
void SketchProducts(const SketchQuery& query, const uint8_t* rows, size_t num_rows, size_t stride, int32_t* out,
                    const ReadAhead& read_ahead = {});

/// How products become lower bounds of distances. With u = (product - product_offset) * step * scale + error * norm
/// + spread * (the row's norm + error) + 1e-30, not less than <q, x>, the bound is
///     base + norm_weight * (the row's norm)^2 - product_weight * u   [/ the row's norm, if by_norm].
struct SketchFormula {
  int32_t product_offset = 0;
  float step = 0;
  /// Of the query.
  float norm = 0;
  float spread = 0;
  float base = 0;
  float norm_weight = 0;
  float product_weight = 1;
  bool by_norm = false;
};

/// Of rows, one array each.
struct SketchFactorArrays {
  const float* scale = nullptr;
  const float* error = nullptr;
  const float* norm = nullptr;
};

/// out[i] = the bound; minus infinity in the place of a NaN, which bounds nothing.
void SketchBounds(const SketchFormula& formula, const int32_t* products, const SketchFactorArrays& factors, size_t n,
                  float* out);

}  // namespace fewter::simd
