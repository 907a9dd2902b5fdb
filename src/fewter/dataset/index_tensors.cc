#include <algorithm>
#include <utility>
#include <vector>

#include <arrow/array/util.h>
#include <arrow/util/float16.h>

#include "fewter/dataset/index_tensors_internal.h"
#include "fewter/util/bytes.h"

namespace fewter {

arrow::Result<ElementType> ElementTypeOf(lance::TensorType type, const std::string& where) {
  switch (type) {
    case lance::TensorType::kFloat16:
      return ElementType::kFloat16;
    case lance::TensorType::kFloat32:
      return ElementType::kFloat32;
    case lance::TensorType::kFloat64:
      return ElementType::kFloat64;
    case lance::TensorType::kUInt8:
      return ElementType::kUint8;
    default:
      return arrow::Status::NotImplemented(where, ": element type ", lance::ToString(type), " is not supported");
  }
}

arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(const lance::Tensor& tensor, const std::string& where) {
  ARROW_ASSIGN_OR_RAISE(const ElementType type, ElementTypeOf(tensor.type, where));
  ARROW_ASSIGN_OR_RAISE(const auto data, EnsureAligned(tensor.data));
  const int64_t length = data->size() / SizeOf(type);
  auto array = arrow::MakeArray(arrow::ArrayData::Make(ArrowTypeOf(type), length, {nullptr, data}, /*null_count=*/0));
  if (type == ElementType::kFloat32 || type == ElementType::kUint8) return array;
  std::vector<float> values(static_cast<size_t>(length));
  if (type == ElementType::kFloat16) {
    const auto* halves = data->data_as<uint16_t>();
    std::transform(halves, halves + length, values.begin(),
                   [](uint16_t bits) { return arrow::util::Float16::FromBits(bits).ToFloat(); });
  } else {
    std::copy_n(data->data_as<double>(), length, values.begin());
  }
  return std::make_shared<arrow::FloatArray>(length, arrow::Buffer::FromVector(std::move(values)));
}

arrow::Result<std::shared_ptr<arrow::FloatArray>> FloatsOf(const lance::Tensor& tensor, const std::string& where) {
  ARROW_ASSIGN_OR_RAISE(auto array, ArrayOf(tensor, where));
  if (array->type_id() == arrow::Type::FLOAT) return std::static_pointer_cast<arrow::FloatArray>(array);
  return arrow::Status::Invalid(where, ": a tensor of ", array->type()->ToString(), " where floats belong");
}

arrow::Result<std::shared_ptr<arrow::FloatArray>> FloatsOf(const std::shared_ptr<arrow::Buffer>& message,
                                                           const std::string& where) {
  ARROW_ASSIGN_OR_RAISE(const auto tensor, lance::ParseTensor(message, where));
  return FloatsOf(tensor, where);
}

}  // namespace fewter
