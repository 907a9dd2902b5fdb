#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/lance/file_reader.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

/// Where a table's fields lie in its data files.

namespace fewter {

/// The data file of a fragment that has a column for the field of this id; null if none has.
const lance::DataFile* FindDataFile(const lance::Fragment& fragment, int32_t field_id);

/// A reader of a fragment's file, whose metadata comes from the cache if it is there. NotImplemented, with what can be
/// done, for the container that Lance had before version 2.0. Invalid if it does not have as many rows as the manifest
/// says.
arrow::Result<std::shared_ptr<lance::FileReader>> OpenDataFile(const lance::ObjectStore& store, const WeakCache& cache,
                                                               const lance::Fragment& fragment,
                                                               const lance::DataFile& file);

/// Where the table's field stands among those of a file. It, or a struct around it, may have been renamed since the
/// file was written; its id stays. Invalid if the file does not have it.
arrow::Result<size_t> PositionInFile(const lance::FileMetadata& file, const lance::Field& field);

}  // namespace fewter
