#include <algorithm>
#include <cmath>

#include "fewter/vector/quantizer/flat/flat_query_sketch_internal.h"

namespace fewter {
namespace {

// As simd::SketchRow trusts rows.
constexpr double kLeastNorm = 1e-10;
constexpr double kGreatestNorm = 1e15;
// What the sum of a rounded query's magnitudes stays below, so that no sum of products exceeds 31 bits.
constexpr double kMaxSum = 0x1p23;

double LengthOf(const float* values, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += double{values[i]} * values[i];
  return std::sqrt(sum);
}

// So many steps that the largest element is as fine as two bytes allow, and that the sum stays below its limit however
// the elements are rounded.
double StepsFor(const float* query, size_t n, double largest) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += std::abs(double{query[i]});
  return std::min(double{simd::kMaxSketchQuery}, std::floor((kMaxSum - static_cast<double>(n)) * largest / sum));
}

float RoundedUp(double value) {
  return static_cast<float>(value * (1 + 0x1p-22));
}

}  // namespace

FlatQuerySketch::FlatQuerySketch(const float* query, uint32_t dimension, Metric metric) {
  const double norm = LengthOf(query, dimension);
  is_usable_ = dimension <= simd::kMaxSketchDimension && norm >= kLeastNorm && norm <= kGreatestNorm;
  if (!is_usable_) return;
  const int32_t sum = RoundQuery(query, dimension);
  double squared_error = 0;
  for (size_t i = 0; i < dimension; ++i) {
    const double error = query[i] - double{step_} * whole_[i];
    squared_error += error * error;
  }
  SetFormula(metric, dimension, norm, std::sqrt(squared_error), sum);
}

int32_t FlatQuerySketch::RoundQuery(const float* query, uint32_t dimension) {
  const size_t stride = simd::SketchStride(dimension);
  whole_.resize(stride);
  high_.resize(stride);
  low_.resize(stride);
  double largest = 0;
  for (size_t i = 0; i < dimension; ++i) largest = std::max(largest, std::abs(double{query[i]}));
  const double steps = StepsFor(query, dimension, largest);
  const double factor = steps / largest;
  step_ = static_cast<float>(largest / steps);
  int32_t sum = 0;
  for (size_t i = 0; i < dimension; ++i) {
    const int whole = static_cast<int>(std::nearbyint(query[i] * factor));
    const int high = (whole + 64) >> 7;
    whole_[i] = static_cast<int16_t>(whole);
    high_[i] = static_cast<int8_t>(high);
    low_[i] = static_cast<int8_t>(whole - 128 * high);
    sum += whole;
  }
  return sum;
}

void FlatQuerySketch::SetFormula(Metric metric, uint32_t dimension, double norm, double error, int32_t sum) {
  // A sum of products is off by no more than this share of the product of the lengths, however it is added up, and a
  // few operations after it by the rest.
  const double rounding = (dimension + 16.0) * 0x1p-24;
  formula_ = {.product_offset = 128 * sum,
              .step = step_,
              .norm = RoundedUp(norm),
              .spread = RoundedUp(error + 2 * rounding * norm)};
  switch (metric) {
    case Metric::kCosine:
      formula_.base = static_cast<float>(1 - 16 * rounding);
      formula_.product_weight = static_cast<float>(1 / norm);
      formula_.by_norm = true;
      break;
    case Metric::kDot:
      formula_.base = 1;
      break;
    default:
      // The squares of the lengths are off by up to `rounding` of themselves, and the distance, which is at most twice
      // their sum, too.
      formula_.norm_weight = static_cast<float>(1 - 4 * rounding);
      formula_.base = static_cast<float>((1 - 4 * rounding) * norm * norm - 1e-30);
      formula_.product_weight = 2;
  }
}

void FlatQuerySketch::Bounds(const FlatStorage& storage, size_t begin, size_t num_rows, const uint8_t* next,
                             float* out) {
  const simd::SketchQuery query = {.whole = whole_.data(), .high = high_.data(), .low = low_.data()};
  simd::SketchProducts(query, storage.sketches(begin), num_rows, storage.sketch_stride(), products_.data(),
                       {.end = storage.sketches(storage.num_rows()), .next = next});
  simd::SketchBounds(formula_, products_.data(), storage.factors(begin), num_rows, out);
}

}  // namespace fewter
