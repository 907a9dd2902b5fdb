#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "fewter/cache/backend.h"
#include "fewter/cache/key.h"

namespace fewter::redis {

/// An entry on its way to the server.
struct PendingEntry {
  OwnedKey key;
  CacheCodec codec;
  CacheEntry entry;
  /// What waiting costs in memory.
  int64_t bytes() const { return entry.bytes + entry.mapped_bytes; }
};

/// Entries waiting to be written, and the one task that writes them. Has no thread of its own. Thread safe.
class WriteQueue : public std::enable_shared_from_this<WriteQueue> {
 public:
  /// Writes a batch, or gives it up; ends soon after `cancelled` becomes true.
  using Writer = std::function<void(std::vector<PendingEntry> batch, const std::atomic<bool>& cancelled)>;
  struct Limits {
    int64_t bytes = 0;
    int64_t entries = 0;
    /// A batch ends when it reaches this.
    int64_t batch_bytes = 0;
  };

  WriteQueue(arrow::internal::Executor* executor, Limits limits, Writer writer);

  /// False if there is no room, or after Stop.
  bool Offer(PendingEntry entry);

  /// Waits until all that was offered has been written or given up; false if that takes longer than `longest`.
  bool Flush(std::chrono::nanoseconds longest);

  /// Forgets the waiting entries of a namespace, and waits for the batch under way.
  void Drop(const CacheNamespace& name_space, std::chrono::nanoseconds longest);

  /// Forgets what is waiting, cancels the batch under way and waits for it: the writer is not used afterwards.
  void Stop();

 private:
  void Drain();
  std::vector<PendingEntry> TakeBatch();
  /// After a fork there is neither a task nor anything that would still have to be written. Requires the lock.
  void ForgetParent();

  arrow::internal::Executor* const executor_;
  const Limits limits_;
  const Writer writer_;
  std::atomic<bool> cancelled_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  pid_t pid_;
  std::deque<PendingEntry> waiting_;
  int64_t waiting_bytes_ = 0;
  /// A task is scheduled or running.
  bool has_task_ = false;
  /// A batch is being written.
  bool writing_ = false;
};

}  // namespace fewter::redis
