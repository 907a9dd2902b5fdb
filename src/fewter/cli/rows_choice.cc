#include "fewter/cli/rows_choice.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

/// Takes the first name of a list, with the comma behind it, off `text`. In quotes a quote stands twice.
std::string TakeName(const std::string& list, std::string_view* text) {
  std::string name;
  if (!text->starts_with('"')) {
    name = text->substr(0, text->find(','));
    text->remove_prefix(name.size());
  } else {
    for (text->remove_prefix(1);; text->remove_prefix(1)) {
      const bool is_quote = text->starts_with('"');
      if (is_quote) text->remove_prefix(1);
      if (text->empty() && !is_quote) throw CLI::ValidationError("--columns", "'" + list + "': a quote is not closed");
      if (is_quote && !text->starts_with('"')) break;
      name += text->front();
    }
    if (!text->empty() && text->front() != ',') {
      throw CLI::ValidationError("--columns", "'" + list + "': no comma behind a name in quotes");
    }
  }
  if (name.empty()) throw CLI::ValidationError("--columns", "'" + list + "': a name is empty");
  return name;
}

}  // namespace

void AddColumnsOption(CLI::App* command, std::vector<std::string>* columns, const std::string& description) {
  const auto parse = [columns](const CLI::results_t& lists) {
    columns->clear();
    for (const std::string& list : lists) {
      for (std::string_view text = list;; text.remove_prefix(1)) {
        columns->push_back(TakeName(list, &text));
        if (text.empty()) break;
      }
    }
    return true;
  };
  command->add_option("--columns", CLI::callback_t(parse), description + "; \"a,b\" is one name")
      ->type_name("NAME,...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void AddRowsOptions(CLI::App* command, RowsChoice* choice) {
  AddStoreOptions(command, &choice->store);
  AddColumnsOption(command, &choice->columns, "Columns, separated by commas; _rowid and _rowaddr, too [all]");
  AddFilterOption(command, &choice->filter);
}

CLI::Option* AddFilterOption(CLI::App* command, std::string* filter) {
  const auto check = [](const std::string& text) {
    return std::string(text.empty() ? "is empty; for all rows leave it out" : "");
  };
  return command->add_option("--filter", *filter, "Only rows for which this is true, as in SQL behind WHERE")
      ->type_name("SQL")
      ->check(CLI::Validator(check, "", "condition"));
}

arrow::Result<std::shared_ptr<const Filter>> ReadFilter(const std::string& filter) {
  if (filter.empty()) return nullptr;
  return ParseFilter(filter);
}

uint64_t RowsOfBatch(const lance::Manifest& manifest) {
  constexpr uint64_t kMostRows = 8192;
  constexpr uint64_t kBytes = uint64_t{32} << 20;
  uint64_t bytes = 0;
  for (const lance::Fragment& fragment : manifest.fragments) {
    for (const lance::DataFile& file : fragment.files) bytes += file.size;
  }
  const uint64_t bytes_of_row = bytes / std::max<uint64_t>(manifest.physical_rows(), 1);
  return std::clamp<uint64_t>(kBytes / std::max<uint64_t>(bytes_of_row, 1), 1, kMostRows);
}

arrow::Result<std::vector<uint64_t>> RowIdsOfNumbers(const Dataset& dataset, const std::vector<uint64_t>& numbers) {
  ARROW_ASSIGN_OR_RAISE(const auto all, dataset.RowIds());
  std::vector<uint64_t> row_ids;
  for (const uint64_t number : numbers) {
    if (number >= all.size()) return ArgumentError("row ", number, ": the dataset has ", all.size(), " rows");
    row_ids.push_back(all[number]);
  }
  return row_ids;
}

}  // namespace fewter::cli
