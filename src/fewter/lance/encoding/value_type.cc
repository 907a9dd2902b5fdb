#include "fewter/lance/encoding/value_type_internal.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <arrow/type_traits.h>

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

constexpr std::string_view kFixedSizeList = "fixed_size_list:";
/// More nesting than any embedding has.
constexpr size_t kMaxDimensions = 4;
/// A vector of half a GiB; see Compression::value_bits.
constexpr uint64_t kMaxValueBits = uint64_t{1} << 32;

using arrow::TimeUnit;

/// Types whose name has no parameters.
std::shared_ptr<arrow::DataType> PlainTypeOf(std::string_view name) {
  struct Named {
    std::string_view name;
    std::shared_ptr<arrow::DataType> type;
  };
  static const std::array<Named, 29> kTypes = {{{"bool", arrow::boolean()},
                                                {"int8", arrow::int8()},
                                                {"uint8", arrow::uint8()},
                                                {"int16", arrow::int16()},
                                                {"uint16", arrow::uint16()},
                                                {"int32", arrow::int32()},
                                                {"uint32", arrow::uint32()},
                                                {"int64", arrow::int64()},
                                                {"uint64", arrow::uint64()},
                                                {"halffloat", arrow::float16()},
                                                {"float", arrow::float32()},
                                                {"double", arrow::float64()},
                                                {"null", arrow::null()},
                                                {"string", arrow::utf8()},
                                                {"binary", arrow::binary()},
                                                {"large_string", arrow::large_utf8()},
                                                {"large_binary", arrow::large_binary()},
                                                {"json", arrow::large_binary()},
                                                {"date32:day", arrow::date32()},
                                                {"date64:ms", arrow::date64()},
                                                {"time32:s", arrow::time32(TimeUnit::SECOND)},
                                                {"time32:ms", arrow::time32(TimeUnit::MILLI)},
                                                {"time64:us", arrow::time64(TimeUnit::MICRO)},
                                                {"time64:ns", arrow::time64(TimeUnit::NANO)},
                                                {"duration:s", arrow::duration(TimeUnit::SECOND)},
                                                {"duration:ms", arrow::duration(TimeUnit::MILLI)},
                                                {"duration:us", arrow::duration(TimeUnit::MICRO)},
                                                {"duration:ns", arrow::duration(TimeUnit::NANO)},
                                                {"lance.bfloat16", arrow::fixed_size_binary(2)}}};
  for (const Named& named : kTypes) {
    if (named.name == name) return named.type;
  }
  return nullptr;
}

std::vector<std::string_view> SplitAtColons(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':')) {
    parts.push_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  parts.push_back(text);
  return parts;
}

std::optional<int32_t> ParseNumber(std::string_view text) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

arrow::Status Malformed(std::string_view name) {
  return arrow::Status::Invalid("malformed type '", name, "'");
}

/// "decimal:128:<precision>:<scale>"
arrow::Result<std::shared_ptr<arrow::DataType>> ParseDecimal(std::string_view name) {
  const auto parts = SplitAtColons(name);
  if (parts.size() != 4) return Malformed(name);
  const auto precision = ParseNumber(parts[2]);
  const auto scale = ParseNumber(parts[3]);
  if (!precision || !scale) return Malformed(name);
  if (parts[1] == "128") return arrow::Decimal128Type::Make(*precision, *scale);
  if (parts[1] == "256") return arrow::Decimal256Type::Make(*precision, *scale);
  return arrow::Status::NotImplemented("the type '", name, "'");
}

/// "timestamp:<unit>:<zone, or - for none>"; a zone may have colons of its own.
arrow::Result<std::shared_ptr<arrow::DataType>> ParseTimestamp(std::string_view name) {
  const auto parts = SplitAtColons(name);
  if (parts.size() < 3) return Malformed(name);
  constexpr std::array<std::pair<std::string_view, TimeUnit::type>, 4> kUnits = {
      {{"s", TimeUnit::SECOND}, {"ms", TimeUnit::MILLI}, {"us", TimeUnit::MICRO}, {"ns", TimeUnit::NANO}}};
  for (const auto& [unit_name, unit] : kUnits) {
    if (unit_name != parts[1]) continue;
    const std::string_view zone = name.substr(parts[0].size() + parts[1].size() + 2);
    return zone == "-" ? arrow::timestamp(unit) : arrow::timestamp(unit, std::string(zone));
  }
  return Malformed(name);
}

arrow::Result<std::shared_ptr<arrow::DataType>> ParsePrimitive(std::string_view name) {
  if (auto plain = PlainTypeOf(name)) return plain;
  if (name.starts_with("decimal:")) return ParseDecimal(name);
  if (name.starts_with("timestamp:")) return ParseTimestamp(name);
  if (name.starts_with("fixed_size_binary:")) {
    const auto width = ParseNumber(name.substr(name.find(':') + 1));
    if (!width || *width <= 0) return Malformed(name);
    return arrow::fixed_size_binary(*width);
  }
  return arrow::Status::NotImplemented("the type '", name, "'");
}

/// "dict:<values>:<indices>:<ordered>". Names of values may have colons of their own.
arrow::Result<ValueType> ParseDictionary(std::string_view name) {
  const auto parts = SplitAtColons(name);
  if (parts.size() < 4) return Malformed(name);
  const std::string_view index = parts[parts.size() - 2];
  const size_t around = parts[0].size() + index.size() + parts.back().size() + 3;
  if (name.size() <= around) return Malformed(name);
  ValueType type;
  ARROW_ASSIGN_OR_RAISE(type.primitive, ParsePrimitive(name.substr(parts[0].size() + 1, name.size() - around)));
  ARROW_ASSIGN_OR_RAISE(const auto index_type, ParsePrimitive(index));
  if (!arrow::is_integer(index_type->id())) return Malformed(name);
  if (type.is_empty()) return arrow::Status::NotImplemented("the type '", name, "'");
  ARROW_ASSIGN_OR_RAISE(type.dictionary, arrow::DictionaryType::Make(index_type, type.primitive));
  return type;
}

/// The floating-point type of that many bits, or null.
std::shared_ptr<arrow::DataType> FloatOf(uint64_t bits) {
  switch (bits) {
    case 16:
      return arrow::float16();
    case 32:
      return arrow::float32();
    case 64:
      return arrow::float64();
    default:
      return nullptr;
  }
}

arrow::Result<int32_t> ParseDimension(std::string_view text) {
  const auto dimension = ParseNumber(text);
  if (dimension && *dimension > 0) return *dimension;
  return arrow::Status::Invalid("a fixed_size_list of '", text, "' items");
}

}  // namespace

bool ValueType::is_variable() const {
  for (const ValueType& member : members) {
    if (member.is_variable()) return true;
  }
  return arrow::is_base_binary_like(primitive->id());
}

bool ValueType::is_empty() const {
  return primitive->id() == arrow::Type::NA || (primitive->id() == arrow::Type::STRUCT && members.empty());
}

uint64_t ValueType::num_items() const {
  uint64_t product = 1;
  for (const int32_t dimension : dimensions) product *= static_cast<uint64_t>(dimension);
  return product;
}

uint64_t ValueType::bits() const {
  if (is_empty()) return 0;
  if (members.empty()) return num_items() * static_cast<uint64_t>(primitive->bit_width());
  uint64_t sum = 0;
  for (const ValueType& member : members) sum += member.bits();
  return sum;
}

uint64_t ValueType::bytes() const {
  if (is_empty()) return 1;
  return primitive->id() == arrow::Type::BOOL ? num_items() : bits() / 8;
}

std::shared_ptr<arrow::DataType> ValueType::ToArrow() const {
  if (dictionary != nullptr) return dictionary;
  std::shared_ptr<arrow::DataType> type = primitive;
  for (auto dimension = dimensions.rbegin(); dimension != dimensions.rend(); ++dimension) {
    type = arrow::fixed_size_list(arrow::field("item", type), *dimension);
  }
  return type;
}

arrow::Result<ValueType> ParseLogicalType(const std::string& logical_type) {
  std::string_view name = logical_type;
  if (name.starts_with("dict:")) return ParseDictionary(name);
  ValueType type;
  while (name.starts_with(kFixedSizeList)) {
    const size_t colon = name.rfind(':');
    if (colon < kFixedSizeList.size() || type.dimensions.size() == kMaxDimensions) return Malformed(logical_type);
    ARROW_ASSIGN_OR_RAISE(const int32_t dimension, ParseDimension(name.substr(colon + 1)));
    type.dimensions.push_back(dimension);
    name = name.substr(kFixedSizeList.size(), colon - kFixedSizeList.size());
  }
  auto primitive = ParsePrimitive(name);
  if (!primitive.ok()) return primitive.status();
  type.primitive = *std::move(primitive);
  if (type.dimensions.empty()) return type;
  if (!arrow::is_fixed_width(type.primitive->id())) {
    return arrow::Status::NotImplemented("the type '", logical_type, "'");
  }
  auto bits = static_cast<uint64_t>(type.primitive->bit_width());
  for (const int32_t dimension : type.dimensions) {
    if (!CheckedMultiply(bits, static_cast<uint64_t>(dimension), &bits) || bits > kMaxValueBits) {
      return arrow::Status::Invalid("the type '", logical_type, "' is too large");
    }
  }
  return type;
}

arrow::Result<ValueType> MatchPageWidth(const ValueType& type, uint64_t bits) {
  if (type.bits() == bits) return type;
  ValueType matched = type;
  const uint64_t items = type.num_items();
  matched.primitive = arrow::is_floating(type.primitive->id()) && bits % items == 0 ? FloatOf(bits / items) : nullptr;
  if (matched.primitive != nullptr) return matched;
  return arrow::Status::Invalid("values of ", bits, " bits in a column of type ", type.ToArrow()->ToString());
}

}  // namespace fewter::lance
