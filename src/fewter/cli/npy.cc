#include "fewter/cli/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/util/float16.h>

#include "fewter/util/argument_error.h"
#include "fewter/util/bytes.h"

/// Format: numpy.lib.format. "\x93NUMPY", two version bytes, the header's length (u16, from version 2 on u32), a Python
/// dict as text, then the values.

namespace fewter::cli {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// The text after `'name':` in the header, or nothing. The header is written by numpy, never by hand, so looking for
/// the name is enough.
std::optional<std::string_view> ValueOf(std::string_view header, const std::string& name) {
  const size_t at = header.find("'" + name + "'");
  if (at == std::string_view::npos) return std::nullopt;
  const size_t colon = header.find(':', at);
  if (colon == std::string_view::npos) return std::nullopt;
  const size_t first = header.find_first_not_of(' ', colon + 1);
  return first == std::string_view::npos ? std::nullopt : std::optional(header.substr(first));
}

arrow::Result<std::vector<uint64_t>> ParseShape(std::string_view text, const std::string& path) {
  std::vector<uint64_t> shape;
  const size_t end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos) return ArgumentError(path, ": malformed npy shape");
  const char* at = text.data() + 1;
  const char* last = text.data() + end;
  while (at < last) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    uint64_t extent = 0;
    const auto [next, error] = std::from_chars(at, last, extent);
    if (error != std::errc()) return ArgumentError(path, ": malformed npy shape");
    shape.push_back(extent);
    at = next;
  }
  return shape;
}

template <typename T, typename Convert>
void ConvertAll(const char* from, Convert convert, std::vector<float>* to) {
  for (size_t i = 0; i < to->size(); ++i) (*to)[i] = convert(LoadLittleEndian<T>(from + i * sizeof(T)));
}

/// Bytes of a value, 0 for a type that is not read.
uint64_t ValueSize(std::string_view type) {
  if (type == "<f4") return 4;
  if (type == "<f8") return 8;
  if (type == "<f2") return 2;
  return type == "|u1" ? 1 : 0;
}

void ConvertValues(std::string_view type, const char* from, std::vector<float>* to) {
  if (type == "<f4") {
    ConvertAll<float>(
        from, [](float value) { return value; }, to);
  } else if (type == "<f8") {
    ConvertAll<double>(
        from, [](double value) { return static_cast<float>(value); }, to);
  } else if (type == "<f2") {
    ConvertAll<uint16_t>(
        from, [](uint16_t bits) { return arrow::util::Float16::FromBits(bits).ToFloat(); }, to);
  } else {
    ConvertAll<uint8_t>(
        from, [](uint8_t value) { return static_cast<float>(value); }, to);
  }
}

/// Where the header and the values lie.
struct Parts {
  std::string_view header;
  std::string_view values;
};

arrow::Result<Parts> Split(std::string_view bytes, const std::string& path) {
  if (bytes.size() < 12 || !bytes.starts_with(kMagic)) return ArgumentError(path, ": not an npy file");
  const bool wide = bytes[6] != 1;
  const size_t start = wide ? 12 : 10;
  const size_t length =
      wide ? LoadLittleEndian<uint32_t>(bytes.data() + 8) : LoadLittleEndian<uint16_t>(bytes.data() + 8);
  if (!RangeIsInside(start, length, bytes.size())) return ArgumentError(path, ": the npy header is cut short");
  return Parts{bytes.substr(start, length), bytes.substr(start + length)};
}

}  // namespace

arrow::Result<Matrix> ParseNpy(std::string_view bytes, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const Parts parts, Split(bytes, path));
  const auto descr = ValueOf(parts.header, "descr");
  const auto order = ValueOf(parts.header, "fortran_order");
  const auto shape_text = ValueOf(parts.header, "shape");
  if (!descr || !order || !shape_text) return ArgumentError(path, ": malformed npy header");
  if (!order->starts_with("False")) return ArgumentError(path, ": the array is in Fortran order, C order is needed");
  const std::string type(descr->substr(1, 3));
  const uint64_t size = ValueSize(type);
  if (size == 0) {
    return ArgumentError(path, ": values of type ", type, "; float16, float32, float64 or uint8 are needed");
  }
  ARROW_ASSIGN_OR_RAISE(const auto shape, ParseShape(*shape_text, path));
  if (shape.empty() || shape.size() > 2) {
    return ArgumentError(path, ": an array of ", shape.size(), " dimensions; a vector or a matrix is needed");
  }
  if (std::find(shape.begin(), shape.end(), uint64_t{0}) != shape.end()) {
    return ArgumentError(path, ": the array is empty");
  }
  Matrix matrix{.rows = shape.size() == 2 ? shape[0] : 1, .columns = shape.back(), .values = {}};
  uint64_t count = 0;
  uint64_t needed = 0;
  if (!CheckedMultiply(matrix.rows, matrix.columns, &count) || !CheckedMultiply(count, size, &needed) ||
      needed != parts.values.size()) {
    return ArgumentError(path, ": the shape is ", matrix.rows, " x ", matrix.columns, ", but there are ",
                         parts.values.size(), " bytes of values");
  }
  matrix.values.resize(count);
  ConvertValues(type, parts.values.data(), &matrix.values);
  return matrix;
}

arrow::Result<Matrix> ReadNpy(const std::string& path) {
  auto file = arrow::io::ReadableFile::Open(path);
  if (!file.ok()) return file.status();
  ARROW_ASSIGN_OR_RAISE(const int64_t size, (*file)->GetSize());
  ARROW_ASSIGN_OR_RAISE(auto bytes, (*file)->Read(size));
  return ParseNpy(static_cast<std::string_view>(*bytes), path);
}

}  // namespace fewter::cli
