#pragma once

#include <memory>

#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/dataset/index_files.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/ivf/state.h"

namespace fewter {

/// Reads what an index segment's two files say about the whole of it; no partition is read. `cache` is the segment's
/// namespace, where the files' metadata is kept too. `readers` gets the files' readers, which have read more of them
/// than the state keeps.
///
/// NotImplemented, naming it, for an index type, metric or element type that we do not search; Invalid, naming the file
/// and the field, for anything malformed.
arrow::Result<std::shared_ptr<const IvfIndexState>> ReadIndexState(const lance::ObjectStore& store,
                                                                   const WeakCache& cache,
                                                                   const lance::IndexMetadata& index,
                                                                   IndexReaders* readers);

}  // namespace fewter
