#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "fewter/cache/cache.h"
#include "fewter/lance/io_stats.h"
#include "fewter/util/latency.h"
#include "fewter/util/trace.h"

namespace arrow::internal {
class Executor;
}

namespace fewter {

struct SessionOptions {
  /// Where index parts are kept; null for a memory backend of kDefaultCacheBytes.
  std::shared_ptr<CacheBackend> cache = {};
  /// Where pages of remote data files are kept; null for `cache`, which they then share by what each entry's bytes are
  /// worth. One of its own gives them a budget of their own.
  std::shared_ptr<CacheBackend> data_cache = {};
  /// Runs reads that can go side by side; null for Arrow's IO pool, and lance::RemoteIoPool for remote stores. Not
  /// owned.
  arrow::internal::Executor* io_executor = nullptr;
  /// Compares rows for searches that may use several threads; null for Arrow's CPU pool. Not owned.
  arrow::internal::Executor* cpu_executor = nullptr;
  /// Told of every search, opening, take and prewarming when it has ended, on the thread that called it; see
  /// util/trace.h.
  TraceListener trace_listener = {};

  static constexpr int64_t kDefaultCacheBytes = int64_t{1} << 30;
};

/// How the searches and requests of a session's datasets went. Thread safe.
struct SessionMetrics {
  /// Of Search and SearchMany, those that failed included; each call is one.
  LatencyHistogram searches;
  std::atomic<uint64_t> search_failures{0};
  /// Vectors that were searched for.
  std::atomic<uint64_t> queries{0};
  const std::shared_ptr<lance::RequestMetrics> requests = std::make_shared<lance::RequestMetrics>();
};

/// What several datasets share: a cache and threads. Make one for a process. Thread safe.
class Session {
 public:
  static std::shared_ptr<Session> Make(SessionOptions options = {});

  const Cache& cache() const { return cache_; }
  const Cache& data_cache() const { return data_cache_; }
  arrow::internal::Executor* io_executor() const { return io_executor_; }
  /// The one that the options named, or null.
  arrow::internal::Executor* own_io_executor() const { return own_io_executor_; }
  arrow::internal::Executor* cpu_executor() const { return cpu_executor_; }
  const TraceListener& trace_listener() const { return trace_listener_; }
  /// What its datasets have done since it was made; fewter/prometheus/collector.h shows them.
  SessionMetrics& metrics() { return metrics_; }
  const SessionMetrics& metrics() const { return metrics_; }

 private:
  Session(const SessionOptions& options, arrow::internal::Executor* own_io_executor)
      : cache_(options.cache),
        data_cache_(options.data_cache),
        io_executor_(options.io_executor),
        own_io_executor_(own_io_executor),
        cpu_executor_(options.cpu_executor),
        trace_listener_(options.trace_listener) {}

  Cache cache_;
  Cache data_cache_;
  arrow::internal::Executor* io_executor_;
  arrow::internal::Executor* own_io_executor_;
  arrow::internal::Executor* cpu_executor_;
  TraceListener trace_listener_;
  SessionMetrics metrics_;
};

}  // namespace fewter
