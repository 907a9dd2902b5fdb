#include "search_output.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <arrow/builder.h>
#include <arrow/type.h>

namespace fewter::python {

namespace {

constexpr const char* kQueryIndex = "query_index";
constexpr const char* kDistance = "_distance";
constexpr const char* kRowId = "_rowid";

/// A column with a value for each row of each result, which `value_of` makes of the number of the query and the row.
template <typename Builder, typename ValueOf>
arrow::Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<SearchResult>& results, ValueOf&& value_of) {
  Builder builder;
  for (size_t query = 0; query < results.size(); ++query) {
    ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(results[query].rows.size())));
    for (const Neighbor& row : results[query].rows) builder.UnsafeAppend(value_of(query, row));
  }
  return builder.Finish();
}

/// The columns of all results, one behind the other; those of a single one are not copied.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> JoinedColumns(const Dataset& dataset,
                                                                 const std::vector<SearchResult>& results,
                                                                 const std::vector<std::string>& names) {
  if (results.empty()) return dataset.Take({}, names);
  if (results.size() == 1) return results.front().columns;
  arrow::RecordBatchVector batches;
  for (const SearchResult& result : results) batches.push_back(result.columns);
  return arrow::ConcatenateRecordBatches(batches);
}

}  // namespace

std::vector<std::string> DatasetColumns(const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(names),
               [](const std::string& name) { return name != kQueryIndex && name != kDistance && name != kRowId; });
  return names;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(const Dataset& dataset,
                                                          const std::vector<SearchResult>& results,
                                                          const std::vector<std::string>& columns) {
  const auto names = DatasetColumns(columns);
  std::shared_ptr<arrow::RecordBatch> taken;
  if (!names.empty()) {
    ARROW_ASSIGN_OR_RAISE(taken, JoinedColumns(dataset, results, names));
  }
  int64_t num_rows = 0;
  for (const SearchResult& result : results) num_rows += static_cast<int64_t>(result.rows.size());
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  int next_taken = 0;
  for (const std::string& name : columns) {
    if (name == kQueryIndex) {
      ARROW_ASSIGN_OR_RAISE(arrays.emplace_back(),
                            ColumnOf<arrow::Int32Builder>(
                                results, [](size_t query, const Neighbor&) { return static_cast<int32_t>(query); }));
      fields.push_back(arrow::field(name, arrow::int32(), /*nullable=*/false));
    } else if (name == kDistance) {
      ARROW_ASSIGN_OR_RAISE(
          arrays.emplace_back(),
          ColumnOf<arrow::FloatBuilder>(results, [](size_t, const Neighbor& row) { return row.distance; }));
      fields.push_back(arrow::field(name, arrow::float32()));
    } else if (name == kRowId) {
      ARROW_ASSIGN_OR_RAISE(
          arrays.emplace_back(),
          ColumnOf<arrow::UInt64Builder>(results, [](size_t, const Neighbor& row) { return row.row_id; }));
      fields.push_back(arrow::field(name, arrow::uint64()));
    } else {
      arrays.push_back(taken->column(next_taken));
      fields.push_back(taken->schema()->field(next_taken++));
    }
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
}

}  // namespace fewter::python
