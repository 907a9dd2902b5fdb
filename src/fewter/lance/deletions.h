#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

/// The deleted rows of a fragment. Format: docs/format/deletion_file.md.

namespace fewter::lance {

/// Where a fragment's deletion file lies, relative to the dataset's root.
std::string DeletionFilePath(uint64_t fragment_id, const DeletionFile& file);

/// The offsets of a fragment's deleted rows, ascending and without repeats; empty if it has no deletion file.
/// Reads one file, with one request. IOError if it does not exist; Invalid, naming the file, if it is
/// malformed, holds an offset past the fragment's rows, or does not hold as many offsets as the manifest says.
arrow::Result<std::vector<uint32_t>> ReadDeletions(const ObjectStore& store, const Fragment& fragment);

/// Decodes the bytes of a deletion file: `num_deleted` different offsets below `physical_rows`, as the manifest says;
/// Invalid otherwise. Takes memory for `num_deleted` offsets at most. Exposed for tests and fuzzing.
arrow::Result<std::vector<uint32_t>> ParseDeletions(const std::shared_ptr<arrow::Buffer>& bytes, DeletionFileType type,
                                                    uint64_t num_deleted, uint64_t physical_rows);

}  // namespace fewter::lance
