#pragma once

#include <limits>
#include <string>

#include "fewter/lance/index_messages.h"
#include "fewter/lance/proto/index.pb.h"

/// What readers of messages with tensors and partitions in them share.

namespace fewter::lance {

/// Invalid, starting with `where`, if the data does not have the length that type and shape ask for.
arrow::Result<Tensor> TensorFromMessage(pb::Tensor&& message, const std::string& where);
arrow::Result<IvfMessage> IvfFromMessage(pb::IVF&& message, const std::string& where);

template <typename Message>
arrow::Status ParseMessage(const arrow::Buffer& bytes, const std::string& where, Message* message) {
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return arrow::Status::Invalid(where, ": malformed message of ", bytes.size(), " bytes");
  }
  return arrow::Status::OK();
}

}  // namespace fewter::lance
