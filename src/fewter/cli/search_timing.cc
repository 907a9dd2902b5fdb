#include "fewter/cli/search_timing.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "fewter/cli/npy.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

/// The least time that a setting is measured for.
constexpr std::chrono::milliseconds kLeastTime{500};

/// What one thread saw.
struct Caller {
  arrow::Status status;
  std::vector<double> microseconds;
  double seconds = 0;

  void Run(const Dataset& dataset, SearchRequest request, Queries queries, size_t first_query) {
    const auto start = Clock::now();
    auto now = start;
    do {
      for (size_t i = 0; i < queries.size(); ++i) {
        request.query = queries[(first_query + i) % queries.size()];
        const auto asked = Clock::now();
        status = dataset.Search(request).status();
        now = Clock::now();
        if (!status.ok()) return;
        microseconds.push_back(Microseconds(now - asked).count());
      }
    } while (now - start < kLeastTime);
    seconds = std::chrono::duration<double>(now - start).count();
  }
};

/// Of at least one value; the least one that `share` of all do not exceed.
double Quantile(const std::vector<double>& sorted, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

}  // namespace

arrow::Result<SearchTiming> TimeSearches(const Dataset& dataset, const SearchRequest& request, Queries queries,
                                         uint32_t callers) {
  std::vector<Caller> seen(callers);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < callers; ++i) {
      threads.emplace_back([&, i] { seen[i].Run(dataset, request, queries, i * queries.size() / callers); });
    }
  }
  SearchTiming timing;
  std::vector<double> all;
  for (const Caller& caller : seen) {
    ARROW_RETURN_NOT_OK(caller.status);
    all.insert(all.end(), caller.microseconds.begin(), caller.microseconds.end());
    // Rates are added up, since the callers do not end at the same time.
    timing.queries_per_second += static_cast<double>(caller.microseconds.size()) / caller.seconds;
  }
  std::sort(all.begin(), all.end());
  timing.p50_us = Quantile(all, 0.5);
  timing.p99_us = Quantile(all, 0.99);
  return timing;
}

arrow::Result<NearestRows> ReadTruth(const std::string& path, const Dataset& dataset, size_t queries, uint32_t k) {
  ARROW_ASSIGN_OR_RAISE(const WholeNumbers numbers, ReadWholeNumbers(path));
  if (numbers.rows < queries || numbers.columns < k) {
    return ArgumentError(path, ": ", numbers.rows, " x ", numbers.columns, " row numbers; there are ", queries,
                         " queries, and ", k, " rows are asked for");
  }
  ARROW_ASSIGN_OR_RAISE(const auto ids, dataset.RowIds());
  NearestRows truth(queries);
  for (size_t query = 0; query < queries; ++query) {
    for (uint32_t i = 0; i < k; ++i) {
      const uint64_t row = numbers.At(query, i);
      if (row >= ids.size()) return ArgumentError(path, ": row ", row, " of a dataset of ", ids.size(), " rows");
      truth[query].push_back(ids[row]);
    }
    std::sort(truth[query].begin(), truth[query].end());
  }
  return truth;
}

arrow::Result<double> MeasureRecall(const Dataset& dataset, SearchRequest request, Queries queries,
                                    const NearestRows& truth) {
  size_t found = 0;
  for (size_t query = 0; query < queries.size(); ++query) {
    request.query = queries[query];
    ARROW_ASSIGN_OR_RAISE(const SearchResult result, dataset.Search(request));
    if (truth.empty()) continue;
    for (const Neighbor& row : result.rows) {
      found += std::binary_search(truth[query].begin(), truth[query].end(), row.row_id) ? 1 : 0;
    }
  }
  return static_cast<double>(found) / static_cast<double>(queries.size() * request.k);
}

}  // namespace fewter::cli
