#include "fewter/dataset/search_result_internal.h"

#include <algorithm>
#include <utility>

#include <arrow/array/builder_primitive.h>
#include <arrow/type.h>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_reader.h"

namespace fewter {

namespace {

/// `value_of(row)` for each row.
template <typename Builder, typename ValueOf>
arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(std::span<const Neighbor> rows, const ValueOf& value_of) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(rows.size())));
  for (const Neighbor& row : rows) builder.UnsafeAppend(value_of(row));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> AddDistances(const arrow::RecordBatch& columns, int position,
                                                                std::span<const Neighbor> rows) {
  ARROW_ASSIGN_OR_RAISE(auto distances,
                        ArrayOf<arrow::FloatBuilder>(rows, [](const Neighbor& row) { return row.distance; }));
  return columns.AddColumn(position, arrow::field(SearchResult::kDistance, arrow::float32()), distances);
}

}  // namespace

std::vector<Neighbor> NearestOf(std::vector<Neighbor> rows, uint32_t k) {
  std::sort(rows.begin(), rows.end(), Nearer);
  if (rows.size() > k) rows.resize(k);
  return rows;
}

std::vector<Neighbor> MergeNearest(std::span<const SearchResult> parts, uint32_t k) {
  std::vector<Neighbor> rows;
  for (const SearchResult& part : parts) rows.insert(rows.end(), part.rows.begin(), part.rows.end());
  return NearestOf(std::move(rows), k);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithDistances(std::shared_ptr<arrow::RecordBatch> columns,
                                                                 const std::vector<std::string>& names,
                                                                 std::span<const Neighbor> rows) {
  const auto found = std::find(names.begin(), names.end(), SearchResult::kDistance);
  if (found == names.end()) return columns;
  return AddDistances(*columns, static_cast<int>(found - names.begin()), rows);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> SearchResult::ToRecordBatch() const {
  if (columns != nullptr) {
    if (columns->schema()->GetFieldIndex(kDistance) >= 0) return columns;
    return AddDistances(*columns, columns->num_columns(), rows);
  }
  ARROW_ASSIGN_OR_RAISE(auto row_ids,
                        ArrayOf<arrow::UInt64Builder>(rows, [](const Neighbor& row) { return row.row_id; }));
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field(RowReader::kRowId, arrow::uint64())}),
                                              static_cast<int64_t>(rows.size()), {std::move(row_ids)});
  return AddDistances(*batch, 0, rows);
}

}  // namespace fewter
