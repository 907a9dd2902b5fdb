#include "fewter/filter/sql_value.h"

#include <algorithm>
#include <utility>

#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/util/decimal.h>

#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using Types = std::shared_ptr<arrow::DataType>;

arrow::compute::CastOptions LossyCast(const Types& type) {
  auto options = arrow::compute::CastOptions::Safe(type);
  options.allow_float_truncate = true;
  options.allow_time_truncate = true;
  options.allow_decimal_truncate = true;
  return options;
}

bool IsFloat(const arrow::DataType& type) {
  return arrow::is_floating(type.id());
}
bool IsNumber(const arrow::DataType& type) {
  return arrow::is_numeric(type.id()) || arrow::is_decimal(type.id());
}
bool IsText(const arrow::DataType& type) {
  return arrow::is_string(type.id());
}
/// Of any length.
bool IsBytes(const arrow::DataType& type) {
  return arrow::is_base_binary_like(type.id());
}
bool IsInstant(const arrow::DataType& type) {
  return arrow::is_date(type.id()) || type.id() == Type::TIMESTAMP;
}

/// A decimal that holds every value of an integer type.
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

arrow::TimeUnit::type UnitOf(const arrow::DataType& type) {
  if (type.id() == Type::TIMESTAMP) return static_cast<const arrow::TimestampType&>(type).unit();
  return type.id() == Type::DATE64 ? arrow::TimeUnit::MILLI : arrow::TimeUnit::SECOND;
}

/// The type in which values of two types are compared; null if there is none.
Types CommonType(const Types& a, const Types& b) {
  if (a->Equals(*b)) return a;
  if (a->id() == Type::NA) return b;
  if (b->id() == Type::NA) return a;
  if (IsNumber(*a) && IsNumber(*b)) return CommonNumber(a, b);
  if (IsText(*a) && IsText(*b)) return arrow::large_utf8();
  if (IsBytes(*a) && IsBytes(*b)) return arrow::large_binary();
  const bool a_fixed = a->id() == Type::FIXED_SIZE_BINARY, b_fixed = b->id() == Type::FIXED_SIZE_BINARY;
  if ((a_fixed && (b_fixed || IsBytes(*b))) || (b_fixed && IsBytes(*a))) return arrow::large_binary();
  if (IsInstant(*a) && IsInstant(*b)) {
    std::string zone;
    for (const auto& type : {a, b}) {
      if (type->id() == Type::TIMESTAMP && zone.empty()) {
        zone = static_cast<const arrow::TimestampType&>(*type).timezone();
      }
    }
    return arrow::timestamp(std::max(UnitOf(*a), UnitOf(*b)), zone);
  }
  if (arrow::is_time(a->id()) && arrow::is_time(b->id())) return arrow::time64(arrow::TimeUnit::NANO);
  return nullptr;
}

arrow::Status CastTo(const Types& type, SqlValue* value) {
  if (value->type->Equals(*type)) return arrow::Status::OK();
  return Cast(*value, type).Value(value);
}

arrow::Status NotComparable(const SqlValue& left, const SqlValue& right) {
  return ArgumentError(left.type->ToString(), " and ", right.type->ToString(), " are not comparable");
}

/// The digits as a decimal with room for all of them; null if they are not plain.
std::shared_ptr<arrow::Scalar> DecimalLiteral(const std::string& digits) {
  arrow::Decimal256 value;
  int32_t precision = 0, scale = 0;
  if (!arrow::Decimal256::FromString(digits, &value, &precision, &scale).ok() || scale < 0) return nullptr;
  const auto type = arrow::Decimal256Type::Make(std::max({precision, scale, 1}), scale);
  return type.ok() ? std::make_shared<arrow::Decimal256Scalar>(value, *type) : nullptr;
}

/// Without a zone, as Lance takes them: of a column with a zone, it is UTC.
arrow::Result<arrow::Datum> InstantOf(const arrow::Scalar& literal, const Types& type) {
  const auto without_zone = arrow::timestamp(static_cast<const arrow::TimestampType&>(*type).unit());
  ARROW_ASSIGN_OR_RAISE(const auto naive,
                        arrow::compute::Cast(arrow::Datum(literal.GetSharedPtr()), LossyCast(without_zone)));
  return arrow::Datum(std::make_shared<arrow::TimestampScalar>(naive.scalar_as<arrow::TimestampScalar>().value, type));
}

arrow::Result<arrow::Datum> CastLiteral(const arrow::Scalar& literal, const Types& type) {
  if (type->id() == Type::TIMESTAMP && !static_cast<const arrow::TimestampType&>(*type).timezone().empty()) {
    auto naive = InstantOf(literal, type);
    if (naive.ok()) return naive;
  }
  return arrow::compute::Cast(arrow::Datum(literal.GetSharedPtr()), LossyCast(type));
}

/// IEEE's outcome of `=`, `>` or `>=`, or what Lance says of NaN. That of a literal, which is never NaN, is not asked.
arrow::Result<SqlValue> OrForNaN(const std::string& comparison, SqlValue compared, const SqlValue& left,
                                 const SqlValue& right) {
  if (left.literal != nullptr || (comparison == "=" && right.literal != nullptr)) return compared;
  ARROW_ASSIGN_OR_RAISE(auto also, Call("is_nan", {left}));
  if (right.literal == nullptr) {
    // Null if the right side is, also where it is not looked at.
    ARROW_ASSIGN_OR_RAISE(auto other, Call(comparison == ">=" ? "true_unless_null" : "is_nan", {right}));
    if (comparison == ">") {
      ARROW_ASSIGN_OR_RAISE(other, Not(other));
    }
    ARROW_ASSIGN_OR_RAISE(also, Call("and", {also, other}));
  }
  return Junction(false, {std::move(compared), std::move(also)});
}

}  // namespace

SqlValue Literal(std::shared_ptr<arrow::Scalar> scalar) {
  auto type = scalar->type;
  return {arrow::compute::literal(scalar), std::move(type), std::move(scalar)};
}

SqlValue NullLiteral() {
  return Literal(std::make_shared<arrow::NullScalar>());
}

arrow::Result<SqlValue> Call(const std::string& function, const std::vector<SqlValue>& arguments,
                             std::shared_ptr<arrow::compute::FunctionOptions> options) {
  arrow::FieldVector fields;
  std::vector<arrow::compute::Expression> references, expressions;
  for (size_t i = 0; i < arguments.size(); ++i) {
    fields.push_back(arrow::field(std::to_string(i), arguments[i].type));
    references.push_back(arrow::compute::field_ref(static_cast<int>(i)));
    expressions.push_back(arguments[i].expression);
  }
  // Of the call alone, lest a tree be looked through again at every level.
  const auto bound = arrow::compute::call(function, std::move(references), options).Bind(*arrow::schema(fields));
  if (!bound.ok()) return ArgumentError(bound.status().message());
  return SqlValue{arrow::compute::call(function, std::move(expressions), std::move(options)),
                  bound->type()->GetSharedPtr()};
}

arrow::Result<SqlValue> Cast(const SqlValue& value, const Types& type) {
  if (value.literal == nullptr) {
    return Call("cast", {value}, std::make_shared<arrow::compute::CastOptions>(LossyCast(type)));
  }
  if (!value.literal->is_valid) return Literal(arrow::MakeNullScalar(type));
  const auto converted = CastLiteral(*value.literal, type);
  if (!converted.ok()) return ArgumentError(converted.status().message());
  return Literal(converted->scalar());
}

std::optional<SqlValue> CoerceLiteral(const SqlValue& literal, const Types& type) {
  if (literal.type->Equals(*type)) return literal;
  if (!literal.literal->is_valid) return Literal(arrow::MakeNullScalar(type));
  const bool from_text = IsText(*literal.type);
  if (IsNumber(*literal.type)) {
    // A number is no text, date or boolean, and a fraction no integer.
    if (!IsNumber(*type) || (IsFloat(*literal.type) && arrow::is_integer(type->id()))) return std::nullopt;
    if (arrow::is_decimal(type->id())) {
      const auto exact = DecimalLiteral(literal.digits);
      if (exact == nullptr) return std::nullopt;
      const auto fitting = arrow::compute::Cast(arrow::Datum(exact), arrow::compute::CastOptions::Safe(type));
      // Of more digits than the column has: it is compared as it is.
      return Literal(fitting.ok() ? fitting->scalar() : exact);
    }
  } else if ((!from_text && type->id() != Type::FIXED_SIZE_BINARY && CommonType(literal.type, type) == nullptr) ||
             (arrow::is_date(type->id()) && literal.type->id() == Type::TIMESTAMP)) {
    return std::nullopt;
  }
  auto converted = Cast(literal, type);
  if (!converted.ok()) return std::nullopt;
  return *std::move(converted);
}

arrow::Status Unify(SqlValue* left, SqlValue* right) {
  for (const auto& [literal, other] : {std::pair{right, left}, {left, right}}) {
    if (literal->literal == nullptr || other->type->id() == Type::NA) continue;
    if (auto coerced = CoerceLiteral(*literal, other->type)) *literal = *std::move(coerced);
    break;
  }
  const Types common = CommonType(left->type, right->type);
  if (common == nullptr) return NotComparable(*left, *right);
  ARROW_RETURN_NOT_OK(CastTo(common, left));
  return CastTo(common, right);
}

arrow::Status UnifyNumbers(SqlValue* left, SqlValue* right) {
  for (SqlValue* value : {left, right}) {
    if (value->type->id() == Type::NA) *value = Literal(arrow::MakeNullScalar(arrow::int64()));
    if (!IsNumber(*value->type)) return ArgumentError("arithmetic with ", value->type->ToString());
  }
  const Types common = CommonNumber(left->type, right->type);
  ARROW_RETURN_NOT_OK(CastTo(common, left));
  return CastTo(common, right);
}

arrow::Result<SqlValue> Compare(const std::string& comparison, SqlValue left, SqlValue right) {
  ARROW_RETURN_NOT_OK(Unify(&left, &right));
  if (arrow::is_nested(left.type->id())) return NotComparable(left, right);
  if (comparison == "<" || comparison == "<=") {
    return Compare(comparison == "<" ? ">" : ">=", std::move(right), std::move(left));
  }
  if (comparison == "<>") {
    ARROW_ASSIGN_OR_RAISE(const auto equal, Compare("=", std::move(left), std::move(right)));
    return Not(equal);
  }
  ARROW_ASSIGN_OR_RAISE(auto compared, Call(comparison == "="   ? "equal"
                                            : comparison == ">" ? "greater"
                                                                : "greater_equal",
                                            {left, right}));
  if (!IsFloat(*left.type)) return compared;
  return OrForNaN(comparison, std::move(compared), left, right);
}

arrow::Result<SqlValue> Calculate(char operation, SqlValue left, SqlValue right) {
  ARROW_RETURN_NOT_OK(UnifyNumbers(&left, &right));
  switch (operation) {
    case '+':
      return Call("add", {left, right});
    case '-':
      return Call("subtract", {left, right});
    case '*':
      return Call("multiply", {left, right});
    case '/':
      return Call("divide", {left, right});
    default:
      return Call("remainder", {left, right});
  }
}

arrow::Result<SqlValue> Not(const SqlValue& value) {
  if (value.type->id() == Type::NA) return Literal(arrow::MakeNullScalar(arrow::boolean()));
  if (value.type->id() != Type::BOOL) return ArgumentError("NOT of ", value.type->ToString());
  return Call("invert", {value});
}

arrow::Result<SqlValue> Junction(bool all, std::vector<SqlValue> values) {
  for (SqlValue& value : values) {
    if (value.type->id() == Type::NA) value = Literal(arrow::MakeNullScalar(arrow::boolean()));
    if (value.type->id() != Type::BOOL) return ArgumentError(all ? "AND" : "OR", " of ", value.type->ToString());
  }
  while (values.size() > 1) {
    std::vector<SqlValue> joined;
    for (size_t i = 0; i + 1 < values.size(); i += 2) {
      ARROW_ASSIGN_OR_RAISE(joined.emplace_back(), Call(all ? "and_kleene" : "or_kleene", {values[i], values[i + 1]}));
    }
    if (values.size() % 2 != 0) joined.push_back(std::move(values.back()));
    values = std::move(joined);
  }
  return std::move(values.front());
}

}  // namespace fewter
