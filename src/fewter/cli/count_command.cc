#include <fmt/core.h>

#include <memory>
#include <string>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/rows_choice.h"
#include "fewter/cli/store_choice.h"
#include "fewter/dataset/dataset.h"

namespace fewter::cli {

namespace {

struct CountOptions {
  StoreChoice store;
  std::string filter;
};

arrow::Status RunCount(const CountOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto filter, ReadFilter(options.filter));
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(options.store, nullptr));
  ARROW_ASSIGN_OR_RAISE(const uint64_t rows, dataset->CountRows(filter));
  fmt::print("{}\n", rows);
  WarnOfUnhealthyTiers(dataset->session());
  return arrow::Status::OK();
}

}  // namespace

void AddCountCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<CountOptions>();
  CLI::App* command = app->add_subcommand("count", "Counts the rows of a dataset, deleted ones left out");
  AddStoreOptions(command, &options->store);
  AddFilterOption(command, &options->filter);
  command->footer("Example: fewter count examples/packages.lance --filter \"name LIKE 'fastapi%'\"");
  command->callback([=] { *action = [options] { return RunCount(*options); }; });
}

}  // namespace fewter::cli
