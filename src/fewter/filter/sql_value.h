#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/compute/expression.h>
#include <arrow/result.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

/// Expressions with their types.

namespace fewter {

/// A part of a condition.
struct SqlValue {
  arrow::compute::Expression expression;
  std::shared_ptr<arrow::DataType> type;
  /// Null unless it is one.
  std::shared_ptr<arrow::Scalar> literal = {};
  /// The digits of a literal number, which a decimal takes exactly.
  std::string digits = {};
  /// The elements of a literal list.
  std::vector<SqlValue> elements = {};
  /// Of a column, or a field of a struct: its name and those on the way to it.
  std::vector<std::string> path = {};
  /// A column that literals beside it are read as values of: one that is compared, and not within a NOT or a call.
  bool takes_literals = false;
  /// Null where there is nothing: as a condition it is true if there is something (regexp_match).
  bool is_match = false;
};

SqlValue Literal(std::shared_ptr<arrow::Scalar> scalar);
/// NULL, of no type yet.
SqlValue NullLiteral();
/// A literal list, whose elements must be literals that have a type in common. An argument error otherwise.
arrow::Result<SqlValue> ListLiteral(std::vector<SqlValue> elements);

/// A call, whose type Arrow says. An argument error if there is no such function for the arguments' types.
arrow::Result<SqlValue> Call(const std::string& function, const std::vector<SqlValue>& arguments,
                             std::shared_ptr<arrow::compute::FunctionOptions> options = {});

/// What an expression that names no column is for every row. An argument error if it has no value.
arrow::Result<SqlValue> Fold(const SqlValue& constant);

/// Numbers lose digits where they must (decimals are rounded, all else is cut), and never wrap around. Times without a
/// zone are taken to be of the type's; text is written as Lance does. A literal is converted now, so that the error is
/// the caller's.
arrow::Result<SqlValue> Cast(const SqlValue& value, const std::shared_ptr<arrow::DataType>& type);

/// NOT; an argument error for what is not a boolean.
arrow::Result<SqlValue> Not(const SqlValue& value);
/// All, or any, of several; a balanced tree, since who walks it uses the stack.
arrow::Result<SqlValue> Junction(bool all, std::vector<SqlValue> values);
/// A value as the condition that it is; an argument error, beginning with `where`, for what is none.
arrow::Result<SqlValue> Condition(SqlValue value, const std::string& where);

}  // namespace fewter
