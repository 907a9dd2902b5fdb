#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

/// Blobs as their bytes, instead of what says where they lie (docs/format/lance_file.md).

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// Reads the bytes of a table's blobs. Immutable, thread safe.
class BlobReader {
 public:
  BlobReader(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest)
      : store_(std::move(store)), manifest_(std::move(manifest)) {}

  /// A schema of RowReader::SchemaOf with blobs as large binary values, wherever they are nested.
  std::shared_ptr<arrow::Schema> SchemaOf(const arrow::Schema& described) const;

  /// Rows of `described`, to which RowReader::kRowAddress has been added if need be, as rows of `schema`. A request a
  /// blob or less: what lies near each other in a file is read together.
  ///
  /// NotImplemented, naming it, for a blob outside of the dataset; Invalid for one that goes past its file's end.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Read(const arrow::RecordBatch& described,
                                                          const std::shared_ptr<arrow::Schema>& schema) const;

 private:
  class Column;

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
};

/// With what says where each row lies, unless it is among the columns.
std::shared_ptr<arrow::Schema> WithRowAddress(const std::shared_ptr<arrow::Schema>& schema);

/// The rows of `described` with the bytes of their blobs, in batches of at most 64 MiB of these (or one row). One batch
/// is read ahead, on the executor.
std::shared_ptr<arrow::RecordBatchReader> MakeBlobScanReader(std::shared_ptr<arrow::RecordBatchReader> described,
                                                             std::shared_ptr<const BlobReader> blobs,
                                                             std::shared_ptr<arrow::Schema> schema,
                                                             arrow::internal::Executor* executor);

}  // namespace fewter
