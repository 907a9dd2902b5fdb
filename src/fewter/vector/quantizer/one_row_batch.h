#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

/// Arrays of different lengths as one record batch: a single row whose columns are large lists.

namespace fewter {

/// A batch of one row; column i is named names[i] and its only value is the whole of arrays[i]. No copy.
std::shared_ptr<arrow::RecordBatch> MakeOneRowBatch(const std::vector<std::string>& names,
                                                    const arrow::ArrayVector& arrays);

/// The array in a column of such a batch. No copy. Invalid, naming the column, if the batch has not one row, the column
/// is absent, null or of another type, or the array does not have exactly `length` elements, or has nulls.
arrow::Result<std::shared_ptr<arrow::Array>> ArrayOfOneRow(const arrow::RecordBatch& batch, const std::string& name,
                                                           const arrow::DataType& type, uint64_t length);

}  // namespace fewter
