#include "fewter/lance/index_messages.h"

#include <utility>

#include "fewter/lance/index_messages_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {

arrow::Result<Tensor> TensorFromMessage(pb::Tensor&& message, const std::string& where) {
  const auto type = static_cast<int>(message.data_type());
  if (type < 0 || type > static_cast<int>(TensorType::kUInt8)) {
    return arrow::Status::NotImplemented(where, ": tensor of element type ", type);
  }
  Tensor tensor;
  tensor.type = static_cast<TensorType>(type);
  uint64_t bytes = ElementSize(tensor.type);
  for (const uint32_t extent : message.shape()) {
    tensor.shape.push_back(extent);
    if (!CheckedMultiply(bytes, extent, &bytes)) return arrow::Status::Invalid(where, ": tensor shape overflows");
  }
  if (bytes != message.data().size()) {
    return arrow::Status::Invalid(where, ": tensor shape asks for ", bytes, " bytes, there are ",
                                  message.data().size());
  }
  tensor.data = arrow::Buffer::FromString(std::move(*message.mutable_data()));
  return tensor;
}

std::string_view ToString(TensorType type) {
  switch (type) {
    case TensorType::kBFloat16:
      return "bfloat16";
    case TensorType::kFloat16:
      return "float16";
    case TensorType::kFloat32:
      return "float32";
    case TensorType::kFloat64:
      return "float64";
    case TensorType::kUInt8:
      return "uint8";
  }
  return "unknown";
}

uint64_t ElementSize(TensorType type) {
  switch (type) {
    case TensorType::kUInt8:
      return 1;
    case TensorType::kBFloat16:
    case TensorType::kFloat16:
      return 2;
    case TensorType::kFloat32:
      return 4;
    case TensorType::kFloat64:
      return 8;
  }
  return 0;
}

arrow::Result<IvfMessage> IvfFromMessage(pb::IVF&& message, const std::string& where) {
  IvfMessage ivf;
  ivf.offsets.assign(message.offsets().begin(), message.offsets().end());
  ivf.lengths.assign(message.lengths().begin(), message.lengths().end());
  if (!ivf.offsets.empty() && ivf.offsets.size() != ivf.lengths.size()) {
    return arrow::Status::Invalid(where, ": IVF has ", ivf.offsets.size(), " offsets and ", ivf.lengths.size(),
                                  " lengths");
  }
  if (message.has_centroids_tensor()) {
    ARROW_ASSIGN_OR_RAISE(ivf.centroids,
                          TensorFromMessage(std::move(*message.mutable_centroids_tensor()), where + ": IVF centroids"));
  }
  return ivf;
}

arrow::Result<IvfMessage> ParseIvf(const std::shared_ptr<arrow::Buffer>& bytes, const std::string& where) {
  pb::IVF message;
  ARROW_RETURN_NOT_OK(ParseMessage(*bytes, where + ": IVF", &message));
  return IvfFromMessage(std::move(message), where);
}

arrow::Result<Tensor> ParseTensor(const std::shared_ptr<arrow::Buffer>& bytes, const std::string& where) {
  pb::Tensor message;
  ARROW_RETURN_NOT_OK(ParseMessage(*bytes, where, &message));
  return TensorFromMessage(std::move(message), where);
}

}  // namespace fewter::lance
