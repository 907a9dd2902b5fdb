#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace fewter::cli {

/// For Option::transform: whole decimal numbers from `least` on. CLI11 itself reads a leading 0 as octal, and what is
/// too large as the largest number.
inline CLI::Validator DecimalNumber(int64_t least) {
  const auto read = [least](std::string& text) -> std::string {
    int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc::result_out_of_range) return fmt::format("'{}' is too large a number", text);
    if (error != std::errc() || parsed != end || number < least) {
      return fmt::format("'{}' is not a whole number from {} on", text, least);
    }
    text = std::to_string(number);
    return {};
  };
  return {read, "", "decimal number"};
}

}  // namespace fewter::cli
