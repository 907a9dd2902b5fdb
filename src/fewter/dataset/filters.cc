#include <utility>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/filtered_rows.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/lance/schema.h"

/// Filters over a dataset: bound to its columns, evaluated, and kept.

namespace fewter {

arrow::Result<BoundFilter> Dataset::Bind(const Filter& filter) const {
  arrow::FieldVector columns;
  std::string unreadable;
  const auto& fields = manifest_->fields;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].parent_id != -1 || fields[i].id < 0) continue;
    auto column = lance::ToArrowField(fields, i);
    if (column.ok()) {
      columns.push_back(*std::move(column));
    } else {
      unreadable += " " + fields[i].name;
    }
  }
  columns.push_back(arrow::field(RowReader::kRowId, arrow::uint64()));
  columns.push_back(arrow::field(RowReader::kRowAddress, arrow::uint64()));
  auto bound = BoundFilter::Make(filter, arrow::Schema(std::move(columns)));
  if (bound.ok() || unreadable.empty() || !bound.status().IsKeyError()) return bound;
  return bound.status().WithMessage(bound.status().message(), " that is read; these are of other types:", unreadable);
}

arrow::Result<std::vector<std::shared_ptr<const TakenRows>>> Dataset::TakenOfEach(
    const Filter& filter, const std::vector<const lance::Fragment*>& fragments) const {
  ARROW_ASSIGN_OR_RAISE(const BoundFilter bound, Bind(filter));
  return GetFragmentFilter().Evaluate(bound, fragments);
}

FragmentFilter Dataset::GetFragmentFilter() const {
  return {store_, manifest_, GetRowReader(), session_->cpu_executor(), OfDataset()};
}

arrow::Result<std::shared_ptr<const FilteredRows>> Dataset::RowsTaken(
    const std::shared_ptr<const Filter>& filter) const {
  const auto evaluate = [&]() -> arrow::Result<std::shared_ptr<const FilteredRows>> {
    const auto fragments = AllFragments(*manifest_);
    ARROW_ASSIGN_OR_RAISE(const auto taken, TakenOfEach(*filter, fragments));
    return FilteredRows::Make(*store_, *manifest_, fragments, taken);
  };
  return OfDataset().GetOrLoad(FilteredRowsKey{.opened = number_, .filter = filter->identity()}, evaluate);
}

}  // namespace fewter
