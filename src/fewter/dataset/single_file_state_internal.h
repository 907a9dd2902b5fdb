#pragma once

#include <memory>

#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/ivf/state.h"

namespace fewter {

/// The same as ReadIndexState for an index of a single file, whose index.idx is in the container of before version 2.0:
/// IVF_PQ of releases up to 0.24. NotImplemented, naming it, for whatever else such a file may hold.
arrow::Result<std::shared_ptr<const IvfIndexState>> ReadSingleFileState(const lance::ObjectStore& store,
                                                                        const lance::IndexMetadata& index);

}  // namespace fewter
