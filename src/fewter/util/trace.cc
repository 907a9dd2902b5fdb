#include "fewter/util/trace.h"

namespace fewter {

TracedSpan::TracedSpan(std::string_view name, Log* log, std::optional<size_t> parent) : log_(log) {
  if (log_ == nullptr) return;
  {
    const std::lock_guard lock(log_->mutex);
    place_ = log_->spans.size();
    log_->spans.push_back({.name = name, .parent = parent, .begin = Span::Clock::now()});
  }
  scope_.emplace(WorkContext::kSpan, this);
}

void TracedSpan::Set(std::string_view name, Span::Value value) {
  if (log_ == nullptr) return;
  const std::lock_guard lock(log_->mutex);
  log_->spans[place_].attributes.emplace_back(name, std::move(value));
}

void TracedSpan::SetStatus(const arrow::Status& status) {
  if (log_ == nullptr) return;
  const std::lock_guard lock(log_->mutex);
  log_->spans[place_].status = status;
}

void TracedSpan::End() {
  if (log_ == nullptr) return;
  {
    const std::lock_guard lock(log_->mutex);
    log_->spans[place_].end = Span::Clock::now();
  }
  scope_.reset();
  log_ = nullptr;
}

TraceRoot::TraceRoot(std::string_view name, const TraceListener& listener)
    : listener_(listener), span_(name, listener_ ? &log_.emplace() : nullptr) {}

TraceRoot::~TraceRoot() {
  span_.End();
  if (log_) listener_(log_->spans);
}

}  // namespace fewter
