#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "fewter/simd/sketch.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/quantizer/flat/flat_storage_internal.h"

namespace fewter {

/// A query as sketches are compared with it: bounds of distances by a metric.
///
/// No bound is above the distance that simd/distance.h computes, whatever the order of its sums: what is left to
/// rounding is allowed for.
class FlatQuerySketch {
 public:
  static constexpr size_t kMaxRows = 512;

  FlatQuerySketch(const float* query, uint32_t dimension, Metric metric);

  /// False for a query so short or so long that squares of its elements could get lost.
  bool is_usable() const { return is_usable_; }

  /// out[i] = a lower bound of the distance of row begin + i, or minus infinity, for i < num_rows <= kMaxRows. After
  /// the storage's last sketch those at `next` will be read.
  void Bounds(const FlatStorage& storage, size_t begin, size_t num_rows, const uint8_t* next, float* out);

 private:
  /// Rounds the query to whole multiples of step_. Returns their sum.
  int32_t RoundQuery(const float* query, uint32_t dimension);
  void SetFormula(Metric metric, uint32_t dimension, double norm, double error, int32_t sum);

  bool is_usable_ = false;
  float step_ = 0;
  std::vector<int16_t> whole_;
  std::vector<int8_t> high_, low_;
  simd::SketchFormula formula_;
  alignas(kBufferAlignment) std::array<int32_t, kMaxRows> products_;
};

}  // namespace fewter
