#include "fewter/dataset/search_observer.h"

#include "fewter/dataset/dataset.h"

namespace fewter {

SearchObserver::SearchObserver(Session* session, const std::string& dataset, const SearchRequest& request,
                               size_t num_queries)
    : session_(session), trace_("fewter.search", session->trace_listener()) {
  session_->metrics().queries.fetch_add(num_queries, std::memory_order_relaxed);
  TracedSpan& span = trace_.span();
  if (!span.is_traced()) return;
  span.Set("fewter.dataset", dataset);
  span.Set("fewter.column", request.column);
  span.Set("fewter.queries", static_cast<int64_t>(num_queries));
  span.Set("fewter.k", int64_t{request.k});
  span.Set("fewter.nprobes", int64_t{request.nprobes});
}

SearchObserver::~SearchObserver() {
  session_->metrics().searches.Record(LatencyHistogram::Clock::now() - begin_);
}

void SearchObserver::Ended(const arrow::Status& status) {
  if (!status.ok()) session_->metrics().search_failures.fetch_add(1, std::memory_order_relaxed);
  trace_.span().SetStatus(status);
}

}  // namespace fewter
