#include <algorithm>
#include <utility>

#include "fewter/simd/distance.h"
#include "fewter/simd/hadamard.h"
#include "fewter/vector/quantizer/rabitq/rabitq_rotation_internal.h"

namespace fewter {
namespace {

// As RabitqShape::num_sign_bytes counts.
static_assert(simd::kHadamardRounds == 4);

// 1 and -1. The signs of a round begin at a byte, and the code dimension is a multiple of 8.
std::vector<float> FactorsOf(const arrow::UInt8Array& signs) {
  std::vector<float> factors(static_cast<size_t>(signs.length()) * 8);
  const uint8_t* bytes = signs.raw_values();
  for (size_t i = 0; i < factors.size(); ++i) factors[i] = (bytes[i / 8] >> (i % 8) & 1) != 0 ? -1.0f : 1.0f;
  return factors;
}

}  // namespace

RabitqRotator::RabitqRotator(const RabitqShape& shape, std::shared_ptr<arrow::UInt8Array> signs,
                             std::shared_ptr<arrow::FloatArray> matrix)
    : dimension_(shape.dimension),
      code_dimension_(shape.code_dimension),
      signs_(std::move(signs)),
      matrix_(std::move(matrix)),
      factors_(FactorsOf(*signs_)) {}

void RabitqRotator::Rotate(const float* vector, float* out) const {
  if (factors_.empty()) {
    simd::DotRows(vector, matrix_->raw_values(), code_dimension_, dimension_, out);
    return;
  }
  std::copy_n(vector, dimension_, out);
  std::fill(out + dimension_, out + code_dimension_, 0.0f);
  simd::HadamardRotate(factors_.data(), code_dimension_, out);
}

int64_t RabitqRotator::SizeInBytes() const {
  return static_cast<int64_t>(sizeof(*this) + factors_.size() * sizeof(float)) + signs_->length() +
         matrix_->length() * int64_t{sizeof(float)};
}

}  // namespace fewter
