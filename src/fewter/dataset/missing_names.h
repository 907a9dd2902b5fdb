#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <arrow/status.h>

#include "fewter/lance/field.h"

namespace fewter {

/// A key error: a table with these fields has no such column. Says which one may have been meant, or which there are.
arrow::Status NoSuchColumn(const std::vector<lance::Field>& fields, std::string_view column);

/// The same of an index: `owner` ("column 'vector'", "the dataset") has no vector index of that name, but `names`.
arrow::Status NoSuchIndex(std::string_view owner, std::string_view index, const std::vector<std::string>& names);

}  // namespace fewter
