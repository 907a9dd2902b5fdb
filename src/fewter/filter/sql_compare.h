#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include "fewter/filter/sql_value.h"

/// How values of two types meet in a comparison, as in Lance (DataFusion) wherever that has an answer.

namespace fewter {

/// The literal as a value of another type, if it is one: a number that fits, a text that can be read as one.
std::optional<SqlValue> CoerceLiteral(const SqlValue& literal, const std::shared_ptr<arrow::DataType>& type);

/// Both as values of one type. An argument error if there is none.
arrow::Status Unify(SqlValue* left, SqlValue* right);

/// `=`, `<>`, `<`, `<=`, `>` or `>=`. Floats are in IEEE 754's total order, as in Lance, but for zeros beside a
/// literal.
arrow::Result<SqlValue> Compare(const std::string& comparison, SqlValue left, SqlValue right);

/// `IS NOT DISTINCT FROM`: equal, or both null.
arrow::Result<SqlValue> IsSame(const SqlValue& left, const SqlValue& right);

/// The first that is not null.
arrow::Result<SqlValue> Coalesce(std::vector<SqlValue> values);

}  // namespace fewter
