#include "fewter/util/array_buffers.h"

namespace fewter {

void AppendArrayBuffers(const arrow::ArrayData& array, std::vector<std::shared_ptr<arrow::Buffer>>* buffers) {
  for (const auto& buffer : array.buffers) {
    if (buffer != nullptr) buffers->push_back(buffer);
  }
  for (const auto& child : array.child_data) AppendArrayBuffers(*child, buffers);
}

}  // namespace fewter
