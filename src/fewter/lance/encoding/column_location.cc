#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <utility>

#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

bool IsTrue(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  constexpr std::string_view kTrue = "true";
  return found != metadata.end() && std::equal(found->second.begin(), found->second.end(), kTrue.begin(), kTrue.end(),
                                               [](unsigned char a, char b) { return std::tolower(a) == b; });
}

/// Fields whose children are stored with them, in the one column.
bool IsOpaque(const Field& field) {
  return field.metadata.contains("lance-encoding:blob") || IsTrue(field.metadata, "packed") ||
         IsTrue(field.metadata, "lance-encoding:packed");
}

/// Counts columns over fields in pre-order.
class ColumnCounter {
 public:
  explicit ColumnCounter(const FileMetadata& metadata) : fields_(metadata.fields()), version_(metadata.version()) {}

  /// Whether the field has a column of its own. Version 2.0 has one for every field, later ones for leaves only.
  bool HasColumn(size_t position) const {
    const bool is_leaf = IsOpaque(fields_[position]) || SubtreeEnd(position) == position + 1;
    return is_leaf || version_ == FileVersion::kV2_0;
  }

  /// The next field that may have a column.
  size_t Next(size_t position) const { return IsOpaque(fields_[position]) ? SubtreeEnd(position) : position + 1; }

  /// The position after the last field below the one at `root`.
  size_t SubtreeEnd(size_t root) const {
    std::vector<int32_t> open = {fields_[root].id};
    size_t i = root + 1;
    for (; i < fields_.size() && fields_[i].parent_id != -1; ++i) {
      while (!open.empty() && open.back() != fields_[i].parent_id) open.pop_back();
      if (open.empty()) break;
      open.push_back(fields_[i].id);
    }
    return i;
  }

 private:
  const std::vector<Field>& fields_;
  const FileVersion version_;
};

arrow::Result<const ColumnMetadata*> ColumnAt(const FileMetadata& metadata, uint64_t index) {
  if (index < metadata.columns().size()) return &metadata.columns()[index];
  return arrow::Status::Invalid("stored in column ", index, ", but the file has ", metadata.columns().size());
}

arrow::Result<ColumnLocation> Describe(const FileMetadata& metadata, size_t position, size_t end, uint64_t column) {
  ColumnLocation location;
  location.field = metadata.fields()[position];
  ARROW_ASSIGN_OR_RAISE(location.column, ColumnAt(metadata, column));
  if (IsOpaque(location.field)) return arrow::Status::NotImplemented("packed structs and blobs");
  if (location.field.logical_type != "list") {
    ARROW_ASSIGN_OR_RAISE(location.type, ParseLogicalType(location.field.logical_type));
    if (end != position + 1)
      return arrow::Status::Invalid("a field of type '", location.field.logical_type, "' with children");
    return location;
  }
  if (end != position + 2) return arrow::Status::NotImplemented("a list of nested items");
  const Field& item = metadata.fields()[position + 1];
  ARROW_ASSIGN_OR_RAISE(location.type, ParseLogicalType(item.logical_type));
  location.item_field = arrow::field(item.name, location.type.ToArrow(), item.nullable);
  if (metadata.version() == FileVersion::kV2_0) {
    ARROW_ASSIGN_OR_RAISE(location.item_column, ColumnAt(metadata, column + 1));
  }
  return location;
}

}  // namespace

arrow::Result<ColumnLocation> LocateColumn(const FileMetadata& metadata, const std::string& path) {
  const Field* wanted = FindField(metadata.fields(), path);
  if (wanted == nullptr) return arrow::Status::KeyError("no such column");
  const auto position = static_cast<size_t>(wanted - metadata.fields().data());
  const ColumnCounter counter(metadata);
  uint64_t column = 0;
  size_t i = 0;
  for (; i < position; i = counter.Next(i)) column += counter.HasColumn(i) ? 1 : 0;
  if (i > position) return arrow::Status::NotImplemented("a field of a packed struct");
  return Describe(metadata, position, counter.SubtreeEnd(position), column);
}

arrow::Result<std::shared_ptr<ColumnReader>> MakeColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                              const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(ColumnLocation location, LocateColumn(*metadata, name));
  if (metadata->version() == FileVersion::kV2_0) return MakeArrayColumnReader(std::move(metadata), std::move(location));
  return MakeStructuralColumnReader(std::move(metadata), std::move(location));
}

PageIndex::PageIndex(const ColumnMetadata& column) : starts_{0} {
  // FileMetadata has checked the sum.
  for (const PageMetadata& page : column.pages) starts_.push_back(starts_.back() + page.num_rows);
}

arrow::Result<std::vector<PageSlice>> PageIndex::Slices(RowRange rows) const {
  if (!RangeIsInside(rows.start, rows.length, num_rows())) {
    return arrow::Status::Invalid("rows ", rows.start, " + ", rows.length, " of ", num_rows());
  }
  std::vector<PageSlice> slices;
  auto page = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), rows.start) - starts_.begin() - 1);
  for (uint64_t row = rows.start; row < rows.end(); ++page) {
    const uint64_t end = std::min(rows.end(), starts_[page + 1]);
    if (end > row) slices.push_back({page, {row - starts_[page], end - row}});
    row = std::max(row, end);
  }
  return slices;
}

}  // namespace fewter::lance
