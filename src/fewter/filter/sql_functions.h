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

/// `left || right`, one of which is a text: null if either is.
arrow::Result<SqlValue> Concatenate(const SqlValue& left, const SqlValue& right);

}  // namespace fewter
