#pragma once

#include <memory>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/buffer.h>

namespace fewter {

/// Appends the buffers of an array and of its children; null ones are left out.
void AppendArrayBuffers(const arrow::ArrayData& array, std::vector<std::shared_ptr<arrow::Buffer>>* buffers);

}  // namespace fewter
