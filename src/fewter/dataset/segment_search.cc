#include "fewter/dataset/segment_search_internal.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <unordered_set>
#include <utility>

#include "fewter/dataset/row_filters.h"
#include "fewter/dataset/segment.h"
#include "fewter/vector/ivf/moved_rows.h"

namespace fewter {

namespace {

/// A table costs more than comparing so few.
constexpr size_t kFewRows = 32;

bool HasRepeatedIds(std::span<const Neighbor> rows) {
  if (rows.size() <= kFewRows) {
    for (size_t i = 1; i < rows.size(); ++i) {
      const auto same = [&](const Neighbor& row) { return row.row_id == rows[i].row_id; };
      if (std::any_of(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(i), same)) return true;
    }
    return false;
  }
  // Open addressing, a quarter full. No row is called kDeletedRowId.
  std::vector<uint64_t> table(std::bit_ceil(rows.size() * 4), kDeletedRowId);
  const int shift = 64 - std::countr_zero(table.size());
  for (const Neighbor& row : rows) {
    size_t slot = row.row_id * 0x9e3779b97f4a7c15U >> shift;
    for (; table[slot] != kDeletedRowId; slot = (slot + 1) & (table.size() - 1)) {
      if (table[slot] == row.row_id) return true;
    }
    table[slot] = row.row_id;
  }
  return false;
}

/// The k nearest in order, each row once, where it is nearest: segments may overlap, and an index file may be damaged.
std::vector<Neighbor> DifferentNearestOf(std::vector<Neighbor> rows, uint32_t k) {
  std::sort(rows.begin(), rows.end(), Nearer);
  if (HasRepeatedIds(std::span(rows).first(std::min<size_t>(k, rows.size())))) {
    std::unordered_set<uint64_t> seen;
    std::erase_if(rows, [&](const Neighbor& row) { return !seen.insert(row.row_id).second; });
  }
  if (rows.size() > k) rows.resize(k);
  return rows;
}

class SegmentSearch {
 public:
  SegmentSearch(std::span<const std::vector<float>> queries, std::span<SearchResult> results)
      : queries_(queries), results_(results) {}

  /// One query in one segment.
  arrow::Status Search(size_t query, const SegmentToSearch& segment, IvfSearchOptions options) {
    options.filter = segment.scanning.get();
    const auto rows = segment.index->Search(queries_[query].data(), options, &results_[query].counts);
    if (!rows.ok()) return WithAdvice(rows.status());
    return AddRows(query, segment, options, *rows);
  }

  /// All queries in one segment.
  arrow::Status SearchAll(const SegmentToSearch& segment, IvfSearchOptions options) {
    if (queries_.size() == 1) return Search(0, segment, options);
    options.filter = segment.scanning.get();
    std::vector<const float*> vectors;
    for (const auto& query : queries_) vectors.push_back(query.data());
    std::vector<IvfSearchCounts> counts(queries_.size());
    const auto found = segment.index->SearchMany(vectors, options, counts);
    if (!found.ok()) return WithAdvice(found.status());
    for (size_t query = 0; query < queries_.size(); ++query) {
      ARROW_RETURN_NOT_OK(AddRows(query, segment, options, (*found)[query]));
      results_[query].counts.partitions_searched += counts[query].partitions_searched;
      results_[query].counts.rows_scanned += counts[query].rows_scanned;
    }
    return arrow::Status::OK();
  }

  /// If all segments together have found too little: one partition more of each, until there is enough.
  arrow::Status SearchFurther(size_t query, std::span<const SegmentToSearch> segments, IvfSearchOptions options,
                              uint32_t max_nprobes) {
    while (results_[query].rows.size() < options.k && options.nprobes < max_nprobes) {
      options.skipped_probes = options.nprobes++;
      bool has_more = false;
      for (const SegmentToSearch& segment : segments) {
        if (options.skipped_probes >= segment.index->state().model->num_partitions()) continue;
        has_more = true;
        ARROW_RETURN_NOT_OK(Search(query, segment, options));
      }
      if (!has_more) break;
    }
    return arrow::Status::OK();
  }

 private:
  /// What a segment has found for a query. If rows are among it that the dataset does not have, the index is damaged,
  /// and is searched again for those that it has.
  arrow::Status AddRows(size_t query, const SegmentToSearch& segment, const IvfSearchOptions& options,
                        const std::vector<Neighbor>& rows) {
    const auto can_be = [&](const Neighbor& row) { return segment.checking->Allows(row.row_id); };
    if (segment.checking != nullptr && !std::all_of(rows.begin(), rows.end(), can_be)) {
      return Search(query, {segment.index, BothOf(segment.checking, segment.scanning), nullptr}, options);
    }
    results_[query].rows.insert(results_[query].rows.end(), rows.begin(), rows.end());
    return arrow::Status::OK();
  }

  const std::span<const std::vector<float>> queries_;
  const std::span<SearchResult> results_;
};

}  // namespace

arrow::Status SearchSegments(std::span<const SegmentToSearch> segments, std::span<const std::vector<float>> queries,
                             const IvfSearchOptions& options, uint32_t max_nprobes, std::span<SearchResult> results) {
  SegmentSearch search(queries, results);
  for (const SegmentToSearch& segment : segments) ARROW_RETURN_NOT_OK(search.SearchAll(segment, options));
  for (size_t query = 0; query < queries.size(); ++query) {
    ARROW_RETURN_NOT_OK(options.stop_token->Poll());
    ARROW_RETURN_NOT_OK(search.SearchFurther(query, segments, options, max_nprobes));
    results[query].rows = DifferentNearestOf(std::move(results[query].rows), options.k);
  }
  return arrow::Status::OK();
}

}  // namespace fewter
