#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/dataset/dataset.h"

namespace fewter::python {

/// Those of the columns that are the dataset's: what SearchRequest::columns has to be for RowsOf.
std::vector<std::string> DatasetColumns(const std::vector<std::string>& columns);

/// What searches found as one batch, a row each, in the order of the queries. The columns as named: `query_index`
/// (int32, from 0), `_distance` (float32), `_rowid` (uint64), and those of the dataset, which are read for all rows at
/// once.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(const Dataset& dataset,
                                                          const std::vector<SearchResult>& results,
                                                          const std::vector<std::string>& columns);

}  // namespace fewter::python
