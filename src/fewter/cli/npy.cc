#include "fewter/cli/npy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
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

/// A file's array before its values are converted.
struct NpyArray {
  /// As numpy writes it, such as "<f4".
  std::string type;
  uint64_t rows = 0;
  uint64_t columns = 0;
  std::string_view values;
};

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

arrow::Result<NpyArray> ParseArray(std::string_view bytes, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const Parts parts, Split(bytes, path));
  const auto descr = ValueOf(parts.header, "descr");
  const auto order = ValueOf(parts.header, "fortran_order");
  const auto shape_text = ValueOf(parts.header, "shape");
  if (!descr || !order || !shape_text) return ArgumentError(path, ": malformed npy header");
  if (!order->starts_with("False")) return ArgumentError(path, ": the array is in Fortran order, C order is needed");
  ARROW_ASSIGN_OR_RAISE(const auto shape, ParseShape(*shape_text, path));
  if (shape.empty() || shape.size() > 2) {
    return ArgumentError(path, ": an array of ", shape.size(), " dimensions; a vector or a matrix is needed");
  }
  if (std::find(shape.begin(), shape.end(), uint64_t{0}) != shape.end()) {
    return ArgumentError(path, ": the array is empty");
  }
  // Only plain types have one text between quotes.
  const std::string_view type = descr->starts_with('\'') ? descr->substr(1, descr->find('\'', 1) - 1) : *descr;
  return NpyArray{.type = std::string(type),
                  .rows = shape.size() == 2 ? shape[0] : 1,
                  .columns = shape.back(),
                  .values = parts.values};
}

/// How many values there are; an argument error if the bytes are not as many as they take.
arrow::Result<uint64_t> CountValues(const NpyArray& array, uint64_t value_size, const std::string& path) {
  uint64_t count = 0;
  uint64_t needed = 0;
  if (!CheckedMultiply(array.rows, array.columns, &count) || !CheckedMultiply(count, value_size, &needed) ||
      needed != array.values.size()) {
    return ArgumentError(path, ": the shape is ", array.rows, " x ", array.columns, ", but there are ",
                         array.values.size(), " bytes of values");
  }
  return count;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ReadWhole(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return ArgumentError(path, ": a folder, not an npy file");
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(const int64_t size, file->GetSize());
  return file->Read(size);
}

/// The values as T, each made into a To by `convert`.
template <typename T, typename To, typename Convert>
arrow::Status ConvertAll(const NpyArray& array, const std::string& path, Convert convert, std::vector<To>* to) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t count, CountValues(array, sizeof(T), path));
  to->resize(count);
  for (size_t i = 0; i < count; ++i) (*to)[i] = convert(LoadLittleEndian<T>(array.values.data() + i * sizeof(T)));
  return arrow::Status::OK();
}

arrow::Status ConvertToFloats(const NpyArray& array, const std::string& path, std::vector<float>* to) {
  const auto cast = [](auto value) { return static_cast<float>(value); };
  if (array.type == "<f4") return ConvertAll<float>(array, path, cast, to);
  if (array.type == "<f8") return ConvertAll<double>(array, path, cast, to);
  if (array.type == "|u1") return ConvertAll<uint8_t>(array, path, cast, to);
  if (array.type == "<f2") {
    const auto widen = [](uint16_t bits) { return arrow::util::Float16::FromBits(bits).ToFloat(); };
    return ConvertAll<uint16_t>(array, path, widen, to);
  }
  return ArgumentError(path, ": values of type ", array.type, "; float16, float32, float64 or uint8 are needed");
}

/// Negative numbers become larger than any int64_t.
arrow::Status ConvertToWhole(const NpyArray& array, const std::string& path, std::vector<uint64_t>* to) {
  const auto cast = [](auto value) { return static_cast<uint64_t>(value); };
  if (array.type == "<i4") return ConvertAll<int32_t>(array, path, cast, to);
  if (array.type == "<i8") return ConvertAll<int64_t>(array, path, cast, to);
  if (array.type == "<u4") return ConvertAll<uint32_t>(array, path, cast, to);
  if (array.type == "<u8") return ConvertAll<uint64_t>(array, path, cast, to);
  return ArgumentError(path, ": values of type ", array.type, "; int32, int64, uint32 or uint64 are needed");
}

}  // namespace

arrow::Result<Matrix> ParseNpy(std::string_view bytes, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const NpyArray array, ParseArray(bytes, path));
  Matrix matrix{.rows = array.rows, .columns = array.columns, .values = {}};
  ARROW_RETURN_NOT_OK(ConvertToFloats(array, path, &matrix.values));
  return matrix;
}

arrow::Result<Matrix> ReadNpy(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto bytes, ReadWhole(path));
  return ParseNpy(static_cast<std::string_view>(*bytes), path);
}

arrow::Result<std::vector<std::vector<float>>> ReadVectors(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const Matrix matrix, ReadNpy(path));
  std::vector<std::vector<float>> vectors;
  for (uint64_t row = 0; row < matrix.rows; ++row) {
    vectors.push_back(matrix.Row(row));
    for (const float value : vectors.back()) {
      if (!std::isfinite(value)) return ArgumentError(path, ": vector ", row, " is not finite");
    }
  }
  return vectors;
}

arrow::Result<WholeNumbers> ParseWholeNumbers(std::string_view bytes, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const NpyArray array, ParseArray(bytes, path));
  WholeNumbers numbers{.rows = array.rows, .columns = array.columns, .values = {}};
  ARROW_RETURN_NOT_OK(ConvertToWhole(array, path, &numbers.values));
  constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (*std::max_element(numbers.values.begin(), numbers.values.end()) > kLargest) {
    return ArgumentError(path, ": there are negative numbers in it");
  }
  return numbers;
}

arrow::Result<WholeNumbers> ReadWholeNumbers(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto bytes, ReadWhole(path));
  return ParseWholeNumbers(static_cast<std::string_view>(*bytes), path);
}

}  // namespace fewter::cli
