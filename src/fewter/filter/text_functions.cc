#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>
#include <arrow/type.h>

#include "fewter/filter/functions_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;

/// The shortest digits that tell a number from all others, and where the point stands among them: 10^(point - 1) <=
/// number < 10^point.
struct ShortestDigits {
  std::string digits;
  int point = 0;
};

template <typename Float>
ShortestDigits DigitsOf(Float positive) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), positive, std::chars_format::scientific).ptr;
  const std::string_view written(text.data(), static_cast<size_t>(end - text.data()));
  const size_t e = written.find('e');
  ShortestDigits found;
  for (const char c : written.substr(0, e)) {
    if (c != '.') found.digits.push_back(c);
  }
  while (found.digits.size() > 1 && found.digits.back() == '0') found.digits.pop_back();
  found.point = std::atoi(std::string(written.substr(e + 1)).c_str()) + 1;
  return found;
}

/// As Rust's ryu writes it: plain numbers within some powers of ten, and "1.5e16" beyond.
template <typename Float>
std::string FloatText(Float value) {
  constexpr int kMostWhole = sizeof(Float) == 4 ? 13 : 16;
  constexpr int kMostZeros = sizeof(Float) == 4 ? 6 : 5;
  if (std::isnan(value)) return "NaN";
  std::string text = "0.0";
  if (std::isinf(value)) {
    text = "inf";
  } else if (value != 0) {
    const auto [digits, point] = DigitsOf(std::abs(value));
    const int length = static_cast<int>(digits.size());
    text = digits;
    if (point >= length && point <= kMostWhole) {
      text.append(static_cast<size_t>(point - length), '0').append(".0");
    } else if (point > 0 && point <= kMostWhole) {
      text.insert(static_cast<size_t>(point), 1, '.');
    } else if (point <= 0 && point > -kMostZeros) {
      text.insert(0, static_cast<size_t>(-point), '0').insert(0, "0.");
    } else {
      if (length > 1) text.insert(1, 1, '.');
      text.append("e").append(std::to_string(point - 1));
    }
  }
  if (std::signbit(value)) text.insert(0, 1, '-');
  return text;
}

std::string DecimalText(std::string digits, int32_t scale) {
  if (scale < 0 && digits != "0") digits.append(static_cast<size_t>(-scale), '0');
  if (scale <= 0) return digits;
  const size_t begin = digits.front() == '-' ? 1 : 0;
  const auto behind = static_cast<size_t>(scale);
  if (digits.size() - begin <= behind) digits.insert(begin, behind + 1 - (digits.size() - begin), '0');
  return digits.insert(digits.size() - behind, 1, '.');
}

template <typename... Numbers>
std::string Printed(const char* format, Numbers... numbers) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, numbers...);
  return text.data();
}

int64_t PerSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    default:
      return 1'000'000'000;
  }
}

constexpr int64_t kSecondsOfDay = 86'400;

/// Rounded down, and what is left, which is not negative.
std::pair<int64_t, int64_t> FloorDivide(int64_t value, int64_t by) {
  const int64_t left = value % by;
  return left < 0 ? std::pair(value / by - 1, left + by) : std::pair(value / by, left);
}

/// Of a day; no more digits of a second than it takes, by threes.
std::string TimeText(int64_t value, int64_t per_second) {
  const int64_t seconds = value / per_second;
  const int64_t nanoseconds = value % per_second * (1'000'000'000 / per_second);
  std::string text = Printed("%02d:%02d:%02d", static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                             static_cast<int>(seconds % 60));
  if (nanoseconds == 0) return text;
  if (nanoseconds % 1'000'000 == 0) return text + Printed(".%03d", static_cast<int>(nanoseconds / 1'000'000));
  if (nanoseconds % 1'000 == 0) return text + Printed(".%06d", static_cast<int>(nanoseconds / 1'000));
  return text + Printed(".%09d", static_cast<int>(nanoseconds));
}

std::string InstantText(int64_t value, int64_t per_second) {
  const auto [seconds, fraction] = FloorDivide(value, per_second);
  const auto [days, of_day] = FloorDivide(seconds, kSecondsOfDay);
  // What std::chrono's years hold; Lance has no text of what is beyond either.
  constexpr int64_t kMostDays = 10'000'000;
  if (days < -kMostDays || days > kMostDays) return "";
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  const int year = static_cast<int>(date.year());
  return Printed(year >= 0 && year <= 9999 ? "%04d" : "%+05d", year) +
         Printed("-%02u-%02uT", static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day())) +
         TimeText(of_day * per_second + fraction, per_second);
}

/// Of what clocks show to UTC, which is less than a day.
std::string OffsetText(int64_t local, int64_t utc, int64_t per_second) {
  const auto units = static_cast<int64_t>(static_cast<uint64_t>(local) - static_cast<uint64_t>(utc));
  const int64_t seconds = std::clamp(units / per_second, -kSecondsOfDay, kSecondsOfDay);
  if (seconds == 0) return "Z";
  const int64_t minutes = std::abs(seconds) / 60;
  return Printed("%c%02d:%02d", seconds < 0 ? '-' : '+', static_cast<int>(minutes / 60),
                 static_cast<int>(minutes % 60));
}

/// `text` gives that of a row.
template <typename Text>
arrow::Status WriteTexts(cp::KernelContext* context, const arrow::Array& rows, const Text& text, cp::ExecResult* out) {
  arrow::StringBuilder builder(context->memory_pool());
  ARROW_RETURN_NOT_OK(builder.Reserve(rows.length()));
  for (int64_t row = 0; row < rows.length(); ++row) {
    ARROW_RETURN_NOT_OK(rows.IsNull(row) ? builder.AppendNull() : builder.Append(text(row)));
  }
  ARROW_ASSIGN_OR_RAISE(const auto texts, builder.Finish());
  out->value = texts->data();
  return arrow::Status::OK();
}

/// Of rows of one type, of which `text` makes one of a value.
template <typename ArrayType, typename Text>
arrow::Status TextsOf(cp::KernelContext* context, const cp::ExecSpan& arguments, const Text& text,
                      cp::ExecResult* out) {
  if (!arguments[0].is_array()) return arrow::Status::NotImplemented("a text that is the same for all rows");
  const ArrayType values(arguments[0].array.ToArrayData());
  return WriteTexts(
      context, values, [&](int64_t row) { return text(values, row); }, out);
}

template <typename ArrayType>
arrow::Status FloatTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  return TextsOf<ArrayType>(
      context, arguments, [](const ArrayType& values, int64_t row) { return FloatText(values.Value(row)); }, out);
}

template <typename Decimal, typename ArrayType>
arrow::Status DecimalTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  const int32_t scale = static_cast<const arrow::DecimalType&>(*arguments[0].type()).scale();
  return TextsOf<ArrayType>(
      context, arguments,
      [scale](const ArrayType& values, int64_t row) {
        return DecimalText(Decimal(values.GetValue(row)).ToIntegerString(), scale);
      },
      out);
}

template <typename ArrayType, typename Type>
arrow::Status TimeTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  const int64_t per_second = PerSecond(static_cast<const Type&>(*arguments[0].type()).unit());
  return TextsOf<ArrayType>(
      context, arguments,
      [per_second](const ArrayType& values, int64_t row) { return TimeText(values.Value(row), per_second); }, out);
}

arrow::Status TimestampTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  const auto& type = static_cast<const arrow::TimestampType&>(*arguments[0].type());
  if (!type.timezone().empty()) return arrow::Status::NotImplemented("a timestamp with a zone and no local time");
  const int64_t per_second = PerSecond(type.unit());
  return TextsOf<arrow::TimestampArray>(
      context, arguments,
      [per_second](const arrow::TimestampArray& values, int64_t row) {
        return InstantText(values.Value(row), per_second);
      },
      out);
}

arrow::Status DateTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  return TextsOf<arrow::Date64Array>(
      context, arguments,
      [](const arrow::Date64Array& values, int64_t row) { return InstantText(values.Value(row), 1'000); }, out);
}

arrow::Status ZonedTexts(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  if (!arguments[1].is_array() || !arguments[1].type()->Equals(arrow::timestamp(
                                      static_cast<const arrow::TimestampType&>(*arguments[0].type()).unit()))) {
    return arrow::Status::TypeError("the local times of timestamps are of the same unit");
  }
  const int64_t per_second = PerSecond(static_cast<const arrow::TimestampType&>(*arguments[0].type()).unit());
  const arrow::TimestampArray locals(arguments[1].array.ToArrayData());
  return TextsOf<arrow::TimestampArray>(
      context, arguments,
      [&](const arrow::TimestampArray& values, int64_t row) {
        const int64_t local = locals.Value(row);
        return InstantText(local, per_second) + OffsetText(local, values.Value(row), per_second);
      },
      out);
}

arrow::Status AddKernel(cp::ScalarFunction* function, std::vector<cp::InputType> inputs, cp::ArrayKernelExec exec) {
  cp::ScalarKernel kernel(std::move(inputs), arrow::utf8(), exec);
  kernel.null_handling = cp::NullHandling::COMPUTED_NO_PREALLOCATE;
  kernel.mem_allocation = cp::MemAllocation::NO_PREALLOCATE;
  return function->AddKernel(std::move(kernel));
}

}  // namespace

arrow::Status RegisterTextFunctions(cp::FunctionRegistry* registry) {
  using arrow::Type;
  const auto text = std::make_shared<cp::ScalarFunction>(kTextOf, cp::Arity::Unary(),
                                                         cp::FunctionDoc("Values as text", "", {"value"}));
  const auto add = [&](Type::type type, cp::ArrayKernelExec exec) {
    return AddKernel(text.get(), {cp::InputType(type)}, exec);
  };
  ARROW_RETURN_NOT_OK(add(Type::FLOAT, FloatTexts<arrow::FloatArray>));
  ARROW_RETURN_NOT_OK(add(Type::DOUBLE, FloatTexts<arrow::DoubleArray>));
  ARROW_RETURN_NOT_OK(add(Type::DECIMAL128, DecimalTexts<arrow::Decimal128, arrow::Decimal128Array>));
  ARROW_RETURN_NOT_OK(add(Type::DECIMAL256, DecimalTexts<arrow::Decimal256, arrow::Decimal256Array>));
  ARROW_RETURN_NOT_OK(add(Type::TIME32, TimeTexts<arrow::Time32Array, arrow::Time32Type>));
  ARROW_RETURN_NOT_OK(add(Type::TIME64, TimeTexts<arrow::Time64Array, arrow::Time64Type>));
  ARROW_RETURN_NOT_OK(add(Type::TIMESTAMP, TimestampTexts));
  ARROW_RETURN_NOT_OK(add(Type::DATE64, DateTexts));
  ARROW_RETURN_NOT_OK(registry->AddFunction(text, true));

  const auto zoned = std::make_shared<cp::ScalarFunction>(
      kZonedTextOf, cp::Arity::Binary(), cp::FunctionDoc("Timestamps with a zone as text", "", {"value", "local"}));
  const cp::InputType timestamp(Type::TIMESTAMP);
  ARROW_RETURN_NOT_OK(AddKernel(zoned.get(), {timestamp, timestamp}, ZonedTexts));
  return registry->AddFunction(zoned, true);
}

}  // namespace fewter
