#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

/// Stable row ids: a row keeps its id when an update or a compaction moves it to another fragment. Indexes name rows by
/// these ids, and the fragments say which id lies at which offset. Format: docs/format/manifest.md.

namespace fewter::lance {

/// The stable ids of a fragment's rows, deleted ones included: the k-th belongs to the row at offset k. Takes 8 bytes a
/// row, and a look-up and a read if the manifest keeps them in another file.
///
/// Only for fragments of a table with stable row ids (Manifest::has_stable_row_ids): Invalid if this one has none.
/// Invalid, naming the fragment, too if the sequence is malformed or is not as long as the fragment.
arrow::Result<std::vector<uint64_t>> ReadRowIds(const ObjectStore& store, const Fragment& fragment);

/// Decodes a RowIdSequence that should hold `expected_rows` ids; Invalid if it holds another number of them. Takes
/// memory for `expected_rows` ids at most, however many the bytes claim. Exposed for tests and fuzzing.
arrow::Result<std::vector<uint64_t>> ParseRowIdSequence(std::string_view bytes, uint64_t expected_rows);

}  // namespace fewter::lance
