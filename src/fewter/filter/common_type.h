#pragma once

#include <memory>

#include <arrow/type.h>

namespace fewter {

/// What two types meet in, as in Lance (DataFusion) wherever that has an answer. Null if there is none.
std::shared_ptr<arrow::DataType> CommonType(const std::shared_ptr<arrow::DataType>& a,
                                            const std::shared_ptr<arrow::DataType>& b);
/// The same for two numbers, of which there always is one.
std::shared_ptr<arrow::DataType> CommonNumber(const std::shared_ptr<arrow::DataType>& a,
                                              const std::shared_ptr<arrow::DataType>& b);

/// A decimal that holds every value of an integer type.
std::shared_ptr<arrow::DataType> DecimalOf(const arrow::DataType& integer);

bool IsFloat(const arrow::DataType& type);
/// Decimals included.
bool IsNumber(const arrow::DataType& type);
bool IsText(const arrow::DataType& type);
/// Binary of any length, and text.
bool IsBytes(const arrow::DataType& type);
/// Maps left out.
bool IsList(const arrow::DataType& type);

}  // namespace fewter
