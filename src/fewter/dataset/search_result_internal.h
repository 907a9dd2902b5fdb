#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/vector/top_k.h"

/// How a search's result is put together.

namespace fewter {

/// The k nearest, in order.
std::vector<Neighbor> NearestOf(std::vector<Neighbor> rows, uint32_t k);

/// `columns`, with the rows' distances put where `names` has SearchResult::kDistance; the others of the names are what
/// `columns` holds, in that order.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithDistances(std::shared_ptr<arrow::RecordBatch> columns,
                                                                 const std::vector<std::string>& names,
                                                                 std::span<const Neighbor> rows);

}  // namespace fewter
