#pragma once

#include <cstdint>
#include <memory>

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/dataset/row_reader.h"
#include "fewter/dataset/taken_ahead.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// All rows of a table in order, deleted ones left out, in batches of at most `batch_size` rows, none of which spans
/// two fragments. `schema` comes from RowReader::SchemaOf. `taken` says which rows of each fragment are wanted; all are
/// if it is null. A batch is returned before more fragments are filtered than it takes to fill it.
///
/// While the caller works, the rows that come next are read: a few megabytes at a time, on `cpu_executor` or, of a
/// remote store, on the threads of its requests. Batches may share the memory of their neighbours.
std::shared_ptr<arrow::RecordBatchReader> MakeScanReader(std::shared_ptr<const lance::ObjectStore> store,
                                                         std::shared_ptr<const lance::Manifest> manifest,
                                                         std::shared_ptr<RowReader> rows,
                                                         std::shared_ptr<arrow::Schema> schema,
                                                         std::unique_ptr<TakenAhead> taken, uint64_t batch_size,
                                                         arrow::internal::Executor* cpu_executor);

}  // namespace fewter
