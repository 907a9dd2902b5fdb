#pragma once

#include <memory>
#include <string>

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

namespace fewter::cli {

/// Where rows are written, in one format.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual arrow::Status Write(const arrow::RecordBatch& rows) = 0;
  /// Writes what comes at the end; the stream stays open.
  virtual arrow::Status Close() = 0;
};

enum class RowFormat {
  /// A JSON object a line (json_text.h).
  kJsonLines,
  kArrowFile,
  kArrowStream,
  kParquet,
};

/// An argument error if this build has no support for the format; NotImplemented if it has none for a type.
arrow::Result<std::unique_ptr<RowSink>> OpenRowSink(RowFormat format, const std::shared_ptr<arrow::Schema>& schema,
                                                    std::shared_ptr<arrow::io::OutputStream> stream);

}  // namespace fewter::cli
