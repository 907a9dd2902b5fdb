#include "fewter/lance/encoding/column_reader_internal.h"

#include <algorithm>
#include <utility>

#include "fewter/util/bytes.h"

namespace fewter::lance {

arrow::Result<std::shared_ptr<ColumnReader>> MakeColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                              const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(LocatedField field, LocateField(*metadata, path));
  // In version 2.0 no struct is null, so that it does not matter what is around a field.
  if (metadata->version() == FileVersion::kV2_0) {
    return MakeArrayColumnReader(std::move(metadata), std::move(field.tree));
  }
  return MakeStructuralColumnReader(std::move(metadata), std::move(field));
}

arrow::Result<const ColumnMetadata*> ColumnAt(const FileMetadata& metadata, uint64_t index) {
  if (index < metadata.columns().size()) return &metadata.columns()[index];
  return arrow::Status::Invalid("stored in column ", index, ", but the file has ", metadata.columns().size());
}

PageIndex::PageIndex(const ColumnMetadata& column, uint64_t values_per_row) : starts_{0} {
  // FileMetadata has checked the sum.
  for (const PageMetadata& page : column.pages) starts_.push_back(starts_.back() + page.num_rows / values_per_row);
}

arrow::Result<std::vector<PageRows>> PageIndex::Divide(const std::vector<RowRange>& rows) const {
  std::vector<PageRows> pages;
  for (const RowRange& range : rows) {
    if (!RangeIsInside(range.start, range.length, num_rows())) {
      return arrow::Status::Invalid("rows ", range.start, " + ", range.length, " of ", num_rows());
    }
    auto page =
        static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), range.start) - starts_.begin() - 1);
    for (uint64_t row = range.start; row < range.end(); ++page) {
      const uint64_t end = std::min(range.end(), starts_[page + 1]);
      if (end <= row) continue;
      if (pages.empty() || pages.back().page != page) pages.push_back({page, {}});
      pages.back().ranges.push_back({row - starts_[page], end - row});
      row = end;
    }
  }
  return pages;
}

}  // namespace fewter::lance
