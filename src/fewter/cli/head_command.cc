#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/cli/output_file.h"
#include "fewter/cli/row_sink.h"
#include "fewter/cli/rows_choice.h"
#include "fewter/cli/text_table.h"

namespace fewter::cli {

namespace {

struct HeadOptions {
  RowsChoice rows;
  uint64_t count = 10;
  bool json = false;
};

/// The first rows, a batch after the other.
arrow::Status ForFirstRows(const HeadOptions& options, const Dataset& dataset,
                           const std::function<arrow::Status(const arrow::RecordBatch&)>& use) {
  const uint64_t batch_size = std::clamp<uint64_t>(options.count, 1, RowsOfBatch(dataset.manifest()));
  ARROW_ASSIGN_OR_RAISE(const auto filter, ReadFilter(options.rows.filter));
  ARROW_ASSIGN_OR_RAISE(const auto reader,
                        dataset.Scan({.columns = options.rows.columns, .filter = filter, .batch_size = batch_size}));
  for (uint64_t wanted = options.count; wanted > 0;) {
    ARROW_ASSIGN_OR_RAISE(auto batch, reader->Next());
    if (batch == nullptr) break;
    batch = batch->Slice(0, static_cast<int64_t>(wanted));
    ARROW_RETURN_NOT_OK(use(*batch));
    wanted -= static_cast<uint64_t>(batch->num_rows());
  }
  return arrow::Status::OK();
}

arrow::Status RunHead(const HeadOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(options.rows.store, nullptr));
  if (options.json) {
    const auto stream = WriteToDescriptor(STDOUT_FILENO, "standard output");
    ARROW_ASSIGN_OR_RAISE(const auto sink, OpenRowSink(RowFormat::kJsonLines, nullptr, stream));
    ARROW_RETURN_NOT_OK(
        ForFirstRows(options, *dataset, [&](const arrow::RecordBatch& rows) { return sink->Write(rows); }));
    WarnOfUnhealthyTiers(dataset->session());
    return stream->Close();
  }
  TextTable table;
  ARROW_ASSIGN_OR_RAISE(const auto none, dataset->Take({}, options.rows.columns));
  table.AddColumns(*none->schema());
  ARROW_RETURN_NOT_OK(ForFirstRows(options, *dataset, [&](const arrow::RecordBatch& rows) {
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      table.AddRow({});
      ARROW_RETURN_NOT_OK(table.AddCells(rows, row));
    }
    return arrow::Status::OK();
  }));
  table.PrintReadable(stdout);
  WarnOfUnhealthyTiers(dataset->session());
  return arrow::Status::OK();
}

}  // namespace

void AddHeadCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<HeadOptions>();
  CLI::App* command = app->add_subcommand("head", "Shows the first rows of a dataset");
  AddRowsOptions(command, &options->rows);
  command->add_option("-n", options->count, "How many rows")
      ->type_name("N")
      ->capture_default_str()
      ->transform(DecimalNumber(0));
  command->add_flag("--json", options->json, "Print one JSON object a row");
  command->footer("Example: fewter head examples/packages.lance -n 5 --columns name");
  command->callback([=] { *action = [options] { return RunHead(*options); }; });
}

}  // namespace fewter::cli
