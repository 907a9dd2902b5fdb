#include "fewter/dataset/json_columns.h"

#include <string>
#include <utility>

#include <arrow/array/array_binary.h>
#include <arrow/builder.h>
#include <arrow/util/key_value_metadata.h>

#include "fewter/dataset/nested_types.h"
#include "fewter/lance/field.h"
#include "fewter/lance/jsonb.h"

namespace fewter {

namespace {

/// What a field of JSON says of itself as text. Null if it is no such field.
std::shared_ptr<const arrow::KeyValueMetadata> MetadataOfText(const arrow::Field& field) {
  if (field.type()->id() != arrow::Type::LARGE_BINARY || !field.HasMetadata()) return nullptr;
  const auto name = field.metadata()->Get(lance::kExtensionKey);
  if (!name.ok() || *name != lance::kJsonExtension) return nullptr;
  auto metadata = field.metadata()->Copy();
  return metadata->Set(lance::kExtensionKey, "arrow.json").ok() ? metadata : nullptr;
}

}  // namespace

std::shared_ptr<arrow::Field> WithJsonAsText(const std::shared_ptr<arrow::Field>& field) {
  if (const auto metadata = MetadataOfText(*field)) return field->WithType(arrow::utf8())->WithMetadata(metadata);
  arrow::FieldVector below;
  bool is_other = false;
  for (const auto& child : field->type()->fields()) {
    below.push_back(WithJsonAsText(child));
    is_other = is_other || below.back() != child;
  }
  // Lance has no JSON in lists of a fixed size.
  const auto type = is_other ? WithFields(*field->type(), std::move(below)) : nullptr;
  return type == nullptr ? field : field->WithType(type);
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> JsonAsText(const std::shared_ptr<arrow::ArrayData>& jsonb) {
  const arrow::LargeBinaryArray values(jsonb);
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(values.length()));
  std::string text;
  for (int64_t i = 0; i < values.length(); ++i) {
    if (values.IsNull(i)) {
      builder.UnsafeAppendNull();
      continue;
    }
    text.clear();
    ARROW_RETURN_NOT_OK(lance::AppendJsonText(values.GetView(i), &text));
    ARROW_RETURN_NOT_OK(builder.Append(text));
  }
  std::shared_ptr<arrow::ArrayData> data;
  ARROW_RETURN_NOT_OK(builder.FinishInternal(&data));
  return data;
}

}  // namespace fewter
