#include "fewter/filter/sql_value.h"

#include <utility>

#include <arrow/array/builder_base.h>
#include <arrow/compute/api_scalar.h>
#include <arrow/compute/cast.h>
#include <arrow/compute/exec.h>
#include <arrow/datum.h>

#include "fewter/filter/common_type.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using Types = std::shared_ptr<arrow::DataType>;
using Result = arrow::Result<SqlValue>;

Result CutTo(const SqlValue& value, const Types& type) {
  auto options = std::make_shared<arrow::compute::CastOptions>(arrow::compute::CastOptions::Safe(type));
  options->allow_float_truncate = true;
  options->allow_time_truncate = true;
  options->allow_decimal_truncate = true;
  return Call("cast", {value}, std::move(options));
}

Result RoundedTo(const SqlValue& decimal, const Types& type) {
  const auto& from = static_cast<const arrow::DecimalType&>(*decimal.type);
  const auto& to = static_cast<const arrow::DecimalType&>(*type);
  if (from.scale() <= to.scale()) return CutTo(decimal, type);
  // A digit more, which rounding up may take.
  const int32_t precision = std::min(from.precision() + 1, arrow::Decimal256Type::kMaxPrecision);
  ARROW_ASSIGN_OR_RAISE(const auto wider, CutTo(decimal, arrow::decimal256(precision, from.scale())));
  ARROW_ASSIGN_OR_RAISE(const auto rounded, Call("round", {wider},
                                                 std::make_shared<arrow::compute::RoundOptions>(
                                                     to.scale(), arrow::compute::RoundMode::HALF_TOWARDS_INFINITY)));
  return CutTo(rounded, type);
}

bool HasZone(const arrow::DataType& type) {
  return type.id() == Type::TIMESTAMP && !static_cast<const arrow::TimestampType&>(type).timezone().empty();
}

Result TextOf(const SqlValue& value, const Types& type) {
  if (HasZone(*value.type)) {
    ARROW_ASSIGN_OR_RAISE(const auto local, Call("local_timestamp", {value}));
    ARROW_ASSIGN_OR_RAISE(const auto text, Call(kZonedTextOf, {value, local}));
    return CutTo(text, type);
  }
  const bool is_like_arrows = value.type->id() == Type::NA || value.type->id() == Type::BOOL ||
                              value.type->id() == Type::DATE32 || arrow::is_integer(value.type->id()) ||
                              arrow::is_binary_like(value.type->id()) || arrow::is_large_binary_like(value.type->id());
  if (is_like_arrows) return CutTo(value, type);
  const auto text = Call(kTextOf, {value});
  if (!text.ok()) return ArgumentError("a ", value.type->ToString(), " has no text");
  return CutTo(*text, type);
}

/// A text with a zone is one in UTC.
Result InstantOfText(const SqlValue& text, const Types& naive) {
  auto plain = CutTo(text, naive);
  if (text.literal == nullptr || (plain.ok() && Fold(*plain).ok())) return plain;
  const auto unit = static_cast<const arrow::TimestampType&>(*naive).unit();
  ARROW_ASSIGN_OR_RAISE(const auto zoned, CutTo(text, arrow::timestamp(unit, "UTC")));
  return Fold(zoned).ok() ? CutTo(zoned, naive) : plain;
}

Result InstantOf(const SqlValue& value, const Types& type) {
  if (HasZone(*value.type)) return CutTo(value, type);
  const auto& timestamp = static_cast<const arrow::TimestampType&>(*type);
  const Types naive = arrow::timestamp(timestamp.unit());
  ARROW_ASSIGN_OR_RAISE(const auto instant, IsText(*value.type) ? InstantOfText(value, naive) : CutTo(value, naive));
  if (timestamp.timezone().empty()) return instant;
  // A date begins in UTC, as in Lance.
  if (arrow::is_date(value.type->id())) return CutTo(instant, type);
  using Options = arrow::compute::AssumeTimezoneOptions;
  return Call(
      "assume_timezone", {instant},
      std::make_shared<Options>(timestamp.timezone(), Options::AMBIGUOUS_EARLIEST, Options::NONEXISTENT_EARLIEST));
}

Result Converted(const SqlValue& value, const Types& type) {
  if (value.type->id() == Type::DICTIONARY) return CutTo(value, type);
  if (IsText(*type) && !IsText(*value.type)) return TextOf(value, type);
  if (type->id() == Type::TIMESTAMP) return InstantOf(value, type);
  if (arrow::is_decimal(type->id()) && arrow::is_decimal(value.type->id())) return RoundedTo(value, type);
  return CutTo(value, type);
}

}  // namespace

SqlValue Literal(std::shared_ptr<arrow::Scalar> scalar) {
  auto type = scalar->type;
  return {arrow::compute::literal(scalar), std::move(type), std::move(scalar)};
}

SqlValue NullLiteral() {
  return Literal(std::make_shared<arrow::NullScalar>());
}

Result ListLiteral(std::vector<SqlValue> elements) {
  Types type = arrow::null();
  for (const SqlValue& element : elements) {
    if (element.literal == nullptr || arrow::is_nested(element.type->id())) {
      return ArgumentError("the elements of a list must be literals");
    }
    Types common = CommonType(type, element.type);
    if (common == nullptr) return ArgumentError("a list of ", type->ToString(), " and ", element.type->ToString());
    type = std::move(common);
  }
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
  for (const SqlValue& element : elements) {
    ARROW_ASSIGN_OR_RAISE(const auto same, Cast(element, type));
    ARROW_RETURN_NOT_OK(same.literal->is_valid ? builder->AppendScalar(*same.literal) : builder->AppendNull());
  }
  ARROW_ASSIGN_OR_RAISE(auto values, builder->Finish());
  SqlValue list = Literal(std::make_shared<arrow::ListScalar>(std::move(values)));
  list.elements = std::move(elements);
  return list;
}

Result Call(const std::string& function, const std::vector<SqlValue>& arguments,
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

Result Fold(const SqlValue& constant) {
  if (constant.literal != nullptr) return constant;
  const auto none = arrow::schema({});
  const auto bound = constant.expression.Bind(*none);
  if (!bound.ok()) return ArgumentError(bound.status().message());
  const auto value = arrow::compute::ExecuteScalarExpression(*bound, arrow::compute::ExecBatch({}, 1));
  if (!value.ok()) return ArgumentError(value.status().message());
  if (value->is_scalar()) return Literal(value->scalar());
  ARROW_ASSIGN_OR_RAISE(auto only, value->make_array()->GetScalar(0));
  return Literal(std::move(only));
}

Result Cast(const SqlValue& value, const Types& type) {
  if (value.type->Equals(*type)) return value;
  if (value.literal != nullptr && !value.literal->is_valid) return Literal(arrow::MakeNullScalar(type));
  ARROW_ASSIGN_OR_RAISE(auto converted, Converted(value, type));
  return value.literal != nullptr ? Fold(converted) : converted;
}

Result Condition(SqlValue value, const std::string& where) {
  if (value.is_match) return Call("is_valid", {value});
  if (value.type->id() == Type::NA) return Literal(arrow::MakeNullScalar(arrow::boolean()));
  if (value.type->id() != Type::BOOL) return ArgumentError(where, value.type->ToString());
  return value;
}

Result Not(const SqlValue& value) {
  ARROW_ASSIGN_OR_RAISE(const auto condition, Condition(value, "NOT of "));
  return Call("invert", {condition});
}

Result Junction(bool all, std::vector<SqlValue> values) {
  for (SqlValue& value : values) {
    ARROW_ASSIGN_OR_RAISE(value, Condition(std::move(value), all ? "AND of " : "OR of "));
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
