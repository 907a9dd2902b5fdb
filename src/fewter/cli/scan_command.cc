#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/choice_option.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/cli/output_file.h"
#include "fewter/cli/row_sink.h"
#include "fewter/cli/rows_choice.h"
#include "fewter/cli/terminal.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

struct ScanOptions {
  RowsChoice rows;
  std::vector<uint64_t> numbers;
  /// Standard output if it is empty or "-".
  std::string output;
  std::optional<RowFormat> format;
  BlobHandling blobs = BlobHandling::kDescriptions;

  bool to_stdout() const { return output.empty() || output == "-"; }
};

/// A file's format goes by its name unless it is given.
arrow::Result<RowFormat> FormatOf(const ScanOptions& options) {
  if (options.to_stdout()) {
    const RowFormat format = options.format.value_or(RowFormat::kJsonLines);
    if (format == RowFormat::kParquet) return ArgumentError("Parquet is written to a file: --output FILE.parquet");
    if (format != RowFormat::kArrowFile) return format;
    if (isatty(STDOUT_FILENO) != 0) return ArgumentError("Arrow is not for terminals: --output FILE.arrow, or a pipe");
    return RowFormat::kArrowStream;
  }
  if (options.format) return *options.format;
  static const std::map<std::string, RowFormat> kEndings = {
      {".arrow", RowFormat::kArrowFile}, {".feather", RowFormat::kArrowFile}, {".parquet", RowFormat::kParquet},
      {".jsonl", RowFormat::kJsonLines}, {".ndjson", RowFormat::kJsonLines},  {".json", RowFormat::kJsonLines}};
  const size_t dot = options.output.rfind('.');
  const auto found = kEndings.find(dot == std::string::npos ? "" : options.output.substr(dot));
  if (found != kEndings.end()) return found->second;
  return ArgumentError("'", options.output, "': which format? Its name should end in .arrow, .parquet or .jsonl; ",
                       "or say --format");
}

/// The rows that are asked for, a batch after the other.
class Rows {
 public:
  static arrow::Result<Rows> Open(const ScanOptions& options, std::shared_ptr<Dataset> dataset) {
    Rows rows;
    rows.dataset_ = std::move(dataset);
    rows.columns_ = options.rows.columns;
    rows.blobs_ = options.blobs;
    rows.batch_size_ = RowsOfBatch(rows.dataset_->manifest());
    if (options.numbers.empty()) {
      ARROW_ASSIGN_OR_RAISE(rows.filter_, ReadFilter(options.rows.filter));
      ARROW_ASSIGN_OR_RAISE(rows.reader_, rows.dataset_->Scan({.columns = rows.columns_,
                                                               .filter = rows.filter_,
                                                               .batch_size = rows.batch_size_,
                                                               .blobs = rows.blobs_}));
      rows.schema_ = rows.reader_->schema();
      return rows;
    }
    ARROW_ASSIGN_OR_RAISE(rows.row_ids_, RowIdsOfNumbers(*rows.dataset_, options.numbers));
    ARROW_ASSIGN_OR_RAISE(const auto none, rows.dataset_->Take({}, rows.columns_, rows.blobs_));
    rows.schema_ = none->schema();
    return rows;
  }

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  /// Evaluates the filter.
  arrow::Result<uint64_t> Count() const {
    return reader_ == nullptr ? arrow::Result<uint64_t>(row_ids_.size()) : dataset_->CountRows(filter_);
  }

  /// Null at the end.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() {
    if (reader_ != nullptr) return reader_->Next();
    if (next_ == row_ids_.size()) return nullptr;
    const auto length = std::min<size_t>(batch_size_, row_ids_.size() - next_);
    const std::span<const uint64_t> ids = std::span(row_ids_).subspan(next_, length);
    next_ += length;
    return dataset_->Take(ids, columns_, blobs_);
  }

 private:
  std::shared_ptr<Dataset> dataset_;
  std::vector<std::string> columns_;
  BlobHandling blobs_ = BlobHandling::kDescriptions;
  std::shared_ptr<const Filter> filter_;
  uint64_t batch_size_ = 0;
  std::shared_ptr<arrow::Schema> schema_;
  /// Null if rows are taken by their ids.
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  std::vector<uint64_t> row_ids_;
  size_t next_ = 0;
};

arrow::Status WriteRows(RowFormat format, bool shows_progress, Rows* rows,
                        const std::shared_ptr<arrow::io::OutputStream>& stream) {
  ARROW_ASSIGN_OR_RAISE(const auto sink, OpenRowSink(format, rows->schema(), stream));
  std::optional<ProgressLine> progress;
  uint64_t all = 0;
  if (shows_progress && isatty(STDERR_FILENO) != 0) {
    ARROW_ASSIGN_OR_RAISE(all, rows->Count());
    progress.emplace();
  }
  uint64_t written = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto batch, rows->Next());
    if (batch == nullptr) return sink->Close();
    ARROW_RETURN_NOT_OK(sink->Write(*batch));
    written += static_cast<uint64_t>(batch->num_rows());
    if (progress) progress->Show(written, all, fmt::format("{} of {} rows", written, all));
  }
}

arrow::Status RunScan(const ScanOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const RowFormat format, FormatOf(options));
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(options.rows.store, nullptr));
  ARROW_ASSIGN_OR_RAISE(auto rows, Rows::Open(options, dataset));
  if (options.to_stdout()) {
    const auto stream = WriteToDescriptor(STDOUT_FILENO, "standard output");
    // Rows on a terminal are progress enough.
    ARROW_RETURN_NOT_OK(WriteRows(format, isatty(STDOUT_FILENO) == 0, &rows, stream));
    WarnOfUnhealthyTiers(dataset->session());
    return stream->Close();
  }
  ARROW_ASSIGN_OR_RAISE(const auto file, OutputFile::Open(options.output));
  ARROW_RETURN_NOT_OK(WriteRows(format, true, &rows, file->stream()));
  WarnOfUnhealthyTiers(dataset->session());
  return file->Commit();
}

}  // namespace

void AddScanCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<ScanOptions>();
  CLI::App* command = app->add_subcommand("scan", "Writes the rows of a dataset to a file or to standard output");
  AddRowsOptions(command, &options->rows);
  command
      ->add_option("--rows", options->numbers, "Only the rows with these numbers, separated by commas, in this order")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->transform(DecimalNumber(0))
      ->excludes("--filter");
  command
      ->add_option("-o,--output", options->output,
                   "FILE.arrow (or .feather), FILE.parquet or FILE.jsonl [JSON lines on standard output]")
      ->type_name("FILE");
  AddChoice(command, "--format", &options->format,
            std::map<std::string, RowFormat>{
                {"arrow", RowFormat::kArrowFile}, {"json", RowFormat::kJsonLines}, {"parquet", RowFormat::kParquet}},
            "The format, whatever the file is called");
  AddChoice(command, "--blobs", &options->blobs,
            std::map<std::string, BlobHandling>{{"descriptions", BlobHandling::kDescriptions},
                                                {"binary", BlobHandling::kBinary}},
            "Blobs as their bytes, or as what says where these lie [descriptions]");
  command->footer("Example: fewter scan examples/packages.lance --columns name --output names.parquet");
  command->callback([=] { *action = [options] { return RunScan(*options); }; });
}

}  // namespace fewter::cli
