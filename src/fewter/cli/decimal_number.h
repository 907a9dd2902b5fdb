#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace fewter::cli {

/// For Option::transform: whole decimal numbers from `least` to `most`. CLI11 itself reads a leading 0 as octal, and
/// what is too large as the largest number.
inline CLI::Validator DecimalNumber(int64_t least, int64_t most = std::numeric_limits<int64_t>::max()) {
  const auto read = [least, most](std::string& text) -> std::string {
    int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc::result_out_of_range) return fmt::format("'{}' is too large a number", text);
    if (error != std::errc() || parsed != end || number < least) {
      return fmt::format("'{}' is not a whole number from {} on", text, least);
    }
    if (number > most) return fmt::format("'{}' is more than {}", text, most);
    text = std::to_string(number);
    return {};
  };
  return {read, "", "decimal number"};
}

/// DecimalNumber for an option of 32 bits.
inline CLI::Validator DecimalNumber32(uint32_t least) {
  return DecimalNumber(least, std::numeric_limits<uint32_t>::max());
}

/// For Option::check: any number, for a message that says more than CLI11's.
inline CLI::Validator Number() {
  const auto check = [](const std::string& text) {
    double number = 0;
    return CLI::detail::lexical_cast(text, number) ? std::string() : fmt::format("'{}' is not a number", text);
  };
  return {check, "", "number"};
}

}  // namespace fewter::cli
