#include "fewter/filter/sql_dates.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/compute/api_scalar.h>

#include "fewter/filter/sql_arithmetic.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using arrow::compute::CalendarUnit;
using Result = arrow::Result<SqlValue>;

/// In lower case and in the singular.
std::string PartCalled(std::string part) {
  std::transform(part.begin(), part.end(), part.begin(), [](unsigned char c) { return std::tolower(c); });
  if (part.size() > 1 && part.ends_with('s')) part.pop_back();
  return part;
}

SqlValue Number(int64_t number) {
  return Literal(arrow::MakeScalar(number));
}

/// Arrow has the parts of a time of timestamps only.
Result WithTime(const SqlValue& value) {
  return arrow::is_date(value.type->id()) ? Cast(value, arrow::timestamp(arrow::TimeUnit::MILLI)) : value;
}

/// Of seconds with those of their parts that Arrow tells apart, in the last one's unit.
Result SecondsWith(const SqlValue& value, const std::vector<const char*>& parts) {
  ARROW_ASSIGN_OR_RAISE(auto sum, Call("second", {value}));
  for (const char* part : parts) {
    ARROW_ASSIGN_OR_RAISE(const auto scaled, Calculate('*', sum, Number(1000)));
    ARROW_ASSIGN_OR_RAISE(const auto more, Call(part, {value}));
    ARROW_ASSIGN_OR_RAISE(sum, Calculate('+', scaled, more));
  }
  return sum;
}

/// Seconds since 1970, or since midnight.
Result Epoch(const SqlValue& value) {
  static const std::map<arrow::TimeUnit::type, int64_t> per_second = {{arrow::TimeUnit::SECOND, 1},
                                                                      {arrow::TimeUnit::MILLI, 1'000},
                                                                      {arrow::TimeUnit::MICRO, 1'000'000},
                                                                      {arrow::TimeUnit::NANO, 1'000'000'000}};
  const auto unit = value.type->id() == Type::TIMESTAMP ? static_cast<const arrow::TimestampType&>(*value.type).unit()
                                                        : static_cast<const arrow::TimeType&>(*value.type).unit();
  ARROW_ASSIGN_OR_RAISE(const auto plain, arrow::bit_width(value.type->id()) == 32 ? Cast(value, arrow::int32())
                                                                                   : Cast(value, arrow::int64()));
  ARROW_ASSIGN_OR_RAISE(const auto number, Cast(plain, arrow::float64()));
  return Calculate('/', number, Literal(arrow::MakeScalar(static_cast<double>(per_second.at(unit)))));
}

Result DayOfWeek(const SqlValue& value, bool counts_from_zero, uint32_t first_day) {
  return Call("day_of_week", {value}, std::make_shared<arrow::compute::DayOfWeekOptions>(counts_from_zero, first_day));
}

using Part = std::function<Result(const SqlValue&)>;

/// Arrow's function by that name.
Part Same(const char* function) {
  return [function](const SqlValue& value) { return Call(function, {value}); };
}

const std::map<std::string, Part>& Parts() {
  constexpr uint32_t kMonday = 1, kSunday = 7;
  static const std::map<std::string, Part> parts = {
      {"year", Same("year")},
      {"isoyear", Same("iso_year")},
      {"quarter", Same("quarter")},
      {"month", Same("month")},
      {"week", Same("iso_week")},
      {"day", Same("day")},
      {"doy", Same("day_of_year")},
      {"dow", [](const SqlValue& value) { return DayOfWeek(value, true, kSunday); }},
      {"isodow", [](const SqlValue& value) { return DayOfWeek(value, false, kMonday); }},
      {"hour", Same("hour")},
      {"minute", Same("minute")},
      {"second", Same("second")},
      {"millisecond", [](const SqlValue& value) { return SecondsWith(value, {"millisecond"}); }},
      {"microsecond",
       [](const SqlValue& value) {
         return SecondsWith(value, {"millisecond", "microsecond"});
       }},
      {"nanosecond",
       [](const SqlValue& value) {
         return SecondsWith(value, {"millisecond", "microsecond", "nanosecond"});
       }},
      {"epoch", Epoch},
  };
  return parts;
}

}  // namespace

Result DatePart(const std::string& part, const SqlValue& value) {
  const auto found = Parts().find(PartCalled(part));
  if (found == Parts().end()) return ArgumentError("it does not know the part '", part, "'");
  const auto id = value.type->id();
  if (!arrow::is_date(id) && !arrow::is_time(id) && id != Type::TIMESTAMP) {
    return ArgumentError("it takes a date, time or timestamp, and this is ", value.type->ToString());
  }
  ARROW_ASSIGN_OR_RAISE(const auto timed, WithTime(value));
  return found->second(timed);
}

Result DateTrunc(const std::string& part, const SqlValue& value) {
  static const std::map<std::string, CalendarUnit> units = {
      {"year", CalendarUnit::YEAR},
      {"quarter", CalendarUnit::QUARTER},
      {"month", CalendarUnit::MONTH},
      {"week", CalendarUnit::WEEK},
      {"day", CalendarUnit::DAY},
      {"hour", CalendarUnit::HOUR},
      {"minute", CalendarUnit::MINUTE},
      {"second", CalendarUnit::SECOND},
      {"millisecond", CalendarUnit::MILLISECOND},
      {"microsecond", CalendarUnit::MICROSECOND},
  };
  const auto found = units.find(PartCalled(part));
  if (found == units.end()) return ArgumentError("it does not know the part '", part, "'");
  ARROW_ASSIGN_OR_RAISE(const auto timed, WithTime(value));
  if (timed.type->id() != Type::TIMESTAMP) {
    return ArgumentError("it takes a date or timestamp, and this is ", value.type->ToString());
  }
  return Call("floor_temporal", {timed},
              std::make_shared<arrow::compute::RoundTemporalOptions>(1, found->second, true, false, false));
}

}  // namespace fewter
