#include "fewter/filter/common_type.h"

#include <algorithm>
#include <string>

#include <arrow/util/decimal.h>

namespace fewter {

namespace {

using arrow::Type;
using Types = std::shared_ptr<arrow::DataType>;

bool IsInstant(const arrow::DataType& type) {
  return arrow::is_date(type.id()) || type.id() == Type::TIMESTAMP;
}

/// A decimal that holds what both hold, as far as there is one.
Types WiderDecimal(const arrow::DataType& a, const arrow::DataType& b) {
  const auto& left = static_cast<const arrow::DecimalType&>(a);
  const auto& right = static_cast<const arrow::DecimalType&>(b);
  const int32_t scale = std::max(left.scale(), right.scale());
  const int32_t whole = std::max(left.precision() - left.scale(), right.precision() - right.scale());
  const bool is_long = left.id() == Type::DECIMAL256 || right.id() == Type::DECIMAL256;
  if (is_long || whole + scale > arrow::Decimal128Type::kMaxPrecision) {
    return arrow::decimal256(std::min(whole + scale, arrow::Decimal256Type::kMaxPrecision), scale);
  }
  return arrow::decimal128(whole + scale, scale);
}

/// A type that holds the values of two integer types.
Types WiderInteger(const Types& a, const Types& b) {
  const int a_bits = arrow::bit_width(a->id()), b_bits = arrow::bit_width(b->id());
  const bool a_signed = arrow::is_signed_integer(a->id()), b_signed = arrow::is_signed_integer(b->id());
  if (a_signed == b_signed) return a_bits >= b_bits ? a : b;
  const int unsigned_bits = a_signed ? b_bits : a_bits, signed_bits = a_signed ? a_bits : b_bits;
  if (signed_bits > unsigned_bits) return a_signed ? a : b;
  switch (unsigned_bits) {
    case 8:
      return arrow::int16();
    case 16:
      return arrow::int32();
    case 32:
      return arrow::int64();
    default:
      return arrow::decimal128(20, 0);
  }
}

arrow::TimeUnit::type UnitOf(const arrow::DataType& type) {
  if (type.id() == Type::TIMESTAMP) return static_cast<const arrow::TimestampType&>(type).unit();
  return type.id() == Type::DATE64 ? arrow::TimeUnit::MILLI : arrow::TimeUnit::SECOND;
}

/// Timestamps meet in the coarser unit. A time without a zone is one of the other's zone.
Types CommonInstant(const Types& a, const Types& b) {
  std::string zone;
  for (const auto& type : {a, b}) {
    if (type->id() == Type::TIMESTAMP && zone.empty())
      zone = static_cast<const arrow::TimestampType&>(*type).timezone();
  }
  const bool are_timestamps = a->id() == Type::TIMESTAMP && b->id() == Type::TIMESTAMP;
  const auto unit = are_timestamps ? std::min(UnitOf(*a), UnitOf(*b)) : std::max(UnitOf(*a), UnitOf(*b));
  return arrow::timestamp(unit, zone);
}

}  // namespace

bool IsFloat(const arrow::DataType& type) {
  return arrow::is_floating(type.id());
}
bool IsNumber(const arrow::DataType& type) {
  return arrow::is_numeric(type.id()) || arrow::is_decimal(type.id());
}
bool IsText(const arrow::DataType& type) {
  return arrow::is_string(type.id());
}
bool IsBytes(const arrow::DataType& type) {
  return arrow::is_base_binary_like(type.id());
}
bool IsList(const arrow::DataType& type) {
  return arrow::is_list_like(type.id()) && type.id() != Type::MAP;
}

Types DecimalOf(const arrow::DataType& integer) {
  switch (arrow::bit_width(integer.id())) {
    case 8:
      return arrow::decimal128(3, 0);
    case 16:
      return arrow::decimal128(5, 0);
    case 32:
      return arrow::decimal128(10, 0);
    default:
      return arrow::decimal128(20, 0);
  }
}

Types CommonNumber(const Types& a, const Types& b) {
  if (IsFloat(*a) || IsFloat(*b)) {
    const bool has_double = a->id() == Type::DOUBLE || b->id() == Type::DOUBLE;
    const bool has_decimal = arrow::is_decimal(a->id()) || arrow::is_decimal(b->id());
    return has_double || has_decimal ? arrow::float64() : arrow::float32();
  }
  if (!arrow::is_decimal(a->id()) && !arrow::is_decimal(b->id())) return WiderInteger(a, b);
  const Types left = arrow::is_decimal(a->id()) ? a : DecimalOf(*a);
  const Types right = arrow::is_decimal(b->id()) ? b : DecimalOf(*b);
  return WiderDecimal(*left, *right);
}

Types CommonType(const Types& a, const Types& b) {
  if (a->Equals(*b)) return a;
  if (a->id() == Type::NA) return b;
  if (b->id() == Type::NA) return a;
  if (IsNumber(*a) && IsNumber(*b)) return CommonNumber(a, b);
  if (IsText(*a) && IsText(*b)) return arrow::large_utf8();
  if (IsBytes(*a) && IsBytes(*b)) return arrow::large_binary();
  const bool a_fixed = a->id() == Type::FIXED_SIZE_BINARY, b_fixed = b->id() == Type::FIXED_SIZE_BINARY;
  if ((a_fixed && (b_fixed || IsBytes(*b))) || (b_fixed && IsBytes(*a))) return arrow::large_binary();
  if (IsInstant(*a) && IsInstant(*b)) return CommonInstant(a, b);
  if (arrow::is_time(a->id()) && arrow::is_time(b->id())) return arrow::time64(arrow::TimeUnit::NANO);
  return nullptr;
}

}  // namespace fewter
