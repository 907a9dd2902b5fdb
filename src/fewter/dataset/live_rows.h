#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/top_k.h"

namespace fewter {

/// The rows of an index segment that a search may return: those that still exist, in fragments that the segment covers.
struct LiveRows {
  /// Never null.
  std::shared_ptr<const RowFilter> filter;
  /// Whether an index of these fragments holds no other rows, the usual case. Then a scan need not ask the filter; it
  /// still tells whether what was found can be right, since an index file may be damaged.
  bool are_all = false;
};

/// An index keeps rows that were deleted or rewritten after it was built; the manifest and the deletion files say
/// which. Reads the deletion files of the fragments that the segment covers, and their stable row ids if some of the
/// ids given so far belong to no row any more. Whether the segment keeps rows that are called kDeletedRowId, with which
/// `are_all` is false, it does not know.
arrow::Result<LiveRows> ReadLiveRows(const lance::ObjectStore& store, const lance::Manifest& manifest,
                                     const std::vector<uint32_t>& covered_fragments);

}  // namespace fewter
