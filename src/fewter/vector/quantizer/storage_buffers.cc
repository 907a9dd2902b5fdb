#include <limits>

#include <arrow/array/data.h>
#include <arrow/status.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

// The bytes of a fixed-width array's values.
std::shared_ptr<arrow::Buffer> ValueBytes(const arrow::Array& array) {
  const arrow::ArrayData& data = *array.data();
  if (data.length == 0) return std::make_shared<arrow::Buffer>(nullptr, 0);
  const int64_t width = static_cast<const arrow::FixedWidthType&>(*array.type()).bit_width() / 8;
  return arrow::SliceBuffer(data.buffers[1], data.offset * width, data.length * width);
}

arrow::Result<std::shared_ptr<arrow::Array>> ColumnOf(const arrow::RecordBatch& rows, const std::string& name) {
  ARROW_RETURN_NOT_OK(rows.Validate());
  auto column = rows.GetColumnByName(name);
  if (column == nullptr) return arrow::Status::Invalid("column ", name, ": missing");
  if (column->null_count() != 0) return arrow::Status::Invalid("column ", name, ": has nulls");
  return column;
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Buffer>> RowIdsOf(const arrow::RecordBatch& rows) {
  if (rows.num_rows() > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::Invalid("column ", kRowIdColumn, ": too many rows for one partition: ", rows.num_rows());
  }
  return ValuesOf(rows, kRowIdColumn, *arrow::uint64());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ValuesOf(const arrow::RecordBatch& rows, const std::string& name,
                                                       const arrow::DataType& type) {
  ARROW_ASSIGN_OR_RAISE(const auto column, ColumnOf(rows, name));
  if (!column->type()->Equals(type)) {
    return arrow::Status::Invalid("column ", name, ": expected ", type.ToString(), ", not ",
                                  column->type()->ToString());
  }
  return EnsureAligned(ValueBytes(*column));
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ListValuesOf(const arrow::RecordBatch& rows, const std::string& name,
                                                           const arrow::DataType& value_type, uint32_t list_size) {
  ARROW_ASSIGN_OR_RAISE(const auto column, ColumnOf(rows, name));
  const auto* type = dynamic_cast<const arrow::FixedSizeListType*>(column->type().get());
  if (type == nullptr || type->list_size() != static_cast<int64_t>(list_size) ||
      !type->value_type()->Equals(value_type)) {
    return arrow::Status::Invalid("column ", name, ": expected lists of ", list_size, " ", value_type.ToString(),
                                  ", not ", column->type()->ToString());
  }
  const auto& lists = static_cast<const arrow::FixedSizeListArray&>(*column);
  const int64_t first = lists.value_offset(0), count = lists.length() * type->list_size();
  // Arrow's validation leaves out the offset of the lists.
  if (!RangeIsInside(static_cast<uint64_t>(first), static_cast<uint64_t>(count),
                     static_cast<uint64_t>(lists.values()->length()))) {
    return arrow::Status::Invalid("column ", name, ": values ", first, " + ", count, " of ", lists.values()->length());
  }
  const auto values = lists.values()->Slice(first, count);
  if (values->null_count() != 0) return arrow::Status::Invalid("column ", name, ": a list has nulls");
  return ValueBytes(*values);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> BufferOfOneRow(const arrow::RecordBatch& batch, const std::string& name,
                                                             const arrow::DataType& type, uint64_t length) {
  ARROW_ASSIGN_OR_RAISE(const auto array, ArrayOfOneRow(batch, name, type, length));
  auto buffer = ValueBytes(*array);
  if (length > 0 && buffer->address() % kBufferAlignment != 0) {
    return arrow::Status::Invalid("column ", name, ": not aligned to ", kBufferAlignment, " bytes");
  }
  return buffer;
}

std::shared_ptr<arrow::Array> ArrayOver(const std::shared_ptr<arrow::DataType>& type,
                                        const std::shared_ptr<arrow::Buffer>& buffer) {
  const int64_t width = static_cast<const arrow::FixedWidthType&>(*type).bit_width() / 8;
  return arrow::MakeArray(arrow::ArrayData::Make(type, buffer->size() / width, {nullptr, buffer}, /*null_count=*/0));
}

}  // namespace fewter
