#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fewter/cache/backend.h"
#include "fewter/cache/codec.h"
#include "fewter/cache/key.h"

/// Entries that wait to be written, and can be found meanwhile.

namespace fewter::disk {

struct PendingEntry {
  PendingEntry(const EncodedKey& for_key, const CacheCodec& for_codec, CacheEntry live)
      : key(for_key), codec(for_codec), entry(std::move(live)) {
    const int64_t value_bytes = entry.encoded != nullptr ? entry.encoded->size() : entry.bytes + entry.mapped_bytes;
    charge = value_bytes + static_cast<int64_t>(sizeof(*this) + for_key.FullSize());
  }
  const OwnedKey key;
  const CacheCodec codec;
  const CacheEntry entry;
  /// What it costs to keep it here, in bytes.
  int64_t charge = 0;
  /// That it was wanted when it was inserted is the first.
  std::atomic<uint32_t> uses{1};
};

/// Thread safe. Values are destroyed outside of the lock.
class PendingEntries {
 public:
  using Pointer = std::shared_ptr<PendingEntry>;

  explicit PendingEntries(int64_t max_bytes) : max_bytes_(max_bytes) {}

  /// False if there is no room. An entry whose key is there already is left as it is.
  bool Add(const Pointer& pending);
  /// Null if there is none.
  Pointer Find(const KeyDigest& key) const;
  /// All that nobody has taken yet; they are found until they are removed.
  std::vector<Pointer> Take();
  bool NothingToTake() const;
  /// False once it was removed.
  bool IsWanted(const Pointer& pending) const;
  void Remove(const std::vector<Pointer>& sealed);
  void RemoveWithin(const CacheNamespace& name_space);
  size_t size() const;

 private:
  using Map = std::unordered_map<KeyDigest, Pointer, KeyDigestHash>;

  const int64_t max_bytes_;
  mutable std::mutex mutex_;
  Map entries_;
  std::vector<Pointer> waiting_;
  int64_t bytes_ = 0;
};

}  // namespace fewter::disk
