#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include <arrow/util/bit_util.h>
#include <arrow/util/thread_pool.h>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/exact_search.h"
#include "fewter/dataset/filtered_rows.h"
#include "fewter/dataset/live_rows.h"
#include "fewter/dataset/row_filters.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/dataset/search_checks_internal.h"
#include "fewter/dataset/search_observer.h"
#include "fewter/dataset/search_result_internal.h"
#include "fewter/dataset/segment_search_internal.h"
#include "fewter/dataset/vector_column.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/trace.h"
#include "fewter/vector/ivf/moved_rows.h"

namespace fewter {

namespace {

lance::IoQuery::Limits LimitsOf(const SearchRequest& request) {
  lance::IoQuery::Limits limits{.stop_token = request.stop_token};
  if (request.io_timeout) limits.deadline = lance::IoEvent::Clock::now() + *request.io_timeout;
  return limits;
}

/// Of a fragment, an exact search reads the rows that a filter takes one by one if they are no more than one in so
/// many.
constexpr uint64_t kSparse = 16;
constexpr size_t kRowsTakenTogether = 4096;
/// Of the candidates of several queries, which are then held twice for a moment.
constexpr uint64_t kVectorBytesTakenTogether = 64 << 20;

}  // namespace

/// One search under way, for one query or several.
class DatasetSearch {
 public:
  /// All of which must outlive it.
  DatasetSearch(const Dataset& dataset, const SearchRequest& request, std::span<const std::vector<float>> queries)
      : dataset_(dataset), request_(request), queries_(queries), results_(queries.size()) {}

  /// A result for each query.
  arrow::Result<std::vector<SearchResult>> Run() {
    ARROW_RETURN_NOT_OK(CheckNumbers(request_));
    ARROW_ASSIGN_OR_RAISE(const lance::Field* field, dataset_.FindColumn(request_.column));
    ARROW_ASSIGN_OR_RAISE(column_, dataset_.GetVectorColumn(*field));
    for (const auto& query : queries_) ARROW_RETURN_NOT_OK(CheckQuery(request_, query, *column_));
    ARROW_RETURN_NOT_OK(FindColumns());
    ARROW_RETURN_NOT_OK(FindFilter());
    ARROW_RETURN_NOT_OK(OpenSegments());
    if (segments_.empty()) {
      metric_ =
          request_.metric.value_or(column_->element_type() == ElementType::kUint8 ? Metric::kHamming : Metric::kL2);
      // As pylance: no index covers any row.
      if (!request_.indexed_rows_only) {
        ARROW_RETURN_NOT_OK(SearchExactly(Wanted(dataset_.manifest().fragments), results_));
      }
    } else {
      metric_ = segments_.front()->index->state().metric;
      ARROW_RETURN_NOT_OK(SearchIndexAndRest(Uncovered()));
    }
    for (auto& result : results_) result.rows = NearestOf(std::move(result.rows), request_.k);
    if (request_.filter_after) ARROW_RETURN_NOT_OK(FilterFoundRows());
    ARROW_RETURN_NOT_OK(AddColumns());
    return std::move(results_);
  }

 private:
  using Fragments = std::vector<const lance::Fragment*>;

  /// Which rows may be found.
  arrow::Status FindFilter() {
    prefilter_ = request_.prefilter;
    if (request_.filter == nullptr) {
      if (request_.filter_after) return ArgumentError("no filter to apply after the search");
      return arrow::Status::OK();
    }
    if (request_.filter_after) {
      ARROW_ASSIGN_OR_RAISE(postfilter_, dataset_.Bind(*request_.filter));
      return arrow::Status::OK();
    }
    const TracedSpan span("fewter.filter");
    if (request_.fragments) {
      const Fragments fragments = Wanted(dataset_.manifest().fragments);
      ARROW_ASSIGN_OR_RAISE(const auto taken, dataset_.TakenOfEach(*request_.filter, fragments));
      ARROW_ASSIGN_OR_RAISE(filtered_, FilteredRows::Make(*dataset_.store_, dataset_.manifest(), fragments, taken));
    } else {
      ARROW_ASSIGN_OR_RAISE(filtered_, dataset_.RowsTaken(request_.filter));
    }
    prefilter_ = BothOf(filtered_, prefilter_);
    return arrow::Status::OK();
  }

  /// Leaves of all results the rows that the filter takes.
  arrow::Status FilterFoundRows() {
    const TracedSpan span("fewter.filter");
    std::vector<uint64_t> ids;
    for (const auto& result : results_) {
      for (const Neighbor& row : result.rows) ids.push_back(row.row_id);
    }
    ARROW_ASSIGN_OR_RAISE(const auto rows, dataset_.TakeRows(ids, postfilter_->columns(), true));
    ARROW_ASSIGN_OR_RAISE(const auto taken, postfilter_->Evaluate(*rows));
    int64_t place = 0;
    for (auto& result : results_) {
      std::erase_if(result.rows, [&](const Neighbor&) { return !arrow::bit_util::GetBit(taken->data(), place++); });
    }
    return arrow::Status::OK();
  }

  /// The segments to search; none for an exact search.
  arrow::Status OpenSegments() {
    if (!request_.use_index) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(chosen_, dataset_.FindIndex(request_.column, request_.index));
    if (request_.segments) ARROW_RETURN_NOT_OK(KeepNamedSegments());
    ARROW_RETURN_NOT_OK(GetSegments());
    for (const auto& segment : segments_) {
      const IvfIndexState& state = segment->index->state();
      if (state.model->dimension() != column_->dimension() || state.element_type != column_->element_type()) {
        return arrow::Status::Invalid(state.index_file.path, ": an index over vectors of ", state.model->dimension(),
                                      " ", ToString(state.element_type), ", but column '", request_.column, "' has ",
                                      column_->dimension(), " ", ToString(column_->element_type()));
      }
      // As pylance: an index of another metric is no use.
      if (request_.metric && state.metric != *request_.metric) {
        segments_.clear();
        break;
      }
    }
    return arrow::Status::OK();
  }

  /// The chosen segments; of a remote store those that are not open yet are opened side by side.
  arrow::Status GetSegments() {
    segments_.resize(chosen_.size());
    return dataset_.store_->RunTogether(
        chosen_.size(), [&](size_t i) { return dataset_.GetSegment(*chosen_[i]).Value(&segments_[i]); });
  }

  arrow::Status KeepNamedSegments() {
    std::set<std::string> wanted(request_.segments->begin(), request_.segments->end());
    std::erase_if(chosen_, [&](const auto* metadata) { return wanted.erase(metadata->uuid.ToString()) == 0; });
    if (!wanted.empty()) {
      return arrow::Status::KeyError("column '", request_.column, "' has no index segment ", *wanted.begin());
    }
    if (chosen_.empty()) return ArgumentError("no segments to search");
    return arrow::Status::OK();
  }

  bool IsWanted(uint64_t fragment) const {
    return !request_.fragments ||
           std::find(request_.fragments->begin(), request_.fragments->end(), fragment) != request_.fragments->end();
  }

  Fragments Wanted(const std::vector<lance::Fragment>& fragments) const {
    Fragments wanted;
    for (const auto& fragment : fragments) {
      if (IsWanted(fragment.id)) wanted.push_back(&fragment);
    }
    return wanted;
  }

  /// The wanted fragments that no segment covers.
  Fragments Uncovered() const {
    if (request_.indexed_rows_only || request_.segments) return {};
    std::unordered_set<uint64_t> covered;
    for (const auto* metadata : chosen_) {
      if (metadata->fragments) covered.insert(metadata->fragments->begin(), metadata->fragments->end());
    }
    Fragments uncovered = Wanted(dataset_.manifest().fragments);
    std::erase_if(uncovered, [&](const auto* fragment) { return covered.contains(fragment->id); });
    return uncovered;
  }

  /// A segment, and what rows of it may be returned.
  arrow::Result<SegmentToSearch> WithFilters(const lance::IndexMetadata& metadata, const Segment& segment) const {
    LiveRows live = segment.live_rows;
    if (request_.fragments && metadata.fragments) {
      std::vector<uint32_t> wanted;
      for (const uint32_t fragment : *metadata.fragments) {
        if (IsWanted(fragment)) wanted.push_back(fragment);
      }
      ARROW_ASSIGN_OR_RAISE(live, ReadLiveRows(*dataset_.store_, dataset_.manifest(), wanted));
      if (segment.keeps_deleted_rows) live.are_all = false;
    }
    if (live.are_all) return SegmentToSearch{segment.index, prefilter_, std::move(live.filter)};
    return SegmentToSearch{segment.index, BothOf(std::move(live.filter), prefilter_), nullptr};
  }

  IvfSearchOptions SegmentOptions() const {
    return {.k = request_.k * std::max(request_.refine_factor, 1U),
            .nprobes = request_.nprobes,
            .lower = lower(),
            .upper = upper(),
            .ef = request_.ef,
            .approx_mode = request_.approx_mode,
            .threads = Threads(),
            .stop_token = &request_.stop_token};
  }

  /// As pylance clamps them.
  uint32_t Threads() const {
    if (request_.query_parallelism == 0) return 1;
    const auto most = static_cast<uint32_t>(std::max(dataset_.session().cpu_executor()->GetCapacity(), 1));
    return request_.query_parallelism < 0 ? most : std::min(static_cast<uint32_t>(request_.query_parallelism), most);
  }

  float lower() const { return request_.distance_from.value_or(std::numeric_limits<float>::lowest()); }
  float upper() const { return request_.distance_below.value_or(std::numeric_limits<float>::max()); }

  /// Of exact distances every one may be returned, infinite ones too, unless there are bounds.
  TopK MakeExactTopK(size_t k, const RowFilter* filter) const {
    return TopK(k, filter, request_.distance_from.value_or(-std::numeric_limits<float>::infinity()),
                request_.distance_below);
  }

  /// The segments, and the fragments that none covers: of a remote store side by side, since neither waits for anything
  /// that the other reads.
  arrow::Status SearchIndexAndRest(const Fragments& rest) {
    if (rest.empty()) {
      ARROW_RETURN_NOT_OK(FindCandidates());
      return request_.refine_factor != 0 ? ScoreAgain() : arrow::Status::OK();
    }
    std::vector<SearchResult> of_rest(queries_.size());
    ARROW_RETURN_NOT_OK(dataset_.store_->RunTogether(2, [&](size_t part) {
      if (part == 1) return SearchExactly(rest, of_rest);
      // Distances that are estimates cannot be compared with those of the rest.
      ARROW_RETURN_NOT_OK(FindCandidates());
      return ScoreAgain();
    }));
    for (size_t query = 0; query < queries_.size(); ++query) {
      SearchResult& result = results_[query];
      result.rows.insert(result.rows.end(), of_rest[query].rows.begin(), of_rest[query].rows.end());
      result.rows_compared_exactly += of_rest[query].rows_compared_exactly;
    }
    return arrow::Status::OK();
  }

  /// Fills the rows with the candidates of all segments.
  arrow::Status FindCandidates() {
    const TracedSpan span("fewter.index.search");
    std::vector<SegmentToSearch> segments;
    for (size_t i = 0; i < segments_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(segments.emplace_back(), WithFilters(*chosen_[i], *segments_[i]));
    }
    return SearchSegments(segments, queries_, SegmentOptions(), request_.max_nprobes, results_);
  }

  /// Puts exact distances in the place of the candidates' estimates. The vectors of as many queries as there is memory
  /// for are read together, so that these pay a store's round trips once.
  arrow::Status ScoreAgain() {
    const TracedSpan span("fewter.refine");
    ARROW_ASSIGN_OR_RAISE(const auto locations, dataset_.GetRowLocations());
    const uint64_t vector_bytes = uint64_t{column_->dimension()} * SizeOf(column_->element_type());
    for (size_t first = 0, end = 0; first < queries_.size(); first = end) {
      uint64_t bytes = 0;
      for (; end < queries_.size() && (end == first || bytes < kVectorBytesTakenTogether); ++end) {
        bytes += results_[end].rows.size() * vector_bytes;
      }
      ARROW_RETURN_NOT_OK(ScoreAgain(*locations, first, end));
    }
    return arrow::Status::OK();
  }

  /// The same for the queries [first, end).
  arrow::Status ScoreAgain(const RowLocations& locations, size_t first, size_t end) {
    std::vector<uint64_t> addresses;
    for (size_t query = first; query < end; ++query) {
      for (const Neighbor& row : results_[query].rows) {
        const auto address = locations.AddressOf(row.row_id);
        if (!address.ok()) {
          return arrow::Status::Invalid("an index of column '", request_.column, "': ", address.status().message());
        }
        addresses.push_back(*address);
      }
    }
    ARROW_ASSIGN_OR_RAISE(const auto vectors, column_->Take(addresses));
    int64_t place = 0;
    for (size_t query = first; query < end; ++query) {
      SearchResult& result = results_[query];
      std::vector<uint64_t> ids;
      ids.reserve(result.rows.size());
      for (const Neighbor& row : result.rows) ids.push_back(row.row_id);
      const auto mine = vectors->Slice(place, static_cast<int64_t>(ids.size()));
      place += mine->length();
      ARROW_ASSIGN_OR_RAISE(auto scorer, MakeScorer(query));
      TopK top_k = MakeExactTopK(ids.size(), nullptr);
      ARROW_RETURN_NOT_OK(scorer.Score(ids, static_cast<const arrow::FixedSizeListArray&>(*mine), &top_k));
      result.rows_compared_exactly += ids.size();
      result.rows = top_k.Finish();
    }
    return arrow::Status::OK();
  }

  /// Adds the nearest rows of some fragments, which are read once for all queries: of those of which a filter takes few
  /// rows only these.
  arrow::Status SearchExactly(const Fragments& fragments, std::span<SearchResult> results) {
    const TracedSpan span("fewter.exact_search");
    const bool none_deleted = std::none_of(fragments.begin(), fragments.end(),
                                           [](const auto* fragment) { return fragment->deletion_file.has_value(); });
    const auto filter = none_deleted ? prefilter_ : BothOf(BlockRows({&kDeletedRowId, 1}), prefilter_);
    const auto make_searches = [&]() -> arrow::Result<std::vector<ExactSearch>> {
      std::vector<ExactSearch> searches;
      for (size_t query = 0; query < queries_.size(); ++query) {
        ARROW_ASSIGN_OR_RAISE(auto scorer, MakeScorer(query));
        searches.push_back({std::move(scorer), MakeExactTopK(request_.k, filter.get())});
      }
      return searches;
    };
    Fragments whole;
    for (const auto* fragment : fragments) {
      const TakenRows* taken = filtered_ != nullptr ? filtered_->OfFragment(fragment->id) : nullptr;
      if (taken == nullptr || taken->num_taken() * kSparse > fragment->physical_rows) {
        whole.push_back(fragment);
        for (auto& result : results) result.rows_compared_exactly += fragment->live_rows();
      } else if (taken->num_taken() > 0) {
        ARROW_ASSIGN_OR_RAISE(auto searches, make_searches());
        ARROW_RETURN_NOT_OK(SearchTakenRows(*fragment, *taken, searches, results));
      }
    }
    if (whole.empty()) return arrow::Status::OK();
    const ExactScan scan{*dataset_.store_, dataset_.manifest(), *column_, Threads(), dataset_.session().cpu_executor()};
    ARROW_ASSIGN_OR_RAISE(const auto found, SearchFragments(scan, whole, make_searches));
    for (size_t query = 0; query < found.size(); ++query) {
      results[query].rows.insert(results[query].rows.end(), found[query].begin(), found[query].end());
    }
    return arrow::Status::OK();
  }

  /// The same for few rows of one fragment, the only ones that are read.
  arrow::Status SearchTakenRows(const lance::Fragment& fragment, const TakenRows& taken,
                                std::span<ExactSearch> searches, std::span<SearchResult> results) {
    ARROW_ASSIGN_OR_RAISE(const auto ids, RowIdsOfFragment(*dataset_.store_, dataset_.manifest(), fragment));
    const auto offsets = taken.Offsets();
    for (size_t begin = 0; begin < offsets.size(); begin += kRowsTakenTogether) {
      std::vector<uint64_t> addresses, row_ids;
      for (size_t i = begin; i < std::min(begin + kRowsTakenTogether, offsets.size()); ++i) {
        addresses.push_back(fragment.id << 32 | offsets[i]);
        row_ids.push_back(ids[offsets[i]]);
      }
      ARROW_ASSIGN_OR_RAISE(const auto vectors, column_->Take(addresses));
      for (auto& [scorer, top_k] : searches) ARROW_RETURN_NOT_OK(scorer.Score(row_ids, *vectors, &top_k));
    }
    for (size_t query = 0; query < queries_.size(); ++query) {
      const auto rows = searches[query].top_k.Finish();
      results[query].rows.insert(results[query].rows.end(), rows.begin(), rows.end());
      results[query].rows_compared_exactly += offsets.size();
    }
    return arrow::Status::OK();
  }

  /// Which columns are to be read of the rows that are found; distances are not read.
  arrow::Status FindColumns() {
    if (request_.columns.empty()) return arrow::Status::OK();
    std::vector<std::string> stored = request_.columns;
    const auto distances = std::erase(stored, SearchResult::kDistance);
    if (distances > 1) return ArgumentError("column '", SearchResult::kDistance, "' is named twice");
    if (stored.empty()) {
      row_schema_ = arrow::schema({});
      return arrow::Status::OK();
    }
    return dataset_.GetRowReader()->SchemaOf(stored).Value(&row_schema_);
  }

  /// Takes the rows of all results together. A search finds live rows only.
  arrow::Status AddColumns() {
    if (row_schema_ == nullptr) return arrow::Status::OK();
    const TracedSpan span("fewter.take");
    std::vector<uint64_t> ids;
    for (const auto& result : results_) {
      for (const Neighbor& row : result.rows) ids.push_back(row.row_id);
    }
    auto rows = arrow::RecordBatch::Make(row_schema_, static_cast<int64_t>(ids.size()), arrow::ArrayVector());
    if (row_schema_->num_fields() > 0) {
      ARROW_ASSIGN_OR_RAISE(rows, dataset_.TakeRows(ids, row_schema_, true));
    }
    int64_t first = 0;
    for (auto& result : results_) {
      const auto count = static_cast<int64_t>(result.rows.size());
      ARROW_ASSIGN_OR_RAISE(result.columns, WithDistances(rows->Slice(first, count), request_.columns, result.rows));
      first += count;
    }
    return arrow::Status::OK();
  }

  arrow::Result<ExactScorer> MakeScorer(size_t query) const {
    return ExactScorer::Make(column_->element_type(), column_->dimension(), metric_, queries_[query].data());
  }

  const Dataset& dataset_;
  /// Of the queries it says nothing.
  const SearchRequest& request_;
  std::span<const std::vector<float>> queries_;
  std::shared_ptr<VectorColumn> column_;
  /// Null for all rows.
  std::shared_ptr<const RowFilter> prefilter_;
  /// Null without a filter before the search.
  std::shared_ptr<const FilteredRows> filtered_;
  std::optional<BoundFilter> postfilter_;
  Metric metric_ = Metric::kL2;
  std::vector<const lance::IndexMetadata*> chosen_;
  /// As many as chosen_, or none for an exact search.
  std::vector<std::shared_ptr<const Segment>> segments_;
  /// Null if no columns are wanted.
  std::shared_ptr<arrow::Schema> row_schema_;
  std::vector<SearchResult> results_;
};

arrow::Result<SearchResult> Dataset::Search(const SearchRequest& request) const {
  ARROW_ASSIGN_OR_RAISE(auto results, RunSearch(request, {&request.query, 1}));
  return std::move(results.front());
}

arrow::Result<std::vector<SearchResult>> Dataset::SearchMany(const SearchRequest& request,
                                                             std::span<const std::vector<float>> queries) const {
  if (queries.empty()) return std::vector<SearchResult>();
  return RunSearch(request, queries);
}

arrow::Result<std::vector<SearchResult>> Dataset::RunSearch(const SearchRequest& request,
                                                            std::span<const std::vector<float>> queries) const {
  SearchObserver observer(session_.get(), store_->identity(), request, queries.size());
  CacheQuery query;
  const CacheQuery::Scope scope(&query);
  lance::IoQuery io(LimitsOf(request));
  const lance::IoQuery::Scope io_scope(&io);
  auto results = DatasetSearch(*this, request, queries).Run();
  observer.Ended(results.status());
  if (!results.ok()) return results;
  results->front().cache = query.Activity();
  results->front().io = io.counter().Snapshot();
  return results;
}

}  // namespace fewter
