#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/top_k.h"

namespace fewter {

/// The rows of an index segment that a search may return: those that still exist, in fragments that the segment covers.
///
/// An index keeps rows that were deleted or rewritten after it was built; the manifest and the deletion files say
/// which. Reads the deletion files of the fragments that the segment covers. Null if every row of the segment is live,
/// the usual case, so that a scan need not ask; never null if the segment `keeps_deleted_rows` (see kDeletedRowId).
arrow::Result<std::shared_ptr<const RowFilter>> ReadLiveRows(const lance::ObjectStore& store,
                                                             const lance::Manifest& manifest,
                                                             const std::vector<uint32_t>& covered_fragments,
                                                             bool keeps_deleted_rows = false);

}  // namespace fewter
