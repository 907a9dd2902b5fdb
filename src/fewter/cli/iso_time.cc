#include "fewter/cli/iso_time.h"

#include <fmt/format.h>

#include <iterator>

namespace fewter::cli {

namespace {

constexpr int64_t kSecondsOfDay = 86400;

struct Unit {
  int64_t per_second;
  int digits;
};

Unit UnitOf(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return {1, 0};
    case arrow::TimeUnit::MILLI:
      return {1000, 3};
    case arrow::TimeUnit::MICRO:
      return {1'000'000, 6};
    case arrow::TimeUnit::NANO:
      break;
  }
  return {1'000'000'000, 9};
}

struct Divided {
  int64_t quotient;
  int64_t rest;
};

/// Rounded down, so that the rest is never negative.
Divided DivideDown(int64_t value, int64_t divisor) {
  const int64_t rest = ((value % divisor) + divisor) % divisor;
  return {value / divisor - (value % divisor < 0 ? 1 : 0), rest};
}

}  // namespace

void AppendDate(int64_t days, std::string* text) {
  // Years are counted from March, so that a leap day is the last of its year; 400 of them have 146,097 days.
  constexpr int64_t kEra = 146097;
  const auto [era, day_of_era] = DivideDown(days, kEra);
  // Of 1970-01-01 in its era.
  constexpr int64_t kEpoch = 719468;
  const int64_t shifted = day_of_era + kEpoch;
  const int64_t whole_eras = era + shifted / kEra;
  const int64_t day = shifted % kEra;
  const int64_t year_of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const int64_t day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const int64_t year = year_of_era + whole_eras * 400 + (month <= 2 ? 1 : 0);
  const bool has_sign = year < 0 || year > 9999;
  fmt::format_to(std::back_inserter(*text), "{}{:04}-{:02}-{:02}",
                 !has_sign  ? ""
                 : year < 0 ? "-"
                            : "+",
                 year < 0 ? -year : year, month, day_of_month);
}

void AppendTimeOfDay(int64_t value, arrow::TimeUnit::type unit, std::string* text) {
  const auto [per_second, digits] = UnitOf(unit);
  const auto [seconds, fraction] = DivideDown(value, per_second);
  fmt::format_to(std::back_inserter(*text), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (digits > 0) fmt::format_to(std::back_inserter(*text), ".{:0{}}", fraction, digits);
}

void AppendTimestamp(int64_t value, arrow::TimeUnit::type unit, bool is_utc, std::string* text) {
  const auto [days, rest] = DivideDown(value, kSecondsOfDay * UnitOf(unit).per_second);
  AppendDate(days, text);
  *text += 'T';
  AppendTimeOfDay(rest, unit, text);
  if (is_utc) *text += 'Z';
}

}  // namespace fewter::cli
