#include "fewter/cache/disk/sealer.h"

#include <utility>

#include <arrow/util/thread_pool.h>

#include "fewter/cache/envelope.h"

namespace fewter::disk {

Sealer::Sealer(const DiskBackendOptions& options, CacheCounters* counters)
    : counters_(counters),
      store_(options),
      pending_(options.max_pending_bytes),
      collapser_(&store_.health()),
      maintenance_(&store_, counters) {}

void Sealer::Start() {
  // What cannot be read now may be later: not a reason to do without a cache.
  (void)store_.Scan();
  if (const auto lock = store_.TryLock()) store_.RemoveRubbish();
  maintenance_.ReadHeat();
  if (store_.AllocatedBytes() > store_.options().capacity_bytes) Schedule();
}

void Sealer::Schedule() {
  std::unique_lock lock(mutex_);
  if (is_running_ || is_scheduled_ || is_closed_) return;
  is_scheduled_ = true;
  lock.unlock();
  const arrow::Status spawned = store_.options().io_executor->Spawn([self = shared_from_this()] { self->Run(); });
  if (spawned.ok()) return;
  // A pool that takes no more tasks leaves the work to Drain.
  lock.lock();
  is_scheduled_ = false;
}

void Sealer::ScheduleHeat() {
  if (maintenance_.HeatIsDue()) Schedule();
}

void Sealer::ScheduleCollapse(const std::shared_ptr<Segment>& segment) {
  collapser_.Offer(segment);
  if (collapser_.HasWork()) Schedule();
}

void Sealer::Run() {
  {
    std::lock_guard lock(mutex_);
    is_scheduled_ = false;
    if (is_running_ || is_closed_) return;
    is_running_ = true;
  }
  do {
    RunRound();
  } while (!EndIfIdle());
}

void Sealer::RunRound() {
  SealPending();
  {
    std::lock_guard writer(writer_mutex_);
    maintenance_.Tidy();
  }
  collapser_.Run([this] { return is_closing_ || !pending_.NothingToTake(); });
  std::lock_guard lock(mutex_);
  ++rounds_;
  changed_.notify_all();
}

bool Sealer::HasWork() const {
  return !pending_.NothingToTake() || (collapser_.HasWork() && !is_closing_);
}

bool Sealer::EndIfIdle() {
  std::lock_guard lock(mutex_);
  if (HasWork()) return false;
  is_running_ = false;
  changed_.notify_all();
  return true;
}

void Sealer::Drain() {
  std::unique_lock lock(mutex_);
  // What is pending now is taken by the round under way or by the next one; later ones are for what comes later.
  const uint64_t enough = rounds_ + 2;
  changed_.wait(lock, [&] { return !is_running_ || rounds_ >= enough; });
  const bool runs = !is_running_ && HasWork();
  if (runs) is_running_ = true;
  lock.unlock();
  if (runs) {
    RunRound();
    lock.lock();
    is_running_ = false;
    changed_.notify_all();
    lock.unlock();
    if (HasWork()) Schedule();
  }
  std::lock_guard writer(writer_mutex_);
  maintenance_.FinishInvalidations();
  maintenance_.WriteHeat();
}

void Sealer::Close() {
  is_closing_ = true;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_running_; });
    // Nothing is inserted any more: one round takes all.
    is_running_ = true;
    is_closed_ = true;
  }
  if (!pending_.NothingToTake()) RunRound();
  std::lock_guard writer(writer_mutex_);
  maintenance_.FinishInvalidations();
  maintenance_.WriteHeat();
}

void Sealer::SealPending() {
  std::vector<PendingEntries::Pointer> batch = pending_.Take();
  Group small;
  for (PendingEntries::Pointer& pending : batch) {
    std::shared_ptr<arrow::Buffer> bytes = Encode(*pending);
    if (bytes == nullptr) {
      pending_.Remove({std::move(pending)});
      continue;
    }
    if (bytes->size() >= store_.options().large_entry_bytes) {
      Seal({.entries = {std::move(pending)}, .bytes = {bytes}, .size = bytes->size()});
      continue;
    }
    if (small.size > 0 && small.size + bytes->size() > store_.options().segment_bytes) Seal(std::exchange(small, {}));
    small.size += bytes->size();
    small.entries.push_back(std::move(pending));
    small.bytes.push_back(std::move(bytes));
  }
  Seal(small);
}

std::shared_ptr<arrow::Buffer> Sealer::Encode(const PendingEntry& pending) {
  std::shared_ptr<arrow::Buffer> bytes = pending.entry.encoded;
  if (bytes == nullptr) {
    auto encoded = EncodeEntry(pending.key.view(), pending.codec, pending.entry.value.get());
    if (!encoded.ok()) {
      counters_->EncodeFailure();
      return nullptr;
    }
    bytes = *std::move(encoded);
  }
  if (bytes->size() <= store_.options().capacity_bytes) return bytes;
  ++store_.activity().entries_declined;
  return nullptr;
}

void Sealer::Seal(const Group& group) {
  if (group.entries.empty()) return;
  {
    std::lock_guard writer(writer_mutex_);
    WriteGroup(group);
  }
  pending_.Remove(group.entries);
}

void Sealer::WriteGroup(const Group& group) {
  std::vector<EntryToWrite> entries;
  const uint32_t now = SecondsNow();
  for (size_t i = 0; i < group.entries.size(); ++i) {
    // It may have been invalidated since it was taken.
    if (!pending_.IsWanted(group.entries[i])) continue;
    const PendingEntry& pending = *group.entries[i];
    entries.push_back(
        {.digest = pending.key.digest(),
         .name_space = pending.key.name_space().bytes(),
         .type_id = pending.codec.type_id(),
         .bytes = {reinterpret_cast<const char*>(group.bytes[i]->data()), static_cast<size_t>(group.bytes[i]->size())},
         .uses = pending.uses.load(std::memory_order_relaxed),
         .last_use = now});
  }
  if (!entries.empty() && !store_.Write(entries).ok()) store_.activity().entries_dropped += entries.size();
}

void Sealer::Invalidate(const CacheNamespace& name_space) {
  pending_.RemoveWithin(name_space);
  std::lock_guard writer(writer_mutex_);
  maintenance_.Invalidate(name_space.bytes());
}

}  // namespace fewter::disk
