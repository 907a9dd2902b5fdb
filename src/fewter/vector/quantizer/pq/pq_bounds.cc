#include <cmath>
#include <limits>

#include "fewter/simd/distance.h"
#include "fewter/simd/pq_tables.h"
#include "fewter/vector/quantizer/pq/pq_scorer_internal.h"

namespace fewter {
namespace {

/// Of a float, twice what one rounding may be off by.
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr double kHalfEpsilon = 0x1p-10;
/// Numbers up to this leave the sums of a query finite.
constexpr double kLargest = 1e36;

float RoundedUp(double value) {
  return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

}  // namespace

PqBounds::PqBounds(const PqCodebook& codebook, const float* query, const ScorerOptions& options, float* table,
                   uint8_t* bytes)
    : codebook_(codebook),
      query_(query),
      is_dot_(options.metric == Metric::kDot),
      residual_rounding_(options.element_type == ElementType::kFloat16 ? kHalfEpsilon : kEpsilon),
      bytes_(bytes) {
  const PqShape& shape = codebook.shape();
  const auto m = static_cast<double>(shape.num_sub_vectors);
  query_squared_ = simd::NormSquared(query, shape.dimension);
  const double largest_sum = std::sqrt(query_squared_) * codebook.longest();
  // False for NaN.
  exist_ = query_squared_ < kLargest && largest_sum < kLargest && shape.num_sub_vectors <= simd::kMaxBoundedSubVectors;
  if (!exist_) return;
  if (is_dot_) {
    allowance_ = (m + 4) * kEpsilon * (m + largest_sum);
  } else {
    simd::PqTableCrossTerms(query, codebook.blocks()->raw_values(), shape.num_sub_vectors, shape.sub_dimension(),
                            shape.num_codewords(), table);
    allowance_ = (static_cast<double>(shape.sub_dimension()) + 4) * kEpsilon * largest_sum;
  }
  scale_ = simd::PqRoundTableDown(table, shape.num_sub_vectors, shape.num_codewords(), bytes);
  allowance_ += m * double{scale_.step} / 1024;
}

simd::PqBoundedRows PqBounds::RowsOf(const PqStorage& storage, size_t begin, size_t num_rows) const {
  return {.codes = storage.codes() + begin,
          .stride = storage.stride(),
          .count = num_rows,
          .base = is_dot_ ? nullptr : storage.squared_lengths() + begin};
}

void PqBounds::Compute(const PqStorage& storage, size_t begin, size_t num_rows, float* out) const {
  const auto compute = codebook_.shape().num_bits == 8 ? simd::PqBounds8 : simd::PqBounds4;
  compute({bytes_, scale_.step, out}, RowsOf(storage, begin, num_rows), codebook_.shape().num_sub_vectors);
}

void PqBounds::ComputePair(const PqBounds& other, const PqStorage& storage, size_t begin, size_t num_rows, float* out,
                           float* out_of_other) const {
  simd::PqPairOfBounds4({bytes_, scale_.step, out}, {other.bytes_, other.scale_.step, out_of_other},
                        RowsOf(storage, begin, num_rows), codebook_.shape().num_sub_vectors);
}

void PqBounds::SetCentroid(const float* centroid) {
  if (is_dot_) return;
  const size_t dimension = codebook_.shape().dimension;
  const double product = simd::Dot(query_, centroid, dimension);
  const double centroid_squared = simd::NormSquared(centroid, dimension);
  const double sum = std::sqrt(query_squared_) + std::sqrt(centroid_squared);
  const double rounding = static_cast<double>(dimension + 4) * kEpsilon * sum * sum;
  offset_ = query_squared_ - 2 * product - rounding;
  const double residual = std::sqrt(std::max(0.0, offset_ + centroid_squared + 2 * rounding));
  // Of small halves the error is absolute.
  const double absolute = residual_rounding_ == kHalfEpsilon ? 0x1p-24 * std::sqrt(static_cast<double>(dimension)) : 0;
  residual_error_ = residual * residual_rounding_ + absolute;
}

float PqBounds::LimitFor(float threshold) const {
  const PqShape& shape = codebook_.shape();
  if (is_dot_) {
    const double rounding = 2 * kEpsilon * std::abs(double{threshold});
    return RoundedUp(double{threshold} + shape.num_sub_vectors - 1 + rounding + allowance_ - scale_.start);
  }
  // The distance is a sum of squares, so it is off by a share of itself; then the residual's error.
  const auto additions = static_cast<double>(shape.num_sub_vectors + shape.sub_dimension() + 4);
  const double length = std::sqrt(std::max(0.0, double{threshold}) * (1 + additions * kEpsilon)) + residual_error_;
  return RoundedUp(length * length - offset_ + allowance_ - scale_.start);
}

}  // namespace fewter
