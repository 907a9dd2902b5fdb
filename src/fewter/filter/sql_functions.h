#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "fewter/filter/sql_value.h"

namespace fewter {

/// A call of a function by its SQL name, in lower case. An argument error for one that is not supported, or not with
/// these arguments.
arrow::Result<SqlValue> CallSqlFunction(const std::string& name, const std::vector<SqlValue>& arguments);

/// `value LIKE pattern`: `%` stands for any text, `_` for any character, and a character behind `escape` for itself.
arrow::Result<SqlValue> Like(const SqlValue& value, const SqlValue& pattern, char escape, bool ignore_case);

/// The first that is not null.
arrow::Result<SqlValue> Coalesce(std::vector<SqlValue> values);

}  // namespace fewter
