#include "fewter/filter/sql_compare.h"

#include <algorithm>
#include <utility>

#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/util/decimal.h>

#include "fewter/filter/common_type.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using Types = std::shared_ptr<arrow::DataType>;
using Result = arrow::Result<SqlValue>;

/// Types whose values a literal text is read as.
bool IsReadFromText(const arrow::DataType& type) {
  return IsNumber(type) || type.id() == Type::BOOL || arrow::is_temporal(type.id());
}

arrow::Status NotComparable(const SqlValue& left, const SqlValue& right) {
  for (const auto& [text, other] : {std::pair{&right, &left}, {&left, &right}}) {
    if (text->literal == nullptr || !IsText(*text->type) || !IsReadFromText(*other->type) || other->is_match) continue;
    if (CoerceLiteral(*text, other->type)) continue;
    return ArgumentError("'", text->literal->ToString(), "' is no ", other->type->ToString());
  }
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

std::optional<SqlValue> CoerceToDecimal(const SqlValue& literal, const Types& type) {
  const auto exact = DecimalLiteral(literal.digits);
  if (exact == nullptr) return std::nullopt;
  const auto fitting = arrow::compute::Cast(arrow::Datum(exact), arrow::compute::CastOptions::Safe(type));
  // Of more digits than the column has: it is compared as it is.
  return Literal(fitting.ok() ? fitting->scalar() : exact);
}

/// Whether a fraction beside an expression of float32 makes doubles of both, where beside a column it becomes one of
/// float32.
bool MakesDoubles(const SqlValue& literal, const SqlValue& other) {
  return literal.type->id() == Type::DOUBLE && other.type->id() == Type::FLOAT && !other.takes_literals;
}

bool IsZero(const SqlValue& value) {
  if (value.literal == nullptr || !value.literal->is_valid) return false;
  if (value.type->id() == Type::FLOAT) return static_cast<const arrow::FloatScalar&>(*value.literal).value == 0;
  return static_cast<const arrow::DoubleScalar&>(*value.literal).value == 0;
}

/// The places of two floats in the total order.
arrow::Status Order(SqlValue* left, SqlValue* right) {
  if (IsZero(*left) || IsZero(*right)) {
    // Zeros are equal then: that with a sign plus one without it has none.
    for (SqlValue* value : {left, right}) {
      ARROW_ASSIGN_OR_RAISE(const auto zero, Cast(Literal(arrow::MakeScalar(0.0)), value->type));
      ARROW_ASSIGN_OR_RAISE(*value, Call("add", {*value, zero}));
    }
  }
  for (SqlValue* value : {left, right}) {
    const bool is_constant = arrow::compute::FieldsInExpression(value->expression).empty();
    ARROW_ASSIGN_OR_RAISE(*value, Call(kTotalOrder, {*value}));
    if (is_constant) {
      ARROW_ASSIGN_OR_RAISE(*value, Fold(*value));
    }
  }
  return arrow::Status::OK();
}

}  // namespace

std::optional<SqlValue> CoerceLiteral(const SqlValue& literal, const Types& type) {
  if (literal.type->Equals(*type)) return literal;
  if (!literal.literal->is_valid) return Literal(arrow::MakeNullScalar(type));
  const bool from_text = IsText(*literal.type);
  if (IsNumber(*literal.type)) {
    // A number is no text, date or boolean, and a fraction no integer.
    if (!IsNumber(*type) || (IsFloat(*literal.type) && arrow::is_integer(type->id()))) return std::nullopt;
    if (arrow::is_decimal(type->id())) return CoerceToDecimal(literal, type);
  } else if ((!from_text && type->id() != Type::FIXED_SIZE_BINARY && CommonType(literal.type, type) == nullptr) ||
             (from_text && IsList(*type)) || (arrow::is_date(type->id()) && literal.type->id() == Type::TIMESTAMP)) {
    return std::nullopt;
  }
  auto converted = Cast(literal, type);
  if (!converted.ok()) return std::nullopt;
  return *std::move(converted);
}

arrow::Status Unify(SqlValue* left, SqlValue* right) {
  for (const auto& [literal, other] : {std::pair{right, left}, {left, right}}) {
    if (literal->literal == nullptr || other->type->id() == Type::NA) continue;
    if (MakesDoubles(*literal, *other)) break;
    if (auto coerced = CoerceLiteral(*literal, other->type)) *literal = *std::move(coerced);
    break;
  }
  const Types common = CommonType(left->type, right->type);
  if (common == nullptr) return NotComparable(*left, *right);
  ARROW_ASSIGN_OR_RAISE(*left, Cast(*left, common));
  return Cast(*right, common).Value(right);
}

Result Compare(const std::string& comparison, SqlValue left, SqlValue right) {
  ARROW_RETURN_NOT_OK(Unify(&left, &right));
  if (arrow::is_nested(left.type->id()) || left.is_match || right.is_match) return NotComparable(left, right);
  if (IsFloat(*left.type)) ARROW_RETURN_NOT_OK(Order(&left, &right));
  return Call(comparison == "="    ? "equal"
              : comparison == "<>" ? "not_equal"
              : comparison == "<"  ? "less"
              : comparison == "<=" ? "less_equal"
              : comparison == ">"  ? "greater"
                                   : "greater_equal",
              {left, right});
}

Result IsSame(const SqlValue& left, const SqlValue& right) {
  ARROW_ASSIGN_OR_RAISE(const auto equal, Compare("=", left, right));
  ARROW_ASSIGN_OR_RAISE(const auto no_left, Call("is_null", {left}));
  ARROW_ASSIGN_OR_RAISE(const auto no_right, Call("is_null", {right}));
  ARROW_ASSIGN_OR_RAISE(const auto neither, Junction(true, {no_left, no_right}));
  return Coalesce({equal, neither});
}

Result Coalesce(std::vector<SqlValue> values) {
  for (size_t i = 1; i < values.size(); ++i) ARROW_RETURN_NOT_OK(Unify(&values[0], &values[i]));
  for (size_t i = 1; i < values.size(); ++i) ARROW_RETURN_NOT_OK(Unify(&values[0], &values[i]));
  return Call("coalesce", values);
}

}  // namespace fewter
