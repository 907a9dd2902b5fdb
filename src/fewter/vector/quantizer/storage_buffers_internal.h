#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

/// The columns that partitions are made of, as aligned buffers that a storage keeps.

namespace fewter {

/// The column of row ids in auxiliary.idx and in every storage.
inline constexpr char kRowIdColumn[] = "_rowid";

/// The row ids of rows read from auxiliary.idx, aligned to 64 bytes; no copy if they are already.
/// Invalid, naming the column, if it is missing, not uint64 or has nulls, or if there are more than 2^32 - 1 rows.
arrow::Result<std::shared_ptr<arrow::Buffer>> RowIdsOf(const arrow::RecordBatch& rows);

/// The values of a column of a fixed-width type, aligned to 64 bytes; no copy if they are already. Invalid, naming the
/// column, if it is missing, of another type or has nulls.
arrow::Result<std::shared_ptr<arrow::Buffer>> ValuesOf(const arrow::RecordBatch& rows, const std::string& name,
                                                       const arrow::DataType& type);

/// The values of a column of fixed-size lists of auxiliary.idx, one list after another; no copy, and not aligned.
/// Invalid, naming the column, if it is missing, of another type or list size, or if lists or values are null.
arrow::Result<std::shared_ptr<arrow::Buffer>> ListValuesOf(const arrow::RecordBatch& rows, const std::string& name,
                                                           const arrow::DataType& value_type, uint32_t list_size);

/// An array of a cache entry (see one_row_batch.h); points into the batch. Invalid if it is not as ArrayOfOneRow wants
/// it, or not aligned to 64 bytes.
arrow::Result<std::shared_ptr<arrow::Buffer>> BufferOfOneRow(const arrow::RecordBatch& batch, const std::string& name,
                                                             const arrow::DataType& type, uint64_t length);

/// Some rows of `from`, which has `width` bytes a row, one after another; aligned to 64 bytes.
arrow::Result<std::shared_ptr<arrow::Buffer>> SelectRows(const uint8_t* from, size_t width,
                                                         std::span<const uint32_t> rows);

/// The whole buffer as an array of fixed-width values without nulls.
std::shared_ptr<arrow::Array> ArrayOver(const std::shared_ptr<arrow::DataType>& type,
                                        const std::shared_ptr<arrow::Buffer>& buffer);

}  // namespace fewter
