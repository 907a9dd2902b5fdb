#pragma once

#include <memory>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/filter/filter.h"

/// Filters in Substrait. A library of its own, fewter::substrait: what it needs of Arrow takes a process 3 ms to load.

namespace fewter {

/// A filter made of an ExtendedExpression message with one expression, such as pyarrow writes it:
/// `expression.to_substrait(schema)`. It means what the same Arrow expression does (MakeFilter); columns are found by
/// the names that the message gives them. Copies what it needs. An argument error for anything else.
arrow::Result<std::shared_ptr<const Filter>> ReadSubstraitFilter(const arrow::Buffer& message);

}  // namespace fewter
