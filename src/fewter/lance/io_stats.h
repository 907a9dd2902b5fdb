#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <arrow/status.h>
#include <arrow/util/cancel.h>

#include "fewter/util/latency.h"
#include "fewter/util/work_context.h"

/// What reading a dataset's files costs: counted for each store, and for each query under way.

namespace fewter::lance {

/// What a file is to a dataset; requests and bytes are counted by it. Deletion files and row ids are kManifest, as what
/// else describes a version.
enum class IoKind : uint8_t { kManifest = 0, kIndex = 1, kData = 2 };
inline constexpr int kIoKinds = 3;
std::string_view ToString(IoKind kind);

/// A half-open range of bytes of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t end() const { return offset + length; }
  bool operator==(const ByteRange&) const = default;
};

struct IoCount {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  IoCount operator-(const IoCount& other) const { return {requests - other.requests, bytes - other.bytes}; }
  IoCount& operator+=(const IoCount& other);
  bool operator==(const IoCount&) const = default;
};

/// A snapshot of the counters; subtract two to see what happened between them.
struct IoStats {
  std::array<IoCount, kIoKinds> by_kind;
  /// Of the requests, those that repeated one that had failed.
  uint64_t retries = 0;
  /// The longest chain of requests of which each was sent when the one before had been answered: how often someone
  /// waited for a round trip.
  uint64_t rounds = 0;
  /// How long at least one request was under way, in seconds.
  double seconds = 0;

  const IoCount& operator[](IoKind kind) const { return by_kind[static_cast<size_t>(kind)]; }
  IoCount total() const;
  IoStats operator-(const IoStats& other) const;
};

/// One request, when it has been answered or has failed.
struct IoEvent {
  using Clock = std::chrono::steady_clock;

  IoKind kind = IoKind::kManifest;
  /// "read", "list", "size" or, of stores that are asked for that, "open".
  std::string_view what = {};
  /// Relative to the store's root. Refers to the caller's memory.
  std::string_view path = {};
  /// Of a read.
  ByteRange range = {};
  uint64_t bytes = 0;
  /// Its place in the chain; see IoStats::rounds. From 1.
  uint64_t round = 0;
  /// 1, or more if it repeats one that failed.
  uint32_t attempt = 1;
  Clock::time_point begin = {};
  Clock::time_point end = {};
  arrow::Status status = {};
};

/// Told of every request of a store, from the thread that made it.
using IoTracer = std::function<void(const IoEvent&)>;

/// What all requests of one kind cost, those of every store of a session together.
struct RequestCounts {
  LatencyCounts latency;
  uint64_t bytes = 0;
  uint64_t retries = 0;
  uint64_t failures = 0;
};

/// Adds up requests for metrics. Thread safe.
class RequestMetrics {
 public:
  void Observe(const IoEvent& event);
  RequestCounts Snapshot(IoKind kind) const;

 private:
  struct Cell {
    LatencyHistogram latency;
    std::atomic<uint64_t> bytes{0};
    std::atomic<uint64_t> retries{0};
    std::atomic<uint64_t> failures{0};
  };
  std::array<Cell, kIoKinds> cells_;
};

/// Counts requests. Thread safe.
class IoCounter {
 public:
  /// A request that is under way.
  struct Ticket {
    uint64_t round = 0;
  };
  Ticket Begin();
  void End(const Ticket& ticket, const IoEvent& event);
  IoStats Snapshot() const;
  /// Has every request observed by `metrics`, too, in place of those that were named before.
  void ObserveBy(std::shared_ptr<RequestMetrics> metrics);

 private:
  struct Cell {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> bytes{0};
  };
  std::array<Cell, kIoKinds> cells_;
  std::atomic<uint64_t> retries_{0};

  mutable std::mutex mutex_;
  uint64_t under_way_ = 0;
  /// Of those that have been answered, and of all.
  uint64_t answered_round_ = 0;
  uint64_t last_round_ = 0;
  IoEvent::Clock::time_point busy_since_;
  IoEvent::Clock::duration busy_{};
  /// May be null.
  std::shared_ptr<RequestMetrics> metrics_;
};

/// A query under way: while one is in scope on a thread, what the thread reads is counted for it, too, and stops when
/// the query's time is over or it is cancelled. Passed on to threads that help (WorkContext). Thread safe.
///
///     IoQuery query({.deadline = IoEvent::Clock::now() + 2s});
///     IoQuery::Scope scope(&query);
class IoQuery {
 public:
  struct Limits {
    /// No request is sent after it. One that has been sent is waited for, as long as the store's own limits allow.
    IoEvent::Clock::time_point deadline = IoEvent::Clock::time_point::max();
    arrow::StopToken stop_token = arrow::StopToken::Unstoppable();
  };

  IoQuery() = default;
  explicit IoQuery(Limits limits) : limits_(std::move(limits)) {}

  class Scope {
   public:
    explicit Scope(IoQuery* query) : scope_(WorkContext::kIoQuery, query) {}

   private:
    WorkContext::Scope scope_;
  };

  /// The one in scope on this thread, or null.
  static IoQuery* Current() { return static_cast<IoQuery*>(WorkContext::Get(WorkContext::kIoQuery)); }

  IoCounter& counter() { return counter_; }
  const Limits& limits() const { return limits_; }
  /// Cancelled, or IOError if the deadline has passed; either is a CallerLimit.
  arrow::Status Check() const;

 private:
  Limits limits_;
  IoCounter counter_;
};

}  // namespace fewter::lance
