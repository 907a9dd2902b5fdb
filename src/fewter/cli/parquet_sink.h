#pragma once

#include <memory>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include "fewter/cli/row_sink.h"

/// Parquet is written by a library of its own (fewter_parquet), which is loaded when it is needed: to have libparquet
/// loaded would cost every other command a millisecond of its start.

namespace fewter::cli {

/// What the library defines; its name there is kParquetSinkFunction.
using ParquetSinkFunction = void (*)(const std::shared_ptr<arrow::Schema>& schema,
                                     std::shared_ptr<arrow::io::OutputStream> stream,
                                     arrow::Result<std::unique_ptr<RowSink>>* sink);

inline constexpr const char* kParquetSinkFunction = "FewterOpenParquetSink";

}  // namespace fewter::cli
