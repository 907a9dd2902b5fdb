#pragma once

#include <cstddef>
#include <string>

#include <arrow/status.h>

#include "fewter/dataset/session.h"
#include "fewter/util/trace.h"

namespace fewter {

struct SearchRequest;

/// What a session is told of a search: how long it took for the metrics, and its trace. One for each call, in scope
/// while it runs.
class SearchObserver {
 public:
  /// All of which must outlive it.
  SearchObserver(Session* session, const std::string& dataset, const SearchRequest& request, size_t num_queries);
  ~SearchObserver();

  void Ended(const arrow::Status& status);

 private:
  Session* const session_;
  const LatencyHistogram::Clock::time_point begin_ = LatencyHistogram::Clock::now();
  TraceRoot trace_;
};

}  // namespace fewter
