#pragma once

#include <functional>
#include <string>
#include <vector>

#include <arrow/compute/expression.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/type.h>

namespace fewter {

/// Makes the functions of Arrow's compute library known, once a process. They take about 2 ms, which who filters
/// nothing need not spend.
arrow::Status EnsureComputeFunctions();

/// The names on the way to what a reference means in a table: a column's, then those of fields of structs. KeyError if
/// there is nothing, an argument error if there are several.
arrow::Result<std::vector<std::string>> NamesOf(const arrow::FieldRef& reference, const arrow::Schema& table);

/// The opposite.
arrow::FieldRef ReferenceOf(const std::vector<std::string>& names);

/// The expression with what `replace` makes of each reference in its place; the first error that it gives, if any.
using ReplaceReference = std::function<arrow::Result<arrow::compute::Expression>(const arrow::FieldRef&)>;
arrow::Result<arrow::compute::Expression> ReplaceReferences(const arrow::compute::Expression& expression,
                                                            const ReplaceReference& replace);

/// The expression with every reference by name, where it may be by place. Errors as of NamesOf.
arrow::Result<arrow::compute::Expression> WithNames(const arrow::compute::Expression& expression,
                                                    const arrow::Schema& table);

}  // namespace fewter
