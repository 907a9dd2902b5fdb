#pragma once

#include <arrow/result.h>

#include "fewter/filter/sql_value.h"

namespace fewter {

/// `array_has(list, value)`: whether it has an element that equals the value.
arrow::Result<SqlValue> ListHas(const SqlValue& list, const SqlValue& value);

/// `array_has_any(list, wanted)`, or array_has_all.
arrow::Result<SqlValue> ListHasSome(bool all, const SqlValue& list, const SqlValue& wanted);

/// `list[place]`, from 1, or from the end if it is negative; null if there is none.
arrow::Result<SqlValue> ListElement(const SqlValue& list, const SqlValue& place);

/// `array_length(list)`
arrow::Result<SqlValue> ListLength(const SqlValue& list);

}  // namespace fewter
