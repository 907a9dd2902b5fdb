#include "fewter/dataset/missing_names.h"

#include <algorithm>
#include <cstddef>

#include "fewter/util/similar_names.h"
#include "fewter/util/status_text.h"

namespace fewter {

namespace {

/// So many names are listed.
constexpr size_t kMostNames = 20;

/// What goes on behind "there is no such name".
std::string Instead(std::string_view name, const std::vector<std::string>& names) {
  if (std::string meant = DidYouMean(name, names); !meant.empty()) return meant;
  if (names.empty()) return "; there are none";
  std::string list = "; there are: ";
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) list += (i > 0 ? ", " : "") + PrintableName(names[i]);
  return list + (names.size() > kMostNames ? ", …" : "");
}

}  // namespace

arrow::Status NoSuchColumn(const std::vector<lance::Field>& fields, std::string_view column) {
  return arrow::Status::KeyError("the dataset has no column '", column, "'",
                                 Instead(column, lance::ColumnPaths(fields)));
}

arrow::Status NoSuchIndex(std::string_view owner, std::string_view index, const std::vector<std::string>& names) {
  return arrow::Status::KeyError(owner, " has no vector index called '", index, "'", Instead(index, names));
}

}  // namespace fewter
