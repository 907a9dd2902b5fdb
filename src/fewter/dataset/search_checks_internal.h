#pragma once

#include <vector>

#include <arrow/status.h>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/vector_column.h"

/// What may be asked of a search. What may not is an argument error (util/argument_error.h).

namespace fewter {

/// The request's numbers, which need no dataset to be checked.
arrow::Status CheckNumbers(const SearchRequest& request);

/// Whether a query can be compared with the vectors of the request's column.
arrow::Status CheckQuery(const SearchRequest& request, const std::vector<float>& query, const VectorColumn& column);

}  // namespace fewter
