#pragma once

#include <memory>
#include <string>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/index_messages.h"
#include "fewter/vector/element_type.h"

/// Tensors of index files as the arrays that an index state is made of. `where` names the tensor in messages.

namespace fewter {

/// NotImplemented for element types that no vector column has.
arrow::Result<ElementType> ElementTypeOf(lance::TensorType type, const std::string& where);

/// A tensor as an aligned Arrow array of float32; bytes stay bytes.
arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(const lance::Tensor& tensor, const std::string& where);

/// The same for one that must hold floating point numbers: Invalid if it holds bytes.
arrow::Result<std::shared_ptr<arrow::FloatArray>> FloatsOf(const lance::Tensor& tensor, const std::string& where);
/// Of a Tensor message.
arrow::Result<std::shared_ptr<arrow::FloatArray>> FloatsOf(const std::shared_ptr<arrow::Buffer>& message,
                                                           const std::string& where);

/// `values` as an array of Builder's type.
template <typename ArrayType, typename Builder, typename Values>
arrow::Result<std::shared_ptr<ArrayType>> Built(const Values& values) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.AppendValues(values));
  ARROW_ASSIGN_OR_RAISE(auto array, builder.Finish());
  return std::static_pointer_cast<ArrayType>(array);
}

}  // namespace fewter
