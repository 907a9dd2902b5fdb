#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "fewter/cache/backend.h"

namespace fewter::internal {

/// A piece of memory that buffers lie in, and what it costs.
struct MemoryRoot {
  const void* address = nullptr;
  int64_t bytes = 0;
};

/// What keeping a value costs.
struct MemoryUse {
  /// Of the value alone.
  int64_t own_bytes = 0;
  /// Memory that other entries may share. Each address once.
  std::vector<MemoryRoot> roots;
  /// True if the value keeps much more alive than it uses.
  bool wastes = false;

  int64_t Total() const;
};

MemoryUse MeasureUse(const CacheEntry& entry);

/// The memory behind the entries of a cache, each piece counted once. Not thread safe.
class SharedMemoryLedger {
 public:
  /// Returns how many bytes the cache costs more, or less, than before.
  int64_t Add(const std::vector<MemoryRoot>& roots);
  int64_t Remove(const std::vector<MemoryRoot>& roots);

 private:
  struct Holding {
    uint32_t entries = 0;
    int64_t bytes = 0;
  };
  std::unordered_map<const void*, Holding> holdings_;
};

}  // namespace fewter::internal
