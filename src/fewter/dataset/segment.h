#pragma once

#include <memory>
#include <string>

#include <arrow/result.h>

#include "fewter/dataset/live_rows.h"
#include "fewter/dataset/session.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/ivf/index.h"

namespace fewter {

/// A segment of an index, ready to be searched in one version of a dataset. Immutable.
struct Segment {
  std::shared_ptr<const IvfIndex> index;
  /// Whether the index has rows called kDeletedRowId.
  bool keeps_deleted_rows = false;
  LiveRows live_rows;
};

/// Takes the segment's state from the cache, or reads it, and makes a live index of it. `moves` says where the rows are
/// now if its row ids are old. NotImplemented, saying what can be done, for an index that we cannot search.
arrow::Result<std::shared_ptr<const Segment>> OpenSegment(const std::shared_ptr<const lance::ObjectStore>& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::IndexMetadata& metadata,
                                                          std::shared_ptr<const RowMoves> moves,
                                                          const Session& session);

/// The status of reading an index, with what can be done if the index is not supported, damaged or missing.
arrow::Status WithAdvice(const arrow::Status& status);

/// The namespace of an index segment in a cache. Index files are immutable and named by a UUID, so this names their
/// content wherever the dataset lies.
Cache SegmentCache(const Cache& cache, const lance::IndexMetadata& metadata);

/// True if the entry describes a vector index that has files; other kinds of index share the list.
bool IsVectorIndex(const lance::Manifest& manifest, const lance::IndexMetadata& metadata);

}  // namespace fewter
