#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/status.h>

#include "fewter/dataset/dataset.h"
#include "fewter/vector/ivf/index.h"
#include "fewter/vector/top_k.h"

/// Searching the segments of an index.

namespace fewter {

/// A segment, and which of its rows may be found. Either filter may be null, for all rows.
struct SegmentToSearch {
  std::shared_ptr<const IvfIndex> index;
  /// What a scan asks.
  std::shared_ptr<const RowFilter> scanning;
  /// What the rows that it finds pass unless the index is damaged.
  std::shared_ptr<const RowFilter> checking;
};

/// For each query the nearest candidates of all segments together, options.k at most and each row once, and the counts
/// of finding them, into the result of the same place. `options` have a stop token, and no filter. Where fewer are
/// found, further partitions are searched, until there are `max_nprobes` of each segment.
arrow::Status SearchSegments(std::span<const SegmentToSearch> segments, std::span<const std::vector<float>> queries,
                             const IvfSearchOptions& options, uint32_t max_nprobes, std::span<SearchResult> results);

}  // namespace fewter
