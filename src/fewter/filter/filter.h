#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <arrow/compute/expression.h>
#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace fewter {

/// Which rows of a table to take: what stands after WHERE. A row is taken if it is true for it, not if it is false or
/// null. Knows of no table; names of columns are looked up when it is used. Immutable, thread safe.
class Filter {
 public:
  virtual ~Filter() = default;

  /// What it says of the rows of a table, as an expression that is not bound and refers to columns by name. KeyError,
  /// naming it, for a column that `table` does not have; an argument error (util/argument_error.h) if what it says has
  /// no meaning for the columns' types.
  virtual arrow::Result<arrow::compute::Expression> Resolve(const arrow::Schema& table) const = 0;

  /// The same for two filters only if both say the same.
  const std::string& identity() const { return identity_; }

 protected:
  explicit Filter(std::string identity) : identity_(std::move(identity)) {}

 private:
  const std::string identity_;
};

/// An expression over columns, by name or by place. It is evaluated as Arrow C++ does that: comparisons follow IEEE
/// 754, and calls of functions without a checked variant wrap around. Invalid for one that cannot be serialised, such
/// as one with a literal that is a table.
arrow::Result<std::shared_ptr<const Filter>> MakeFilter(arrow::compute::Expression expression);

/// A condition in SQL, by pylance's rules for names and literals (docs/filters.md). An argument error, naming the
/// place, for what is not SQL; what is SQL and not supported is refused when the filter is used.
arrow::Result<std::shared_ptr<const Filter>> ParseFilter(std::string_view condition);

}  // namespace fewter
