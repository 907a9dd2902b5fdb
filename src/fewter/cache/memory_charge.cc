#include <algorithm>

#include "fewter/cache/memory_charge_internal.h"

namespace fewter::internal {

namespace {

/// A value may keep a quarter more alive than it uses, and in any case this much.
constexpr int64_t kTolerableWaste = 4096;

const arrow::Buffer& RootOf(const arrow::Buffer& buffer) {
  const arrow::Buffer* root = &buffer;
  while (root->parent() != nullptr) root = root->parent().get();
  return *root;
}

}  // namespace

int64_t MemoryUse::Total() const {
  int64_t total = own_bytes;
  for (const MemoryRoot& root : roots) total += root.bytes;
  return total;
}

MemoryUse MeasureUse(const CacheEntry& entry) {
  MemoryUse use;
  use.own_bytes = std::max<int64_t>(entry.bytes, 0);
  if (entry.append_buffers == nullptr) return use;
  BufferList buffers;
  entry.append_buffers(entry.value.get(), &buffers);
  int64_t used = 0;
  int64_t kept = 0;
  for (const auto& buffer : buffers) {
    if (buffer == nullptr) continue;
    used += buffer->size();
    const arrow::Buffer& root = RootOf(*buffer);
    const auto same = [&](const MemoryRoot& known) { return known.address == root.data(); };
    if (std::any_of(use.roots.begin(), use.roots.end(), same)) continue;
    use.roots.push_back({root.data(), root.capacity()});
    kept += root.capacity();
  }
  use.own_bytes = std::max<int64_t>(use.own_bytes - used, 0);
  use.wastes = kept > used + std::max(used / 4, kTolerableWaste);
  return use;
}

int64_t SharedMemoryLedger::Add(const std::vector<MemoryRoot>& roots) {
  int64_t added = 0;
  for (const MemoryRoot& root : roots) {
    Holding& holding = holdings_[root.address];
    if (holding.entries++ > 0) continue;
    holding.bytes = root.bytes;
    added += root.bytes;
  }
  return added;
}

int64_t SharedMemoryLedger::Remove(const std::vector<MemoryRoot>& roots) {
  int64_t removed = 0;
  for (const MemoryRoot& root : roots) {
    const auto found = holdings_.find(root.address);
    if (--found->second.entries > 0) continue;
    removed += found->second.bytes;
    holdings_.erase(found);
  }
  return -removed;
}

}  // namespace fewter::internal
