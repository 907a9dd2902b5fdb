#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "fewter/dataset/dataset.h"

/// How fast an index answers, and how much of the truth it finds.

namespace fewter::cli {

using Queries = std::span<const std::vector<float>>;

struct SearchTiming {
  /// Of single searches, as a caller waits for them, in microseconds.
  double p50_us = 0;
  double p99_us = 0;
  /// Searches a second by all callers together.
  double queries_per_second = 0;
};

/// Times searches by `callers` threads at once. Each asks all queries, whole rounds of them until half a second has
/// gone by, and begins at another place of the list. `request.query` is not looked at. At least one query, at least one
/// caller. The first error of any search, if there is one.
arrow::Result<SearchTiming> TimeSearches(const Dataset& dataset, const SearchRequest& request, Queries queries,
                                         uint32_t callers);

/// The ids of the rows that are nearest to each query: sorted, `k` of them a query.
using NearestRows = std::vector<std::vector<uint64_t>>;

/// Reads row numbers [at least `queries`, at least `k`], nearest first, from a .npy file and says the ids of those rows
/// in `dataset`; rows are numbered in dataset order, deleted rows left out. An argument error, naming the file, if it
/// has too few rows or columns or names a row that does not exist.
arrow::Result<NearestRows> ReadTruth(const std::string& path, const Dataset& dataset, size_t queries, uint32_t k);

/// Asks every query once and returns which share of the rows in `truth` the answers hold; of no truth, 0.
arrow::Result<double> MeasureRecall(const Dataset& dataset, SearchRequest request, Queries queries,
                                    const NearestRows& truth);

}  // namespace fewter::cli
