#include "fewter/vector/quantizer/one_row_batch.h"

#include <utility>

#include <arrow/buffer.h>
#include <arrow/status.h>

namespace fewter {

std::shared_ptr<arrow::RecordBatch> MakeOneRowBatch(const std::vector<std::string>& names,
                                                    const arrow::ArrayVector& arrays) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const auto type = arrow::large_list(arrow::field("item", arrays[i]->type(), /*nullable=*/false));
    fields.push_back(arrow::field(names[i], type, /*nullable=*/false));
    auto offsets = arrow::Buffer::FromVector(std::vector<int64_t>{0, arrays[i]->length()});
    columns.push_back(std::make_shared<arrow::LargeListArray>(type, 1, std::move(offsets), arrays[i]));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), 1, std::move(columns));
}

arrow::Result<std::shared_ptr<arrow::Array>> ArrayOfOneRow(const arrow::RecordBatch& batch, const std::string& name,
                                                           const arrow::DataType& type, uint64_t length) {
  const auto invalid = [&name](const auto&... what) { return arrow::Status::Invalid("column ", name, ": ", what...); };
  const int index = batch.schema()->GetFieldIndex(name);
  if (index < 0) return invalid("missing, or there twice");
  if (batch.num_rows() != 1) return invalid("expected one row, not ", batch.num_rows());
  const std::shared_ptr<arrow::Array> column = batch.column(index);
  if (column->type_id() != arrow::Type::LARGE_LIST) return invalid("not a large list: ", column->type()->ToString());
  const auto& list = static_cast<const arrow::LargeListArray&>(*column);
  if (!list.value_type()->Equals(type)) {
    return invalid("expected a list of ", type.ToString(), ", not of ", list.value_type()->ToString());
  }
  if (list.null_count() != 0) return invalid("null");
  const int64_t begin = list.value_offset(0), end = list.value_offset(1);
  if (begin < 0 || end < begin || end > list.values()->length()) {
    return invalid("offsets ", begin, " to ", end, " among ", list.values()->length(), " values");
  }
  if (static_cast<uint64_t>(end - begin) != length) {
    return invalid("expected ", length, " values, not ", end - begin);
  }
  if (list.values()->null_count() != 0) return invalid("has nulls");
  if (end - begin == list.values()->length()) return list.values();
  return list.values()->Slice(begin, end - begin);
}

}  // namespace fewter
