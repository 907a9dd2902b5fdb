#include "fewter/lance/jsonb.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <arrow/result.h>
#include <arrow/util/utf8.h>

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

// The upper bits of a container's header; the rest is a count.
constexpr uint32_t kArray = 0x80000000;
constexpr uint32_t kObject = 0x40000000;
constexpr uint32_t kScalar = 0x20000000;
constexpr uint32_t kCountBits = 0x1fffffff;

// The upper bits of an entry; the rest is a length.
constexpr uint32_t kNull = 0x00000000;
constexpr uint32_t kString = 0x10000000;
constexpr uint32_t kNumber = 0x20000000;
constexpr uint32_t kFalse = 0x30000000;
constexpr uint32_t kTrue = 0x40000000;
constexpr uint32_t kContainer = 0x50000000;
constexpr uint32_t kExtension = 0x60000000;
constexpr uint32_t kLengthBits = 0x0fffffff;

// The first byte of a number.
constexpr uint8_t kZero = 0x00;
constexpr uint8_t kNan = 0x10;
constexpr uint8_t kInfinity = 0x20;
constexpr uint8_t kMinusInfinity = 0x30;
constexpr uint8_t kInt = 0x40;
constexpr uint8_t kUint = 0x50;
constexpr uint8_t kDouble = 0x60;
constexpr uint8_t kDecimal = 0x70;

constexpr uint64_t kWordBytes = 4;

template <typename... Parts>
arrow::Status Malformed(const Parts&... parts) {
  return arrow::Status::Invalid("malformed JSONB: ", parts...);
}

/// At most eight bytes.
uint64_t LoadBigEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

uint32_t WordAt(std::string_view bytes, uint64_t offset) {
  return static_cast<uint32_t>(LoadBigEndian(bytes.substr(offset, kWordBytes)));
}

struct Value {
  uint32_t type = kNull;
  std::string_view bytes;
};

/// The entries of a container one after the other, with the bytes of each.
class ValueReader {
 public:
  /// Requires that the entries lie inside the container.
  ValueReader(std::string_view container, uint64_t num_entries)
      : container_(container), values_(kWordBytes * (1 + num_entries)) {}

  arrow::Result<Value> Next() {
    const uint32_t entry = WordAt(container_, entries_);
    const uint64_t length = entry & kLengthBits;
    if (!RangeIsInside(values_, length, container_.size())) {
      return Malformed("a value of ", length, " bytes at ", values_, " of ", container_.size());
    }
    const Value value{entry & ~kLengthBits, container_.substr(values_, length)};
    entries_ += kWordBytes;
    values_ += length;
    return value;
  }

 private:
  std::string_view container_;
  uint64_t entries_ = kWordBytes;
  uint64_t values_;
};

template <typename T>
void AppendInteger(T number, std::string* text) {
  std::array<char, 24> digits;
  text->append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// With an exponent from 1e16 on and below 1e-5, with a point otherwise, as serde_json writes them.
void AppendDouble(double number, std::string* text) {
  if (!std::isfinite(number)) {
    *text += "null";
    return;
  }
  std::array<char, 32> digits;
  const auto write = [&](std::chars_format format) {
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number, format).ptr;
    return std::string_view(digits.data(), static_cast<size_t>(end - digits.data()));
  };
  const std::string_view scientific = write(std::chars_format::scientific);
  const size_t e = scientific.find('e');
  const bool is_small = scientific[e + 1] == '-';
  int exponent = 0;
  std::from_chars(scientific.data() + e + 2, scientific.data() + scientific.size(), exponent);
  if (exponent > (is_small ? 5 : 15)) {
    // Without the zero that C++ writes before an exponent of one digit.
    *text += scientific.substr(0, e + 2);
    AppendInteger(exponent, text);
    return;
  }
  const std::string_view fixed = write(std::chars_format::fixed);
  *text += fixed;
  if (fixed.find('.') == std::string_view::npos) *text += ".0";
}

arrow::Status AppendNumber(std::string_view bytes, std::string* text) {
  if (bytes.empty()) return Malformed("a number of no bytes");
  const auto kind = static_cast<uint8_t>(bytes[0]);
  const std::string_view digits = bytes.substr(1);
  const bool is_integer = kind == kInt || kind == kUint;
  const bool has_width =
      digits.size() == 8 || (is_integer && (digits.size() == 1 || digits.size() == 2 || digits.size() == 4));
  if ((is_integer || kind == kDouble) && !has_width) return Malformed("a number of ", digits.size(), " bytes");
  switch (kind) {
    case kZero:
      *text += '0';
      return arrow::Status::OK();
    case kNan:
    case kInfinity:
    case kMinusInfinity:
      *text += "null";
      return arrow::Status::OK();
    case kInt: {
      const size_t unused = 64 - 8 * digits.size();
      AppendInteger(static_cast<int64_t>(LoadBigEndian(digits) << unused) >> unused, text);
      return arrow::Status::OK();
    }
    case kUint:
      AppendInteger(LoadBigEndian(digits), text);
      return arrow::Status::OK();
    case kDouble:
      AppendDouble(std::bit_cast<double>(LoadBigEndian(digits)), text);
      return arrow::Status::OK();
    case kDecimal:
      return arrow::Status::NotImplemented("a decimal in JSONB");
    default:
      return Malformed("a number of kind ", static_cast<int>(kind));
  }
}

void AppendEscaped(char c, std::string* text) {
  static constexpr std::string_view kNamed = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kNames = "\"\\bfnrt";
  static constexpr char kDigits[] = "0123456789abcdef";
  if (const size_t named = kNamed.find(c); named != std::string_view::npos) {
    *text += {'\\', kNames[named]};
  } else if (const auto byte = static_cast<uint8_t>(c); byte < 0x20) {
    *text += {'\\', 'u', '0', '0', kDigits[byte >> 4], kDigits[byte & 15]};
  } else {
    *text += c;
  }
}

arrow::Status AppendString(std::string_view bytes, std::string* text) {
  if (!arrow::util::ValidateUTF8(bytes)) return Malformed("a string that is not UTF-8");
  *text += '"';
  for (const char c : bytes) AppendEscaped(c, text);
  *text += '"';
  return arrow::Status::OK();
}

arrow::Status AppendContainer(std::string_view bytes, int depth, std::string* text);

arrow::Status AppendValue(const Value& value, int depth, std::string* text) {
  switch (value.type) {
    case kNull:
      *text += "null";
      return arrow::Status::OK();
    case kFalse:
      *text += "false";
      return arrow::Status::OK();
    case kTrue:
      *text += "true";
      return arrow::Status::OK();
    case kString:
      return AppendString(value.bytes, text);
    case kNumber:
      return AppendNumber(value.bytes, text);
    case kContainer:
      return AppendContainer(value.bytes, depth + 1, text);
    case kExtension:
      return arrow::Status::NotImplemented("a date, a time or bytes in JSONB");
    default:
      return Malformed("a value of type ", value.type >> 28);
  }
}

arrow::Status AppendArray(ValueReader values, uint64_t count, int depth, std::string* text) {
  *text += '[';
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) *text += ',';
    ARROW_ASSIGN_OR_RAISE(const Value value, values.Next());
    ARROW_RETURN_NOT_OK(AppendValue(value, depth, text));
  }
  *text += ']';
  return arrow::Status::OK();
}

arrow::Status AppendObject(ValueReader keys, uint64_t count, int depth, std::string* text) {
  ValueReader values = keys;
  for (uint64_t i = 0; i < count; ++i) ARROW_RETURN_NOT_OK(values.Next());
  *text += '{';
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) *text += ',';
    ARROW_ASSIGN_OR_RAISE(const Value key, keys.Next());
    if (key.type != kString) return Malformed("a key of type ", key.type >> 28);
    ARROW_RETURN_NOT_OK(AppendString(key.bytes, text));
    *text += ':';
    ARROW_ASSIGN_OR_RAISE(const Value value, values.Next());
    ARROW_RETURN_NOT_OK(AppendValue(value, depth, text));
  }
  *text += '}';
  return arrow::Status::OK();
}

arrow::Status AppendContainer(std::string_view bytes, int depth, std::string* text) {
  if (depth > kMaxJsonDepth)
    return arrow::Status::NotImplemented("JSON that is nested more than ", kMaxJsonDepth, " deep");
  if (bytes.size() < kWordBytes) return Malformed("a container of ", bytes.size(), " bytes");
  const uint32_t header = WordAt(bytes, 0);
  const uint32_t kind = header & ~kCountBits;
  if (kind != kArray && kind != kObject && kind != kScalar) return Malformed("a container of kind ", header >> 29);
  const uint64_t count = kind == kScalar ? 1 : header & kCountBits;
  const uint64_t num_entries = kind == kObject ? 2 * count : count;
  if (!RangeIsInside(kWordBytes, kWordBytes * num_entries, bytes.size())) {
    return Malformed(num_entries, " entries in ", bytes.size(), " bytes");
  }
  ValueReader values(bytes, num_entries);
  if (kind == kArray) return AppendArray(values, count, depth, text);
  if (kind == kObject) return AppendObject(values, count, depth, text);
  ARROW_ASSIGN_OR_RAISE(const Value value, values.Next());
  return AppendValue(value, depth, text);
}

}  // namespace

arrow::Status AppendJsonText(std::string_view jsonb, std::string* text) {
  arrow::util::InitializeUTF8();
  if (jsonb.empty()) {
    *text += "null";
    return arrow::Status::OK();
  }
  return AppendContainer(jsonb, 1, text);
}

}  // namespace fewter::lance
