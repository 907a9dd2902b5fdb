#pragma once

#include <cstdint>
#include <string>

#include <arrow/type.h>

namespace fewter::cli {

/// Days since 1970-01-01 as ISO 8601 has them: 2020-01-31. Years beyond 9999 and before 0 have a sign and as many
/// digits as they need, at least four.
void AppendDate(int64_t days, std::string* text);

/// A time of day, in units since midnight: 12:34:56, with as many digits behind the point as the unit has.
void AppendTimeOfDay(int64_t value, arrow::TimeUnit::type unit, std::string* text);

/// Units since 1970-01-01: 2020-01-31T12:34:56.123, and a Z behind it if the time is UTC, which those with any time
/// zone are in Arrow.
void AppendTimestamp(int64_t value, arrow::TimeUnit::type unit, bool is_utc, std::string* text);

}  // namespace fewter::cli
