#include "fewter/cli/parquet_sink.h"

#include <utility>

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

namespace fewter::cli {

namespace {

/// A group of rows stays in memory until it is full.
constexpr int64_t kGroupRows = int64_t{1} << 20;
constexpr int64_t kGroupBytes = int64_t{64} << 20;

class ParquetSink : public RowSink {
 public:
  explicit ParquetSink(std::unique_ptr<parquet::arrow::FileWriter> writer) : writer_(std::move(writer)) {}

  arrow::Status Write(const arrow::RecordBatch& rows) override {
    if (group_bytes_ >= kGroupBytes) {
      ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
      group_bytes_ = 0;
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, arrow::util::ReferencedBufferSize(rows));
    group_bytes_ += bytes;
    return writer_->WriteRecordBatch(rows);
  }

  arrow::Status Close() override { return writer_->Close(); }

 private:
  const std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_bytes_ = 0;
};

arrow::Result<std::unique_ptr<RowSink>> Open(const std::shared_ptr<arrow::Schema>& schema,
                                             std::shared_ptr<arrow::io::OutputStream> stream) {
  auto properties = parquet::WriterProperties::Builder()
                        .compression(arrow::Compression::ZSTD)
                        ->max_row_group_length(kGroupRows)
                        ->build();
  // With Arrow's schema in the file its types come back as they were.
  auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  ARROW_ASSIGN_OR_RAISE(auto writer,
                        parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), std::move(stream),
                                                         std::move(properties), std::move(arrow_properties)));
  return std::make_unique<ParquetSink>(std::move(writer));
}

}  // namespace

}  // namespace fewter::cli

extern "C" __attribute__((visibility("default"))) void FewterOpenParquetSink(
    const std::shared_ptr<arrow::Schema>& schema, std::shared_ptr<arrow::io::OutputStream> stream,
    arrow::Result<std::unique_ptr<fewter::cli::RowSink>>* sink) {
  *sink = fewter::cli::Open(schema, std::move(stream));
}
