#pragma once

#include <string>

#include <arrow/result.h>

#include "fewter/filter/sql_value.h"

/// Parts of dates, times and timestamps, those with a zone by its clocks.

namespace fewter {

/// `date_part('year', value)`; weeks are ISO 8601's. An argument error for a part that is not known.
arrow::Result<SqlValue> DatePart(const std::string& part, const SqlValue& value);

/// `date_trunc('month', value)`: when the part that it is in began. Weeks begin on Mondays.
arrow::Result<SqlValue> DateTrunc(const std::string& part, const SqlValue& value);

}  // namespace fewter
