#include "fewter/cache/disk/pending_entries.h"

#include <utility>

namespace fewter::disk {

bool PendingEntries::Add(const Pointer& pending) {
  std::lock_guard lock(mutex_);
  if (entries_.contains(pending->key.digest())) return true;
  if (pending->charge > max_bytes_ - bytes_) return false;
  bytes_ += pending->charge;
  entries_.emplace(pending->key.digest(), pending);
  waiting_.push_back(pending);
  return true;
}

PendingEntries::Pointer PendingEntries::Find(const KeyDigest& key) const {
  std::lock_guard lock(mutex_);
  if (entries_.empty()) return nullptr;
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second;
}

std::vector<PendingEntries::Pointer> PendingEntries::Take() {
  std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

bool PendingEntries::NothingToTake() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty();
}

bool PendingEntries::IsWanted(const Pointer& pending) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(pending->key.digest());
  return found != entries_.end() && found->second == pending;
}

void PendingEntries::Remove(const std::vector<Pointer>& sealed) {
  // The caller's pointers keep the values until the lock is released.
  std::lock_guard lock(mutex_);
  for (const Pointer& pending : sealed) {
    const auto found = entries_.find(pending->key.digest());
    if (found == entries_.end() || found->second != pending) continue;
    bytes_ -= pending->charge;
    entries_.erase(found);
  }
}

void PendingEntries::RemoveWithin(const CacheNamespace& name_space) {
  Map dropped;
  std::vector<Pointer> left;
  std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto here = entry++;
    if (!here->second->key.name_space().IsWithin(name_space)) continue;
    bytes_ -= here->second->charge;
    dropped.insert(entries_.extract(here));
  }
  for (Pointer& pending : waiting_) {
    if (!pending->key.name_space().IsWithin(name_space)) left.push_back(std::move(pending));
  }
  // With the pointers that were moved away, what was dropped is in `dropped` alone.
  std::swap(waiting_, left);
}

size_t PendingEntries::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace fewter::disk
