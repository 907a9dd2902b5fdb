#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>

#include "fewter/cache/epoch_internal.h"

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define FEWTER_HAS_TSAN 1
#elif defined(__has_feature)
#define FEWTER_HAS_TSAN __has_feature(thread_sanitizer)
#else
#define FEWTER_HAS_TSAN 0
#endif

namespace fewter::internal {

constinit thread_local ReaderRecord* thread_record [[gnu::tls_model("initial-exec")]] = nullptr;
constinit std::atomic<uint64_t> current_epoch{1};
constinit std::atomic<bool> writers_fence_readers{false};

namespace {

constinit std::atomic<ReaderRecord*> all_records{nullptr};

// ThreadSanitizer does not know what membarrier does.
#if defined(__linux__) && !FEWTER_HAS_TSAN
bool MemoryBarrier(int command) {
  return syscall(SYS_membarrier, command, 0, 0) == 0;
}
bool CanFenceReaders() {
  return MemoryBarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}
bool FenceReaders() {
  return MemoryBarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
#else
bool CanFenceReaders() {
  return false;
}
bool FenceReaders() {
  return false;
}
#endif

// Until this has run, readers use a fence of their own.
[[maybe_unused]] const bool asked = [] {
  writers_fence_readers = CanFenceReaders();
  return true;
}();

ReaderRecord* TakeRecord() {
  for (ReaderRecord* record = all_records.load(std::memory_order_acquire); record != nullptr; record = record->next) {
    bool taken = false;
    if (record->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return record;
  }
  static std::atomic<size_t> next_number{0};
  auto* record = new ReaderRecord;
  record->number = next_number.fetch_add(1, std::memory_order_relaxed);
  record->next = all_records.load(std::memory_order_relaxed);
  while (!all_records.compare_exchange_weak(record->next, record, std::memory_order_acq_rel)) {
  }
  return record;
}

/// Gives the record back when the thread ends, after its thread-local objects are gone. Should a later destructor of
/// another key look something up, the thread takes a record again, and this is called again.
void GiveBack(void* record) {
  thread_record = nullptr;
  static_cast<ReaderRecord*>(record)->taken.store(false, std::memory_order_release);
}

/// A forked child has the records of its parent's threads, but none of them: nobody would ever end their epochs.
void ForgetOtherThreads() {
  for (ReaderRecord* record = all_records.load(); record != nullptr; record = record->next) {
    if (record == thread_record) continue;
    record->epoch = 0;
    record->taken = false;
  }
}

pthread_key_t MakeKey() {
  pthread_key_t key{};
  if (pthread_key_create(&key, GiveBack) != 0) std::abort();
  pthread_atfork(nullptr, nullptr, ForgetOtherThreads);
  return key;
}

}  // namespace

ReaderRecord* TakeThreadRecord() {
  static const pthread_key_t key = MakeKey();
  thread_record = TakeRecord();
  pthread_setspecific(key, thread_record);
  return thread_record;
}

uint64_t RetiredEpoch() {
  return current_epoch.fetch_add(1, std::memory_order_seq_cst);
}

namespace {

int64_t SteadyNanoseconds() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

bool ReadersAreFenced() {
  static std::atomic<int64_t> on_their_own_since{0};
  if (writers_fence_readers) {
    if (FenceReaders() || (CanFenceReaders() && FenceReaders())) return true;
    // The kernel does not do it any more. From now on readers fence themselves; until those who have just begun without
    // a fence can be seen, everybody may be reading.
    on_their_own_since = SteadyNanoseconds();
    writers_fence_readers = false;
  }
  constexpr int64_t kPatience = 100'000'000;
  return on_their_own_since == 0 || SteadyNanoseconds() - on_their_own_since > kPatience;
}

}  // namespace

uint64_t OldestReader() {
  if (!ReadersAreFenced()) return 0;
  uint64_t oldest = std::numeric_limits<uint64_t>::max();
  for (const ReaderRecord* record = all_records.load(std::memory_order_seq_cst); record != nullptr;
       record = record->next) {
    const uint64_t announced = record->epoch.load(std::memory_order_seq_cst);
    if (announced != 0) oldest = std::min(oldest, announced);
  }
  return oldest;
}

}  // namespace fewter::internal
