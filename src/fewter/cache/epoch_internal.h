#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

/// Epoch-based reclamation (K. Fraser, "Practical lock-freedom", 2004): readers follow pointers without a lock, and who
/// takes something out of their reach frees it once every reader that may have seen it is gone.
///
/// A reader holds an EpochGuard while it uses what it found. A writer makes an object unreachable, calls
/// RetiredEpoch(), and frees the object when OldestReader() is later than that. Pointers that readers follow are loaded
/// and stored with sequential consistency.
///
/// A reader's announcement and its first load must not change places. The fence for that would be a good part of what a
/// look-up costs, and writers are few; so where the kernel can have every running thread of the process pass a fence
/// (membarrier, Linux 4.14), OldestReader asks for that, and readers go without.

namespace fewter::internal {

/// What a thread announces; on a cache line of its own. Records are handed from threads that end to threads that begin,
/// and never freed.
struct alignas(64) ReaderRecord {
  /// The epoch in which the thread began to read; 0 while it does not.
  std::atomic<uint64_t> epoch{0};
  std::atomic<bool> taken{true};
  /// Never changes.
  size_t number = 0;
  ReaderRecord* next = nullptr;
};

/// The calling thread's, once it has one. A plain pointer, so that it can still be read while thread-local objects are
/// being destroyed; and near at hand, since every hit reads it.
extern constinit thread_local ReaderRecord* thread_record [[gnu::tls_model("initial-exec")]];
ReaderRecord* TakeThreadRecord();

inline ReaderRecord& ThisThread() {
  ReaderRecord* const record = thread_record;
  return *(record != nullptr ? record : TakeThreadRecord());
}

/// A small number that no other living thread has; numbers of threads that have ended are given out again.
inline size_t ThreadNumber() {
  return ThisThread().number;
}

extern constinit std::atomic<uint64_t> current_epoch;
/// Set before any thread reads, if it ever is.
extern constinit std::atomic<bool> writers_fence_readers;

/// Marks its thread as reading. Costs one store to memory of the thread's own. Not nested, and short: what is retired
/// meanwhile stays.
class EpochGuard {
 public:
  EpochGuard() : record_(ThisThread()) {
    const uint64_t epoch = current_epoch.load(std::memory_order_acquire);
    if (writers_fence_readers.load(std::memory_order_relaxed)) [[likely]] {
      record_.epoch.store(epoch, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      record_.epoch.store(epoch, std::memory_order_seq_cst);
    }
  }
  ~EpochGuard() { record_.epoch.store(0, std::memory_order_release); }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

  /// ThreadNumber().
  size_t thread() const { return record_.number; }

 private:
  ReaderRecord& record_;
};

/// Begins a new epoch, and returns the one that readers of what was just made unreachable may belong to.
uint64_t RetiredEpoch();

/// The epoch of the reader that began first; later than every retired one if nobody reads. Costs a microsecond or more.
uint64_t OldestReader();

}  // namespace fewter::internal
