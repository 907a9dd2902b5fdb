#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/type.h>

/// Arrow data on its way to Python. pyarrow, Polars and others take it over without a copy, through the PyCapsule
/// interface of the Arrow C data interface.

namespace fewter::python {

struct SchemaHandle {
  std::shared_ptr<arrow::Schema> schema;
};

struct BatchHandle {
  std::shared_ptr<arrow::RecordBatch> batch;
};

/// May be read once. One that nobody has read from has no threads at work, and waits for none at its end.
struct ReaderHandle {
  std::shared_ptr<arrow::RecordBatchReader> reader;
};

}  // namespace fewter::python
