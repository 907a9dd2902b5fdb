#pragma once

#include <memory>

#include <arrow/array/data.h>
#include <arrow/result.h>
#include <arrow/type.h>

/// Columns of JSON, which files hold as JSONB (lance/jsonb.h), as Lance returns them: text of the extension type
/// arrow.json.

namespace fewter {

/// The field, and all below it, as rows are presented: JSON as strings.
std::shared_ptr<arrow::Field> WithJsonAsText(const std::shared_ptr<arrow::Field>& field);

/// The text of values of large binary, null where they are. Errors as of lance::AppendJsonText; CapacityError for more
/// than 2 GiB.
arrow::Result<std::shared_ptr<arrow::ArrayData>> JsonAsText(const std::shared_ptr<arrow::ArrayData>& jsonb);

}  // namespace fewter
