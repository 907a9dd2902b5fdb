#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array.h>

#include "fewter/vector/quantizer/rabitq/rabitq.h"

namespace fewter {

/// The rotation of an index: vectors of `dimension` elements, followed by zeros up to `code_dimension`, are turned. It
/// keeps inner products. Immutable, thread safe.
class RabitqRotator {
 public:
  /// `signs`, as in RabitqMetadata, are used by the one kind, `matrix`, code_dimension x dimension row by row, by the
  /// other; what is not used is empty. Both have the lengths that the shape says.
  RabitqRotator(const RabitqShape& shape, std::shared_ptr<arrow::UInt8Array> signs,
                std::shared_ptr<arrow::FloatArray> matrix);

  /// `out` has room for code_dimension floats and is not `vector`.
  void Rotate(const float* vector, float* out) const;

  const std::shared_ptr<arrow::UInt8Array>& signs() const { return signs_; }
  const std::shared_ptr<arrow::FloatArray>& matrix() const { return matrix_; }
  int64_t SizeInBytes() const;

 private:
  size_t dimension_;
  size_t code_dimension_;
  std::shared_ptr<arrow::UInt8Array> signs_;
  std::shared_ptr<arrow::FloatArray> matrix_;
  /// The signs as simd::HadamardRotate wants them.
  std::vector<float> factors_;
};

}  // namespace fewter
