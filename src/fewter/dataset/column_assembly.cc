#include "fewter/dataset/column_assembly.h"

#include <algorithm>
#include <utility>

#include <arrow/array/array_base.h>
#include <arrow/array/util.h>
#include <arrow/util/bitmap_ops.h>

#include "fewter/dataset/json_columns.h"

namespace fewter {

namespace {

using Fields = std::vector<lance::Field>;
using Stored = std::vector<StoredColumn>;

arrow::Status OtherType(const Fields& table, size_t position, const arrow::DataType& type, const StoredColumn& stored) {
  return arrow::Status::NotImplemented(stored.metadata->path(), ": column '", lance::PathOf(table, position),
                                       "' is stored as ", stored.data->type->ToString(), ", the table says ",
                                       type.ToString());
}

/// Whether what a file has of the table's field is JSON that is to be text.
bool BecomesText(const lance::Field& field, const arrow::DataType& type, const StoredColumn& stored) {
  return field.is_json() && type.id() == arrow::Type::STRING && stored.data->type->id() == arrow::Type::LARGE_BINARY;
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> TextOf(const Fields& table, size_t position,
                                                        const StoredColumn& stored) {
  auto text = JsonAsText(stored.data);
  if (text.ok()) return text;
  return text.status().WithMessage(stored.metadata->path(), ": column '", lance::PathOf(table, position),
                                   "': ", text.status().message());
}

/// The fields below `parent` with the id of the table's field there, as far as the files still hold them.
Stored ChildrenWith(const Fields& table, size_t position, const Stored& parent) {
  Stored children;
  for (const StoredColumn& one : parent) {
    if (!HoldsField(*one.file, table, position)) continue;
    const Fields& fields = one.metadata->fields();
    const std::vector<size_t> below = ChildrenOf(fields, one.position);
    const auto found =
        std::find_if(below.begin(), below.end(), [&](size_t i) { return fields[i].id == table[position].id; });
    if (found == below.end()) continue;
    children.push_back(
        {one.file, one.metadata, *found, one.data->child_data[static_cast<size_t>(found - below.begin())]});
  }
  return children;
}

/// The same data as an equal type, whose fields may say other things of themselves.
std::shared_ptr<arrow::ArrayData> WithType(std::shared_ptr<arrow::ArrayData> data,
                                           const std::shared_ptr<arrow::DataType>& type) {
  if (type->num_fields() == 0 || data->type->Equals(*type, /*check_metadata=*/true)) return data;
  auto typed = data->Copy();
  typed->type = type;
  for (int i = 0; i < type->num_fields(); ++i) {
    auto& child = typed->child_data[static_cast<size_t>(i)];
    child = WithType(std::move(child), type->field(i)->type());
  }
  return typed;
}

/// The validity of a struct that is valid where one of its parts is; null if it is valid everywhere.
arrow::Result<std::shared_ptr<arrow::Buffer>> ValidInAny(const Stored& parts) {
  std::shared_ptr<arrow::Buffer> valid;
  for (const StoredColumn& part : parts) {
    if (!part.data->MayHaveNulls()) return nullptr;
    const int64_t length = part.data->length;
    const uint8_t* bits = part.data->buffers[0]->data();
    if (valid == nullptr) {
      ARROW_ASSIGN_OR_RAISE(valid,
                            arrow::internal::CopyBitmap(arrow::default_memory_pool(), bits, part.data->offset, length));
    } else {
      ARROW_ASSIGN_OR_RAISE(valid, arrow::internal::BitmapOr(arrow::default_memory_pool(), valid->data(), 0, bits,
                                                             part.data->offset, length, 0));
    }
  }
  return valid;
}

}  // namespace

std::vector<size_t> ChildrenOf(const std::vector<lance::Field>& fields, size_t position) {
  std::vector<size_t> children;
  for (size_t i = position + 1; i < fields.size(); ++i) {
    if (fields[i].id >= 0 && fields[i].parent_id == fields[position].id) children.push_back(i);
  }
  return children;
}

bool HoldsField(const lance::DataFile& file, const std::vector<lance::Field>& table, size_t position) {
  if (std::find(file.fields.begin(), file.fields.end(), table[position].id) != file.fields.end()) return true;
  const std::vector<size_t> children = ChildrenOf(table, position);
  return std::any_of(children.begin(), children.end(), [&](size_t child) { return HoldsField(file, table, child); });
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> AssembleColumn(const std::vector<lance::Field>& table, size_t position,
                                                                const std::shared_ptr<arrow::DataType>& type,
                                                                int64_t num_rows, std::vector<StoredColumn> stored) {
  if (stored.empty()) {
    ARROW_ASSIGN_OR_RAISE(const auto nulls, arrow::MakeArrayOfNull(type, num_rows));
    return nulls->data();
  }
  StoredColumn& first = stored.front();
  if (stored.size() == 1 && first.data->type->Equals(*type)) return WithType(std::move(first.data), type);
  if (stored.size() == 1 && BecomesText(table[position], *type, first)) return TextOf(table, position, first);
  const std::vector<size_t> wanted = ChildrenOf(table, position);
  const bool is_struct = type->id() == arrow::Type::STRUCT;
  for (const StoredColumn& one : stored) {
    const bool is_nested = type->id() == one.data->type->id() && !wanted.empty() &&
                           wanted.size() == static_cast<size_t>(type->num_fields()) &&
                           ChildrenOf(one.metadata->fields(), one.position).size() == one.data->child_data.size();
    if (!is_nested || (stored.size() > 1 && !is_struct)) return OtherType(table, position, *type, one);
  }
  auto assembled = first.data->Copy();
  assembled->type = type;
  assembled->child_data.clear();
  if (stored.size() > 1) {
    ARROW_ASSIGN_OR_RAISE(assembled->buffers[0], ValidInAny(stored));
    assembled->null_count = assembled->buffers[0] == nullptr ? 0 : arrow::kUnknownNullCount;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    Stored children = ChildrenWith(table, wanted[i], stored);
    if (children.empty() && !is_struct) return OtherType(table, position, *type, first);
    ARROW_ASSIGN_OR_RAISE(auto child, AssembleColumn(table, wanted[i], type->field(static_cast<int>(i))->type(),
                                                     first.data->length, std::move(children)));
    assembled->child_data.push_back(std::move(child));
  }
  return assembled;
}

}  // namespace fewter
