#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "handle.h"

/// Arrow data on its way to Python. pyarrow, Polars and others take it over without a copy, through the PyCapsule
/// interface of the Arrow C data interface.

namespace fewter::python {

struct SchemaHandle {
  std::shared_ptr<arrow::Schema> schema;
};

struct BatchHandle {
  std::shared_ptr<arrow::RecordBatch> batch;
};

/// Read batch by batch: its errors are exceptions like all others, where a stream of the C interface has only texts.
using ReaderHandle = Handle<arrow::RecordBatchReader>;

}  // namespace fewter::python
