#pragma once

#include <string>
#include <vector>

#include <arrow/status.h>

#include "fewter/dataset/dataset.h"

namespace fewter::cli {

/// A key error for a column that a dataset does not have, which says what there is or may have been meant. The columns
/// that every dataset has (_rowid and the like) are let pass.
arrow::Status CheckColumns(const Dataset& dataset, const std::vector<std::string>& columns);

/// The same of a vector index; "" is any.
arrow::Status CheckIndex(const Dataset& dataset, const std::string& index);

}  // namespace fewter::cli
