#include "fewter/vector/element_type.h"

#include <algorithm>
#include <cmath>

#include <arrow/status.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>

namespace fewter {

std::string_view ToString(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float";
    case ElementType::kFloat16:
      return "halffloat";
    case ElementType::kFloat64:
      return "double";
    case ElementType::kUint8:
      return "uint8";
  }
  return "unknown";
}

uint32_t SizeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat16:
      return 2;
    case ElementType::kFloat64:
      return 8;
    case ElementType::kUint8:
      return 1;
    default:
      return 4;
  }
}

const std::shared_ptr<arrow::DataType>& ArrowTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat16:
      return arrow::float16();
    case ElementType::kFloat64:
      return arrow::float64();
    case ElementType::kUint8:
      return arrow::uint8();
    default:
      return arrow::float32();
  }
}

arrow::Result<ElementType> ElementTypeFrom(uint32_t number) {
  if (number > static_cast<uint32_t>(ElementType::kUint8)) return arrow::Status::Invalid("element type ", number);
  return static_cast<ElementType>(number);
}

float RoundTo(ElementType type, float value) {
  if (type == ElementType::kFloat16) return arrow::util::Float16(value).ToFloat();
  if (type == ElementType::kUint8) return std::nearbyint(value);
  return value;
}

void RoundTo(ElementType type, std::span<float> values) {
  if (type == ElementType::kFloat32 || type == ElementType::kFloat64) return;
  for (float& value : values) value = RoundTo(type, value);
}

std::vector<uint8_t> ToBytes(const float* values, size_t n) {
  std::vector<uint8_t> bytes(n);
  // The comparison is false for a NaN.
  for (size_t i = 0; i < n; ++i) bytes[i] = values[i] >= 0 ? static_cast<uint8_t>(std::min(values[i], 255.0F)) : 0;
  return bytes;
}

}  // namespace fewter
