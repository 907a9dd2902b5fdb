#include <cstdint>
#include <optional>

#include "fewter/substrait/decimals_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

/// Of Type and of Expression.Literal, which are the only messages with a field of that number; and within what stands
/// there.
constexpr uint64_t kDecimal = 24;
constexpr uint64_t kPrecision = 2;
constexpr uint64_t kMostPrecision = 38;
/// Beyond the nesting that protobuf's own parser takes.
constexpr int kMostLevels = 128;

struct WireField {
  uint64_t number = 0;
  /// 0 for a varint, 2 for bytes; see the encoding of protocol buffers.
  uint64_t kind = 0;
  uint64_t value = 0;
  std::string_view bytes = {};
};

/// The fields of a message, one by one; without its schema, bytes may be a message, a text or packed numbers.
class WireReader {
 public:
  explicit WireReader(std::string_view rest) : rest_(rest) {}

  bool at_end() const { return rest_.empty(); }

  /// Nothing if the bytes are no message.
  std::optional<WireField> Next() {
    const auto tag = Varint();
    if (!tag || *tag >> 3 == 0) return std::nullopt;
    WireField field{.number = *tag >> 3, .kind = *tag & 7};
    switch (field.kind) {
      case 0: {
        const auto value = Varint();
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
      }
      case 1:
        return Bytes(8) ? std::optional(field) : std::nullopt;
      case 5:
        return Bytes(4) ? std::optional(field) : std::nullopt;
      case 2: {
        const auto length = Varint();
        const auto bytes = length ? Bytes(*length) : std::nullopt;
        if (!bytes) return std::nullopt;
        field.bytes = *bytes;
        return field;
      }
      case 3:
      case 4:
        // Begin and end of a group, whose fields are looked at like all others.
        return field;
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<uint64_t> Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> Bytes(uint64_t length) {
    if (length > rest_.size()) return std::nullopt;
    const auto bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return bytes;
  }

  std::string_view rest_;
};

bool IsMessage(std::string_view bytes) {
  WireReader reader(bytes);
  while (!reader.at_end()) {
    if (!reader.Next()) return false;
  }
  return true;
}

/// As protobuf reads it: the last one counts, and none is 0.
uint64_t PrecisionOf(std::string_view decimal) {
  uint64_t precision = 0;
  WireReader reader(decimal);
  while (!reader.at_end()) {
    const auto field = reader.Next();
    if (field && field->number == kPrecision && field->kind == 0) precision = field->value;
  }
  return precision;
}

arrow::Status Check(std::string_view message, int level) {
  if (level > kMostLevels || !IsMessage(message)) return arrow::Status::OK();
  WireReader reader(message);
  while (!reader.at_end()) {
    const auto field = reader.Next();
    if (!field || field->kind != 2) continue;
    if (field->number == kDecimal && IsMessage(field->bytes)) {
      const uint64_t precision = PrecisionOf(field->bytes);
      if (precision == 0 || precision > kMostPrecision) {
        return ArgumentError("a filter in Substrait: a decimal of precision ", precision);
      }
    }
    ARROW_RETURN_NOT_OK(Check(field->bytes, level + 1));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status CheckDecimals(std::string_view message) {
  return Check(message, 0);
}

}  // namespace fewter
