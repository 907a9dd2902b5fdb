#include "fewter/filter/sql_arithmetic.h"

#include <memory>
#include <utility>

#include "fewter/filter/common_type.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

const char* FunctionOf(char operation, bool of_decimals) {
  switch (operation) {
    case '+':
      return of_decimals ? kDecimalAdd : "add";
    case '-':
      return of_decimals ? kDecimalSubtract : "subtract";
    case '*':
      return of_decimals ? kDecimalMultiply : "multiply";
    case '/':
      return of_decimals ? kDecimalDivide : "divide";
    default:
      return of_decimals ? kDecimalRemainder : "remainder";
  }
}

/// With the digits that its type has.
arrow::Result<SqlValue> LongDecimal(const SqlValue& value) {
  const auto type = arrow::is_decimal(value.type->id()) ? value.type : DecimalOf(*value.type);
  const auto& decimal = static_cast<const arrow::DecimalType&>(*type);
  return Cast(value, arrow::decimal256(decimal.precision(), decimal.scale()));
}

}  // namespace

arrow::Result<SqlValue> Calculate(char operation, SqlValue left, SqlValue right) {
  for (SqlValue* value : {&left, &right}) {
    if (value->type->id() == arrow::Type::NA) *value = Literal(arrow::MakeNullScalar(arrow::int64()));
    if (!IsNumber(*value->type)) return ArgumentError("arithmetic with ", value->type->ToString());
  }
  auto common = CommonNumber(left.type, right.type);
  const bool has_float = left.type->id() == arrow::Type::FLOAT || right.type->id() == arrow::Type::FLOAT;
  const bool has_decimal = arrow::is_decimal(left.type->id()) || arrow::is_decimal(right.type->id());
  if (has_float && has_decimal) common = arrow::float32();
  const bool of_decimals = arrow::is_decimal(common->id());
  for (SqlValue* value : {&left, &right}) {
    ARROW_ASSIGN_OR_RAISE(*value, of_decimals ? LongDecimal(*value) : Cast(*value, common));
  }
  return Call(FunctionOf(operation, of_decimals), {left, right});
}

}  // namespace fewter
