#include "fewter/cache/byte_size.h"

#include <array>
#include <charconv>

#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr std::array<Unit, 10> kUnits = {{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1024.0},
                                          {"MiB", 1024.0 * 1024},
                                          {"GiB", 1024.0 * 1024 * 1024},
                                          {"TiB", 1024.0 * 1024 * 1024 * 1024},
                                          {"KB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12}}};

}  // namespace

arrow::Result<int64_t> ParseByteSize(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && number >= 0) {
    const std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
    for (const Unit& unit : kUnits) {
      if (suffix == unit.name && number * unit.bytes < 9e18) return static_cast<int64_t>(number * unit.bytes);
    }
  }
  return ArgumentError("'", text, "' is not a number of bytes such as 1048576, 512MiB or 20GB");
}

}  // namespace fewter
