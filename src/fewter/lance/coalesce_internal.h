#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fewter/lance/io_stats.h"

/// Which requests fetch many ranges of a file.

namespace fewter::lance {

/// Ranges that are fetched as one request, and which of the caller's ranges they contain.
struct RangeRequest {
  ByteRange range;
  std::vector<size_t> members;
};

struct CoalesceLimits {
  /// Neighbours nearer to each other than this are one request.
  uint64_t gap = 0;
  /// If there are then more than `enough` requests, wider gaps are closed too, the smallest first, up to `widest_gap`.
  size_t enough = 0;
  uint64_t widest_gap = 0;
  /// Requests do not become longer than this by joining neighbours. What overlaps is read once, however long it gets.
  uint64_t longest = 0;
};

/// Requests in order of their offsets. Requires that the ranges are inside a file, so that their ends do not overflow.
/// Empty ranges need no request.
std::vector<RangeRequest> Coalesce(const std::vector<ByteRange>& ranges, const CoalesceLimits& limits);

}  // namespace fewter::lance
