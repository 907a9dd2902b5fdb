#pragma once

#include <memory>
#include <string>

#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/filter/filter.h"

namespace fewter {

/// A filter over the rows of one table. Immutable, thread safe.
class BoundFilter {
 public:
  /// Errors as Filter::Resolve; an argument error if the filter is neither true nor false for a row.
  static arrow::Result<BoundFilter> Make(const Filter& filter, const arrow::Schema& table);

  /// The columns that it names, in the table's order; maybe none.
  const std::shared_ptr<arrow::Schema>& columns() const { return columns_; }
  /// What it says, in bytes that depend on nothing else.
  const std::string& canonical_bytes() const { return canonical_bytes_; }

  /// For each row of a batch of columns(), one bit: whether it is taken. Little-endian, the bits beyond the last row
  /// are 0. An argument error for a row that it has no value for, as after a division by zero.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Evaluate(const arrow::RecordBatch& rows) const;

 private:
  BoundFilter(std::shared_ptr<arrow::Schema> columns, arrow::compute::Expression expression,
              std::string canonical_bytes)
      : columns_(std::move(columns)),
        expression_(std::move(expression)),
        canonical_bytes_(std::move(canonical_bytes)) {}

  std::shared_ptr<arrow::Schema> columns_;
  /// Bound to the columns.
  arrow::compute::Expression expression_;
  std::string canonical_bytes_;
};

}  // namespace fewter
