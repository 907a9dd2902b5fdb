#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fewter/cache/disk/eviction.h"
#include "fewter/cache/disk/segment_store.h"
#include "fewter/cache/stats.h"

/// What is done to a directory besides writing new entries: eviction, merging, invalidation, and the heat file.
///
/// All of it happens under the directory's lock, and first looks at what other processes did; one that does not get the
/// lock leaves the work to who has it. What survives is written again and published before what it replaces is
/// unlinked: a crash between the two leaves copies, which the next eviction or merging finds dead.

namespace fewter::disk {

/// Not thread safe: used by one thread at a time, that which writes to the directory.
class Maintenance {
 public:
  Maintenance(SegmentStore* store, CacheCounters* counters) : store_(*store), counters_(*counters) {}

  /// To be called after something was sealed: does what has become necessary.
  void Tidy();
  /// Removes a namespace from memory and disk. If another holds the lock for too long, the disk's part is left for
  /// Tidy.
  void Invalidate(const std::string& name_space);

  /// Learns from the heat file.
  void ReadHeat();
  /// Adds to the heat file what this process has seen since the last time.
  void WriteHeat();
  /// Removes what an invalidation had to leave, if it can now.
  void FinishInvalidations();
  bool HeatIsDue() const;

 private:
  /// What a plan's numbers stand for.
  struct Candidates {
    std::vector<std::shared_ptr<Segment>> segments;
    std::vector<EvictionSegment> plan_segments;
    std::vector<EntryPlace> entries;
    std::vector<EvictionEntry> plan_entries;
  };
  /// What becomes of segments whose survivors cannot be written again.
  enum class OnFailure { kKeep, kRemoveIfFull, kRemove };

  Candidates Gather() const;
  bool HasTooManySmall() const;
  void Evict();
  void Merge();
  void InvalidateLocked(const std::string& name_space);
  void FinishInvalidationsLocked();
  void Replace(const Candidates& candidates, const EvictionPlan& plan, OnFailure on_failure);
  /// The error of the first segment that could not be written. The segments of entries that it should have held are
  /// added to `stuck`.
  arrow::Status Rewrite(const std::vector<EntryPlace>& survivors, std::vector<Segment*>* stuck);
  arrow::Status RewriteGroup(const std::vector<EntryPlace>& group, const std::vector<EntryToWrite>& entries);
  HeatTable LoadHeatTable();
  /// The heat of an entry that the disk does not know of yet.
  struct News {
    EntryPlace place;
    Heat heat;
    uint32_t new_uses = 0;
  };
  /// Fills `table` with the heat of all entries, and returns what of it is news.
  std::vector<News> GatherHeat(HeatTable* table);
  int64_t small_bytes() const;

  SegmentStore& store_;
  CacheCounters& counters_;
  /// Namespaces that are still to be removed from disk.
  std::vector<std::string> unfinished_;
  std::atomic<std::chrono::steady_clock::time_point> heat_written_{std::chrono::steady_clock::now()};
};

}  // namespace fewter::disk
