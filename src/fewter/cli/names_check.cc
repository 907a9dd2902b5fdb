#include "fewter/cli/names_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "fewter/cli/text_table.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/util/similar_names.h"

namespace fewter::cli {

namespace {

/// So many names are listed.
constexpr size_t kMostNames = 20;

/// The columns of a table, those inside structs by their paths.
std::vector<std::string> ColumnsOf(const lance::Manifest& manifest) {
  std::vector<std::string> columns;
  // Of fields that columns may be inside of; "" for the table, whose number is -1.
  std::map<int32_t, std::string> prefixes = {{-1, ""}};
  for (const lance::Field& field : manifest.fields) {
    const auto parent = prefixes.find(field.parent_id);
    if (parent == prefixes.end()) continue;
    columns.push_back(parent->second + field.name);
    if (field.logical_type == "struct") prefixes.emplace(field.id, columns.back() + ".");
  }
  return columns;
}

/// What goes on behind "there is no such name".
std::string Instead(std::string_view name, std::vector<std::string> names) {
  if (std::string meant = DidYouMean(name, names); !meant.empty()) return meant;
  if (names.empty()) return "; there are none";
  const bool are_many = names.size() > kMostNames;
  names.resize(std::min(names.size(), kMostNames));
  std::transform(names.begin(), names.end(), names.begin(), PrintableName);
  return fmt::format("; there are: {}{}", fmt::join(names, ", "), are_many ? ", …" : "");
}

}  // namespace

arrow::Status CheckColumns(const Dataset& dataset, const std::vector<std::string>& columns) {
  for (const std::string& column : columns) {
    const auto& own = {RowReader::kRowId, RowReader::kRowAddress, SearchResult::kDistance};
    if (std::find(own.begin(), own.end(), column) != own.end()) continue;
    if (dataset.manifest().FindField(column) != nullptr) continue;
    return arrow::Status::KeyError("the dataset has no column '", column, "'",
                                   Instead(column, ColumnsOf(dataset.manifest())));
  }
  return arrow::Status::OK();
}

arrow::Status CheckIndex(const Dataset& dataset, const std::string& index) {
  const std::vector<std::string> names = dataset.VectorIndexNames();
  if (index.empty() || std::find(names.begin(), names.end(), index) != names.end()) return arrow::Status::OK();
  return arrow::Status::KeyError("the dataset has no vector index called '", index, "'", Instead(index, names));
}

}  // namespace fewter::cli
