#include "fewter/lance/io_stats.h"

#include <algorithm>
#include <utility>

#include "fewter/util/caller_limit.h"

namespace fewter::lance {

std::string_view ToString(IoKind kind) {
  switch (kind) {
    case IoKind::kManifest:
      return "manifest";
    case IoKind::kIndex:
      return "index";
    case IoKind::kData:
      return "data";
  }
  return "unknown";
}

IoCount& IoCount::operator+=(const IoCount& other) {
  requests += other.requests;
  bytes += other.bytes;
  return *this;
}

IoCount IoStats::total() const {
  IoCount sum;
  for (const IoCount& count : by_kind) sum += count;
  return sum;
}

IoStats IoStats::operator-(const IoStats& other) const {
  IoStats difference;
  for (size_t i = 0; i < by_kind.size(); ++i) difference.by_kind[i] = by_kind[i] - other.by_kind[i];
  difference.retries = retries - other.retries;
  difference.rounds = rounds - other.rounds;
  difference.seconds = seconds - other.seconds;
  return difference;
}

void RequestMetrics::Observe(const IoEvent& event) {
  Cell& cell = cells_[static_cast<size_t>(event.kind)];
  cell.latency.Record(event.end - event.begin);
  cell.bytes.fetch_add(event.bytes, std::memory_order_relaxed);
  if (event.attempt > 1) cell.retries.fetch_add(1, std::memory_order_relaxed);
  if (!event.status.ok()) cell.failures.fetch_add(1, std::memory_order_relaxed);
}

RequestCounts RequestMetrics::Snapshot(IoKind kind) const {
  const Cell& cell = cells_[static_cast<size_t>(kind)];
  return {.latency = cell.latency.Snapshot(),
          .bytes = cell.bytes.load(std::memory_order_relaxed),
          .retries = cell.retries.load(std::memory_order_relaxed),
          .failures = cell.failures.load(std::memory_order_relaxed)};
}

IoCounter::Ticket IoCounter::Begin() {
  std::lock_guard lock(mutex_);
  if (under_way_++ == 0) busy_since_ = IoEvent::Clock::now();
  const uint64_t round = answered_round_ + 1;
  last_round_ = std::max(last_round_, round);
  return {round};
}

void IoCounter::End(const Ticket& ticket, const IoEvent& event) {
  Cell& cell = cells_[static_cast<size_t>(event.kind)];
  cell.requests.fetch_add(1, std::memory_order_relaxed);
  cell.bytes.fetch_add(event.bytes, std::memory_order_relaxed);
  if (event.attempt > 1) retries_.fetch_add(1, std::memory_order_relaxed);
  std::shared_ptr<RequestMetrics> metrics;
  {
    std::lock_guard lock(mutex_);
    answered_round_ = std::max(answered_round_, ticket.round);
    if (--under_way_ == 0) busy_ += IoEvent::Clock::now() - busy_since_;
    metrics = metrics_;
  }
  if (metrics != nullptr) metrics->Observe(event);
}

void IoCounter::ObserveBy(std::shared_ptr<RequestMetrics> metrics) {
  std::lock_guard lock(mutex_);
  metrics_ = std::move(metrics);
}

IoStats IoCounter::Snapshot() const {
  IoStats stats;
  for (size_t i = 0; i < cells_.size(); ++i) {
    stats.by_kind[i] = {cells_[i].requests.load(std::memory_order_relaxed),
                        cells_[i].bytes.load(std::memory_order_relaxed)};
  }
  stats.retries = retries_.load(std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  stats.rounds = last_round_;
  auto busy = busy_;
  if (under_way_ > 0) busy += IoEvent::Clock::now() - busy_since_;
  stats.seconds = std::chrono::duration<double>(busy).count();
  return stats;
}

arrow::Status IoQuery::Check() const {
  if (const arrow::Status stopped = limits_.stop_token.Poll(); !stopped.ok()) return CallerLimit(stopped);
  if (IoEvent::Clock::now() < limits_.deadline) return arrow::Status::OK();
  return CallerLimit(arrow::Status::IOError("the query's time is over"));
}

}  // namespace fewter::lance
