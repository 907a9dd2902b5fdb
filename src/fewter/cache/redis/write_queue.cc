#include "fewter/cache/redis/write_queue_internal.h"

#include <unistd.h>

#include <utility>

#include <arrow/util/thread_pool.h>

namespace fewter::redis {

WriteQueue::WriteQueue(arrow::internal::Executor* executor, Limits limits, Writer writer)
    : executor_(executor), limits_(limits), writer_(std::move(writer)), pid_(getpid()) {}

void WriteQueue::ForgetParent() {
  if (pid_ == getpid()) return;
  pid_ = getpid();
  waiting_.clear();
  waiting_bytes_ = 0;
  has_task_ = false;
  writing_ = false;
}

bool WriteQueue::Offer(PendingEntry entry) {
  std::unique_lock lock(mutex_);
  ForgetParent();
  const int64_t bytes = entry.bytes();
  if (cancelled_ || static_cast<int64_t>(waiting_.size()) >= limits_.entries ||
      bytes > limits_.bytes - waiting_bytes_) {
    return false;
  }
  waiting_.push_back(std::move(entry));
  waiting_bytes_ += bytes;
  if (std::exchange(has_task_, true)) return true;
  lock.unlock();
  // A host's executor may run it here and now.
  if (executor_->Spawn([self = shared_from_this()] { self->Drain(); }).ok()) return true;
  std::deque<PendingEntry> dropped;
  lock.lock();
  dropped.swap(waiting_);
  waiting_bytes_ = 0;
  has_task_ = false;
  // Values are destroyed without the lock.
  lock.unlock();
  return false;
}

std::vector<PendingEntry> WriteQueue::TakeBatch() {
  std::vector<PendingEntry> batch;
  for (int64_t bytes = 0; !waiting_.empty() && bytes < limits_.batch_bytes;) {
    if (!batch.empty() && bytes + waiting_.front().bytes() > limits_.batch_bytes) break;
    bytes += waiting_.front().bytes();
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    waiting_bytes_ -= batch.back().bytes();
  }
  return batch;
}

void WriteQueue::Drain() {
  std::unique_lock lock(mutex_);
  while (!waiting_.empty() && !cancelled_) {
    std::vector<PendingEntry> batch = TakeBatch();
    writing_ = true;
    lock.unlock();
    writer_(std::move(batch), cancelled_);
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
  has_task_ = false;
  changed_.notify_all();
}

bool WriteQueue::Flush(std::chrono::nanoseconds longest) {
  std::unique_lock lock(mutex_);
  ForgetParent();
  return changed_.wait_for(lock, longest, [&] { return waiting_.empty() && !writing_; });
}

void WriteQueue::Drop(const CacheNamespace& name_space, std::chrono::nanoseconds longest) {
  std::deque<PendingEntry> dropped;
  std::unique_lock lock(mutex_);
  ForgetParent();
  std::deque<PendingEntry> kept;
  for (PendingEntry& entry : waiting_) {
    const bool goes = entry.key.name_space().IsWithin(name_space);
    if (goes) waiting_bytes_ -= entry.bytes();
    (goes ? dropped : kept).push_back(std::move(entry));
  }
  waiting_ = std::move(kept);
  changed_.wait_for(lock, longest, [&] { return !writing_; });
}

void WriteQueue::Stop() {
  std::deque<PendingEntry> dropped;
  std::unique_lock lock(mutex_);
  ForgetParent();
  cancelled_ = true;
  dropped.swap(waiting_);
  waiting_bytes_ = 0;
  changed_.wait(lock, [&] { return !writing_; });
}

}  // namespace fewter::redis
