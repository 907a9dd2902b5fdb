#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "fewter/dataset/dataset.h"

namespace CLI {
class App;
}

namespace fewter::cli {

/// How a dataset is opened, as several commands let one say it.
struct StoreChoice {
  std::string uri;
  std::optional<uint64_t> version;
  /// key=value each.
  std::vector<std::string> storage_options;
  /// A cache of its own for pages of data files; empty for the same.
  std::string data_cache;
  bool trace_io = false;
};

/// Adds the dataset's place, --storage-option, --dataset-version and --trace-io to a command.
void AddStoreOptions(CLI::App* command, StoreChoice* choice);

/// Opens the dataset with a cache. With --trace-io every request is a line on standard error.
arrow::Result<std::shared_ptr<Dataset>> OpenDataset(const StoreChoice& choice, std::shared_ptr<CacheBackend> cache);

}  // namespace fewter::cli
