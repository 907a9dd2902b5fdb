#include "fewter/cli/store_choice.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <utility>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

arrow::Result<lance::StorageOptions> ParseStorageOptions(const std::vector<std::string>& texts) {
  lance::StorageOptions options;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    // What stands there may be a secret, and is not repeated.
    if (equals == std::string::npos || equals == 0) {
      return ArgumentError("--storage-option takes key=value, as in --storage-option region=eu-west-1");
    }
    options[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return options;
}

/// One line a request: when it was sent and how long it took, in milliseconds, its place in the chain of round trips,
/// what it was for, and what came of it.
void PrintRequest(const lance::IoEvent& event, lance::IoEvent::Clock::time_point start) {
  const auto milliseconds = [](auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); };
  const std::string range =
      event.what == "read" ? fmt::format(" {}+{}", event.range.offset, event.range.length) : std::string();
  const std::string again = event.attempt > 1 ? fmt::format(" attempt {}", event.attempt) : std::string();
  fmt::print(stderr, "io {:>9.3f} {:>8.3f} ms  round {:>2}  {:<8} {:<4} {}{}{}  {}\n",
             milliseconds(event.begin - start), milliseconds(event.end - event.begin), event.round,
             lance::ToString(event.kind), event.what, event.path, range, again,
             event.status.ok() ? "ok" : event.status.message());
}

}  // namespace

void AddStoreOptions(CLI::App* command, StoreChoice* choice) {
  command->add_option("uri", choice->uri, "The dataset: a path, or an s3://, gs://, az:// or file:// URI")->required();
  command
      ->add_option("--storage-option", choice->storage_options,
                   "key=value for the dataset's store, by pylance's names; may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->expected(1);
  command->add_option("--dataset-version", choice->version, "The version to open [latest]")
      ->type_name("N")
      ->transform(DecimalNumber(1));
  command
      ->add_option("--data-cache", choice->data_cache,
                   "A cache of its own for pages of remote data files, as --cache [the same cache]")
      ->type_name("URI")
      ->envname("FEWTER_DATA_CACHE");
  command->add_flag("--trace-io", choice->trace_io, "Print a line on standard error for every request to the store");
}

arrow::Result<std::shared_ptr<Dataset>> OpenDataset(const StoreChoice& choice, std::shared_ptr<CacheBackend> cache) {
  DatasetOptions options{.version = choice.version};
  std::shared_ptr<CacheBackend> data_cache;
  if (!choice.data_cache.empty()) {
    ARROW_ASSIGN_OR_RAISE(data_cache, OpenCache(choice.data_cache));
  }
  options.session = Session::Make({.cache = std::move(cache), .data_cache = data_cache});
  ARROW_ASSIGN_OR_RAISE(options.storage_options, ParseStorageOptions(choice.storage_options));
  if (choice.trace_io) {
    const auto start = lance::IoEvent::Clock::now();
    options.io_tracer = [start](const lance::IoEvent& event) { PrintRequest(event, start); };
  }
  return Dataset::Open(choice.uri, std::move(options));
}

}  // namespace fewter::cli
