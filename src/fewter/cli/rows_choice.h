#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fewter/cli/store_choice.h"
#include "fewter/dataset/dataset.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fewter::cli {

/// Which rows and columns of a dataset, as several commands let one say it.
struct RowsChoice {
  StoreChoice store;
  /// All if there are none.
  std::vector<std::string> columns;
  /// What stands after WHERE; all rows if it is empty.
  std::string filter;
};

/// Adds what AddStoreOptions does, --columns and --filter.
void AddRowsOptions(CLI::App* command, RowsChoice* choice);

/// The option --columns alone, which may be repeated: names with commas between them, as in CSV in double quotes if
/// there is a comma in a name.
void AddColumnsOption(CLI::App* command, std::vector<std::string>* columns, const std::string& description);

/// The option --filter alone.
CLI::Option* AddFilterOption(CLI::App* command, std::string* filter);

/// Null if there is none.
arrow::Result<std::shared_ptr<const Filter>> ReadFilter(const std::string& filter);

/// So many rows to read at a time that they take some tens of MiB, going by the size of the data files.
uint64_t RowsOfBatch(const lance::Manifest& manifest);

/// The numbers of rows in dataset order, deleted rows left out, as row ids. An argument error for one that there is
/// not.
arrow::Result<std::vector<uint64_t>> RowIdsOfNumbers(const Dataset& dataset, const std::vector<uint64_t>& numbers);

}  // namespace fewter::cli
