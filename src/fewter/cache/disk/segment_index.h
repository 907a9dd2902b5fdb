#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fewter/cache/disk/segment.h"
#include "fewter/cache/key.h"

/// What the open segments hold, by digest.

namespace fewter::disk {

/// Where an entry lies.
struct EntryPlace {
  std::shared_ptr<Segment> segment;
  size_t entry = 0;
  explicit operator bool() const { return segment != nullptr; }
};

/// Thread safe. The lock is held for look-ups and for changes in memory, never while a file is touched.
///
/// Of several copies of an entry that of the newest segment is the one that is found; the others are dead.
class SegmentIndex {
 public:
  /// An empty place if there is none.
  EntryPlace Find(const KeyDigest& key) const;
  bool Contains(const KeyDigest& key) const;

  /// False, and nothing changes, if a segment of that name is there.
  bool Add(const std::shared_ptr<Segment>& segment);
  void Remove(const std::shared_ptr<Segment>& segment);
  /// Makes one copy of an entry dead, if it is the one that is found.
  void Forget(const KeyDigest& key, const EntryPlace& place);
  /// Makes all entries of a namespace, and of those below it, dead.
  void ForgetWithin(std::string_view name_space);

  bool IsLive(const Segment& segment, size_t entry) const;
  /// In the order of their ids.
  std::vector<std::shared_ptr<Segment>> Segments() const;
  bool HasSegment(const std::string& name) const;

  struct Totals {
    uint64_t entries = 0;
    /// On disk, of all segments.
    int64_t allocated_bytes = 0;
    size_t segments = 0;
  };
  Totals totals() const;

 private:
  struct Place {
    Segment* segment;
    uint32_t entry;
  };

  mutable std::mutex mutex_;
  std::unordered_map<KeyDigest, Place, KeyDigestHash> places_;
  std::map<std::string, std::shared_ptr<Segment>> segments_;
  int64_t allocated_bytes_ = 0;
};

}  // namespace fewter::disk
