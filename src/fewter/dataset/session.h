#pragma once

#include <cstdint>
#include <memory>

#include "fewter/cache/cache.h"

namespace arrow::internal {
class Executor;
}

namespace fewter {

struct SessionOptions {
  /// Where index parts are kept; null for a memory backend of kDefaultCacheBytes.
  std::shared_ptr<CacheBackend> cache = {};
  /// Runs reads that can go side by side; null for Arrow's IO pool, and lance::RemoteIoPool for remote stores. Not
  /// owned.
  arrow::internal::Executor* io_executor = nullptr;
  /// Compares rows for searches that may use several threads; null for Arrow's CPU pool. Not owned.
  arrow::internal::Executor* cpu_executor = nullptr;

  static constexpr int64_t kDefaultCacheBytes = int64_t{1} << 30;
};

/// What several datasets share: a cache and threads. Make one for a process. Thread safe.
class Session {
 public:
  static std::shared_ptr<Session> Make(SessionOptions options = {});

  const Cache& cache() const { return cache_; }
  arrow::internal::Executor* io_executor() const { return io_executor_; }
  /// The one that the options named, or null.
  arrow::internal::Executor* own_io_executor() const { return own_io_executor_; }
  arrow::internal::Executor* cpu_executor() const { return cpu_executor_; }

 private:
  Session(const SessionOptions& options, arrow::internal::Executor* own_io_executor)
      : cache_(options.cache),
        io_executor_(options.io_executor),
        own_io_executor_(own_io_executor),
        cpu_executor_(options.cpu_executor) {}

  Cache cache_;
  arrow::internal::Executor* io_executor_;
  arrow::internal::Executor* own_io_executor_;
  arrow::internal::Executor* cpu_executor_;
};

}  // namespace fewter
