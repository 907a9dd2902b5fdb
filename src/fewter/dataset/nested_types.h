#pragma once

#include <memory>

#include <arrow/type.h>

namespace fewter {

/// The same kind of nested type with other fields below it; null for one of a kind that Lance has no extension types in
/// (lists of a fixed size).
std::shared_ptr<arrow::DataType> WithFields(const arrow::DataType& type, arrow::FieldVector fields);

}  // namespace fewter
