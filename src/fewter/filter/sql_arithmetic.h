#pragma once

#include <arrow/result.h>

#include "fewter/filter/sql_value.h"

namespace fewter {

/// `+`, `-`, `*`, `/` or `%`, of numbers, as in Lance (DataFusion). Integers truncate and wrap around, but for uint64
/// beside a signed one, which are decimals then. Decimals have as many digits as they take; a quotient has four behind
/// the point more than what is divided. To divide an integer or a decimal by 0 is an error for the row.
arrow::Result<SqlValue> Calculate(char operation, SqlValue left, SqlValue right);

}  // namespace fewter
