#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/compute/expression.h>
#include <arrow/result.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

/// Expressions with their types, and how two types meet: as in Lance (DataFusion) wherever that has an answer.

namespace fewter {

/// A part of a condition.
struct SqlValue {
  arrow::compute::Expression expression;
  std::shared_ptr<arrow::DataType> type;
  /// Null unless it is one.
  std::shared_ptr<arrow::Scalar> literal = {};
  /// The digits of a literal number, which a decimal takes exactly.
  std::string digits = {};
};

SqlValue Literal(std::shared_ptr<arrow::Scalar> scalar);
/// NULL, of no type yet.
SqlValue NullLiteral();

/// A call, whose type Arrow says. An argument error if there is no such function for the arguments' types.
arrow::Result<SqlValue> Call(const std::string& function, const std::vector<SqlValue>& arguments,
                             std::shared_ptr<arrow::compute::FunctionOptions> options = {});

/// Numbers lose digits where they must, and never wrap around. A literal is converted now, so that the error is the
/// caller's.
arrow::Result<SqlValue> Cast(const SqlValue& value, const std::shared_ptr<arrow::DataType>& type);

/// The literal as a value of another type, if it is one: a number that fits, a text that can be read as one.
std::optional<SqlValue> CoerceLiteral(const SqlValue& literal, const std::shared_ptr<arrow::DataType>& type);

/// Both as values of one type, for a comparison.
arrow::Status Unify(SqlValue* left, SqlValue* right);
/// The same for arithmetic, where literals have types of their own.
arrow::Status UnifyNumbers(SqlValue* left, SqlValue* right);

/// `=`, `<>`, `<`, `<=`, `>` or `>=`. As in Lance, NaN equals NaN and is greater than all else.
arrow::Result<SqlValue> Compare(const std::string& comparison, SqlValue left, SqlValue right);

/// `+`, `-`, `*`, `/` or `%`, of numbers. Those of integers truncate and wrap around; to divide by the integer 0 is an
/// error.
arrow::Result<SqlValue> Calculate(char operation, SqlValue left, SqlValue right);

/// NOT; an argument error for what is not a boolean.
arrow::Result<SqlValue> Not(const SqlValue& value);
/// All, or any, of several; a balanced tree, since who walks it uses the stack.
arrow::Result<SqlValue> Junction(bool all, std::vector<SqlValue> values);

}  // namespace fewter
