#include <fmt/core.h>

#include <memory>

#include "fewter/cli/commands.h"
#include "fewter/cli/store_choice.h"
#include "fewter/dataset/dataset.h"

namespace fewter::cli {

namespace {

arrow::Status RunCount(const StoreChoice& store) {
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(store, nullptr));
  fmt::print("{}\n", dataset->manifest().live_rows());
  return arrow::Status::OK();
}

}  // namespace

void AddCountCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<StoreChoice>();
  CLI::App* command = app->add_subcommand("count", "Counts the rows of a dataset, deleted ones left out");
  AddStoreOptions(command, options.get());
  command->footer("Example: fewter count examples/packages.lance");
  command->callback([=] { *action = [options] { return RunCount(*options); }; });
}

}  // namespace fewter::cli
