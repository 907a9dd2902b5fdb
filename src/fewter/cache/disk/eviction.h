#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// What leaves a directory that is too full, and which segments are merged: a pure function of numbers.

namespace fewter::disk {

/// An entry that could be found; the copies that a newer segment replaces are not listed, and so never survive.
struct EvictionEntry {
  /// Which of the segments it lies in.
  size_t segment = 0;
  int64_t bytes = 0;
  /// Heat::At now.
  float heat = 0;
  uint32_t last_use = 0;
};

struct EvictionSegment {
  /// On disk.
  int64_t bytes = 0;
  /// False to keep the file as it is.
  bool may_go = true;
};

struct EvictionPlan {
  /// Segments to unlink, in the order of the input.
  std::vector<size_t> segments;
  /// The entries of these that are written again, by their place in the input.
  std::vector<size_t> survivors;
  bool empty() const { return segments.empty(); }
};

/// Brings the bytes on disk from over `capacity` to about nine tenths of it. What was used last may keep a tenth of
/// that room, so that what is new has time to be asked for again; in the rest stays what is hottest for its size.
/// Segments of which nothing stays go; then, as far as still needed, those of which the smallest part stays, and that
/// part, but never more than half of a segment, is written again. An empty plan if the bytes are within the capacity.
EvictionPlan PlanEviction(const std::vector<EvictionSegment>& segments, const std::vector<EvictionEntry>& entries,
                          int64_t capacity);

/// Merges all segments smaller than `small_bytes` if there are more than `tolerated` of them.
EvictionPlan PlanMerge(const std::vector<EvictionSegment>& segments, const std::vector<EvictionEntry>& entries,
                       int64_t small_bytes, size_t tolerated);

}  // namespace fewter::disk
