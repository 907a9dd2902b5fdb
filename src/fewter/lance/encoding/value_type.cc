#include "fewter/lance/encoding/value_type_internal.h"

#include <array>
#include <charconv>
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

std::shared_ptr<arrow::DataType> PrimitiveOf(std::string_view name) {
  struct Named {
    std::string_view name;
    std::shared_ptr<arrow::DataType> type;
  };
  static const std::array<Named, 12> kPrimitives = {{{"bool", arrow::boolean()},
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
                                                     {"double", arrow::float64()}}};
  for (const Named& primitive : kPrimitives) {
    if (primitive.name == name) return primitive.type;
  }
  return nullptr;
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
  int32_t dimension = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dimension);
  if (error != std::errc() || end != text.data() + text.size() || dimension <= 0) {
    return arrow::Status::Invalid("a fixed_size_list of '", text, "' items");
  }
  return dimension;
}

}  // namespace

uint64_t ValueType::num_items() const {
  uint64_t product = 1;
  for (const int32_t dimension : dimensions) product *= static_cast<uint64_t>(dimension);
  return product;
}

uint64_t ValueType::bits() const {
  return num_items() * static_cast<uint64_t>(primitive->bit_width());
}

uint64_t ValueType::bytes() const {
  return primitive->id() == arrow::Type::BOOL ? 1 : bits() / 8;
}

std::shared_ptr<arrow::DataType> ValueType::ToArrow() const {
  std::shared_ptr<arrow::DataType> type = primitive;
  for (auto dimension = dimensions.rbegin(); dimension != dimensions.rend(); ++dimension) {
    type = arrow::fixed_size_list(arrow::field("item", type), *dimension);
  }
  return type;
}

arrow::Result<ValueType> ParseLogicalType(const std::string& logical_type) {
  ValueType type;
  std::string_view name = logical_type;
  while (name.starts_with(kFixedSizeList)) {
    const size_t colon = name.rfind(':');
    if (colon < kFixedSizeList.size() || type.dimensions.size() == kMaxDimensions) {
      return arrow::Status::Invalid("malformed type '", logical_type, "'");
    }
    ARROW_ASSIGN_OR_RAISE(const int32_t dimension, ParseDimension(name.substr(colon + 1)));
    type.dimensions.push_back(dimension);
    name = name.substr(kFixedSizeList.size(), colon - kFixedSizeList.size());
  }
  type.primitive = PrimitiveOf(name);
  if (type.primitive == nullptr || (type.primitive->id() == arrow::Type::BOOL && !type.dimensions.empty())) {
    return arrow::Status::NotImplemented("the type '", logical_type, "'");
  }
  uint64_t bits = static_cast<uint64_t>(type.primitive->bit_width());
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
