#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include "fewter/simd/distance.h"
#include "fewter/util/side_by_side.h"
#include "fewter/vector/ivf/index.h"

namespace fewter {

namespace {

/// Pieces of work for each thread, so that none waits long for the last.
constexpr size_t kGroupsPerThread = 4;
/// Queries that go through the partitions together. What is ready for each of them is some kilobytes, of RaBitQ tens of
/// them.
constexpr size_t kMaxQueriesTogether = 1024;
/// Queries that are ranked together and then searched one by one.
constexpr size_t kMaxQueriesRanked = 128;
/// Partitions that are held at once by such queries.
constexpr size_t kPartitionsTogether = 16;

/// Of doubles in doubles, since floats cannot hold the squares of some that are not far out at all.
float LengthOf(const std::vector<float>& query, ElementType type) {
  if (type != ElementType::kFloat64) return std::sqrt(simd::NormSquared(query.data(), query.size()));
  const auto add = [](double sum, float value) { return sum + double{value} * double{value}; };
  return static_cast<float>(std::sqrt(std::accumulate(query.begin(), query.end(), 0.0, add)));
}

/// As it is compared with the rows: of the column's type, and of length 1 for cosine.
std::vector<float> Prepared(const float* query, const IvfIndexState& state) {
  std::vector<float> prepared(query, query + state.model->dimension());
  RoundTo(state.element_type, prepared);
  if (state.metric != Metric::kCosine) return prepared;
  const float norm = LengthOf(prepared, state.element_type);
  for (float& value : prepared) value /= norm;
  RoundTo(state.element_type, prepared);
  return prepared;
}

std::vector<RankedPartition> WithoutSkipped(std::vector<RankedPartition> ranked, const IvfSearchOptions& options) {
  const auto skipped = std::min<std::ptrdiff_t>(options.skipped_probes, std::ssize(ranked));
  ranked.erase(ranked.begin(), ranked.begin() + skipped);
  return ranked;
}

/// Whether what a scan reads next is asked for, since it seldom is in the processor's caches.
bool IsBeyondCaches(const IvfIndexState& state, const IvfSearchOptions& options) {
  return static_cast<int64_t>(state.storage_file.size) >= options.bytes_beyond_caches;
}

/// A query of one index, ready to be searched for.
class PreparedQuery {
 public:
  PreparedQuery(const IvfIndexState& state, const float* query, const IvfSearchOptions& options)
      : state_(state), options_(options), vector_(Prepared(query, state)) {}

  /// The partitions to search, nearest first.
  std::vector<RankedPartition> Rank() const {
    return WithoutSkipped(state_.model->SelectPartitions(vector_.data(), state_.metric, options_.nprobes), options_);
  }
  const std::vector<float>& vector() const { return vector_; }

  ScorerOptions scoring() const {
    return {.metric = state_.metric, .element_type = state_.element_type, .approx_mode = options_.approx_mode};
  }
  SubIndexSearchOptions walking() const { return {.ef = options_.ef, .approx_mode = options_.approx_mode}; }
  bool DependsOnOrder() const { return state_.quantizer->ScanDependsOnOrder(scoring()); }
  bool AnnouncesPartitions() const { return IsBeyondCaches(state_, options_); }

  std::unique_ptr<QueryScorer> MakeScorer() const { return state_.quantizer->MakeScorer(vector_.data(), scoring()); }
  TopK MakeTopK(SharedBound* shared = nullptr) const {
    return TopK(options_.k, options_.filter, options_.lower, options_.upper, shared);
  }
  ProbedPartition Probed(const RankedPartition& ranked) const {
    return {
        .number = ranked.partition, .distance = ranked.distance, .centroid = state_.model->centroid(ranked.partition)};
  }

 private:
  const IvfIndexState& state_;
  const IvfSearchOptions& options_;
  std::vector<float> vector_;
};

/// What Rank gives each of the queries; the centroids come from memory once for many of them.
std::vector<std::vector<RankedPartition>> RankAll(const IvfIndexState& state, std::span<const PreparedQuery> queries,
                                                  const IvfSearchOptions& options) {
  std::vector<float> vectors;
  vectors.reserve(queries.size() * state.model->dimension());
  for (const auto& query : queries) vectors.insert(vectors.end(), query.vector().begin(), query.vector().end());
  auto ranked = state.model->SelectPartitionsMany(vectors.data(), queries.size(), state.metric, options.nprobes);
  for (auto& partitions : ranked) partitions = WithoutSkipped(std::move(partitions), options);
  return ranked;
}

std::vector<uint32_t> NumbersOf(const std::vector<RankedPartition>& ranked) {
  std::vector<uint32_t> numbers(ranked.size());
  std::transform(ranked.begin(), ranked.end(), numbers.begin(), [](const auto& entry) { return entry.partition; });
  return numbers;
}

/// A partition that has rows, and how it lies to the query.
struct Probe {
  ProbedPartition probed;
  const Partition* partition;
};
using Probes = std::span<const Probe>;

std::vector<Probe> ProbesOf(const PreparedQuery& query, const std::vector<RankedPartition>& ranked,
                            const std::vector<std::shared_ptr<const Partition>>& partitions) {
  std::vector<Probe> probes;
  probes.reserve(ranked.size());
  for (size_t i = 0; i < ranked.size(); ++i) {
    if (partitions[i] != nullptr) probes.push_back({query.Probed(ranked[i]), partitions[i].get()});
  }
  return probes;
}

/// Calls `search` with each of the probes in order, and its place among those that the scorer is turned to.
template <typename Function>
void ForEachProbe(const PreparedQuery& query, Probes probes, QueryScorer* scorer, const Function& search) {
  const bool announces = query.AnnouncesPartitions();
  std::array<ProbedPartition, QueryScorer::kMaxPartitions> probed;
  while (!probes.empty()) {
    const Probes group = probes.first(std::min(probes.size(), probed.size()));
    for (size_t i = 0; i < group.size(); ++i) probed[i] = group[i].probed;
    scorer->BeginPartitions({probed.data(), group.size()});
    for (size_t i = 0; i < group.size(); ++i) {
      scorer->Announce(announces && i + 1 < probes.size() ? &probes[i + 1].partition->storage() : nullptr);
      search(*group[i].partition, i);
    }
    probes = probes.subspan(group.size());
  }
}

std::vector<Neighbor> SearchInTurn(const PreparedQuery& query, Probes probes) {
  auto scorer = query.MakeScorer();
  TopK top_k = query.MakeTopK();
  ForEachProbe(query, probes, scorer.get(), [&](const Partition& partition, size_t i) {
    partition.Search(query.walking(), i, scorer.get(), &top_k);
  });
  return top_k.Finish();
}

/// How many threads are worth their while.
size_t ThreadsFor(const PreparedQuery& query, Probes probes, const IvfSearchOptions& options) {
  const size_t most = std::min<size_t>(options.threads, probes.size());
  if (most <= 1) return 1;
  int64_t bytes = 0;
  for (const Probe& probe : probes) bytes += probe.partition->SizeInBytes();
  // A partition that is searched as if it were alone looks at many rows before it knows which can be left out. That
  // does not count only where the partition is large.
  if (query.DependsOnOrder() && bytes / std::ssize(probes) < options.bytes_worth_a_thread) return 1;
  return std::clamp<size_t>(static_cast<size_t>(bytes / std::max<int64_t>(options.bytes_worth_a_thread, 1)), 1, most);
}

/// Each thread takes the next few partitions until none is left, and keeps the nearest rows of its own; none looks at
/// rows that are farther than k of another's.
std::vector<Neighbor> SearchOnThreads(const PreparedQuery& query, Probes probes, size_t threads,
                                      arrow::internal::Executor* executor) {
  const size_t group = std::clamp<size_t>(probes.size() / (threads * kGroupsPerThread), 1, QueryScorer::kMaxPartitions);
  SharedBound shared;
  std::atomic<size_t> next{0};
  std::vector<std::vector<Neighbor>> found(threads);
  RunSideBySide(executor, threads, [&](size_t thread) {
    std::unique_ptr<QueryScorer> scorer;
    // Where the order matters a partition is searched as if it were alone, so that the result does not depend on time.
    const bool alone = query.DependsOnOrder();
    TopK top_k = query.MakeTopK(alone ? nullptr : &shared);
    for (size_t begin; (begin = next.fetch_add(group)) < probes.size();) {
      if (scorer == nullptr) scorer = query.MakeScorer();
      ForEachProbe(query, probes.subspan(begin, std::min(group, probes.size() - begin)), scorer.get(),
                   [&](const Partition& partition, size_t i) {
                     top_k.TakeSharedBound();
                     partition.Search(query.walking(), i, scorer.get(), &top_k);
                     if (!alone) return;
                     const auto rows = top_k.Finish();
                     found[thread].insert(found[thread].end(), rows.begin(), rows.end());
                   });
    }
    if (!alone) found[thread] = top_k.Finish();
  });
  TopK nearest = query.MakeTopK();
  for (const auto& rows : found) {
    for (const Neighbor& row : rows) nearest.Push(row.distance, row.row_id);
  }
  return nearest.Finish();
}

/// A partition to be searched for the query of that number.
struct Visit {
  RankedPartition ranked;
  uint32_t query;
};

/// Queries that go through the partitions together, in two passes: first each through the partition that is nearest to
/// it, whose rows leave little to be found in the others.
class QueriesTogether {
 public:
  QueriesTogether(const IvfIndexState& state, std::span<const float* const> queries, const IvfSearchOptions& options,
                  std::span<IvfSearchCounts> counts)
      : num_partitions_(state.model->num_partitions()), announces_(IsBeyondCaches(state, options)), counts_(counts) {
    queries_.reserve(queries.size());
    for (const float* query : queries) {
      const PreparedQuery& prepared = queries_.emplace_back(state, query, options);
      scorers_.push_back(prepared.MakeScorer());
      top_ks_.push_back(prepared.MakeTopK());
    }
    const auto ranked = RankAll(state, queries_, options);
    for (uint32_t number = 0; number < ranked.size(); ++number) {
      for (size_t i = 0; i < ranked[number].size(); ++i) {
        (i == 0 ? visits_ : later_).push_back({ranked[number][i], number});
      }
      if (!counts.empty()) counts[number].partitions_searched += ranked[number].size();
    }
    Sort();
  }

  /// The next partitions of the pass that any query looks at, each once; none at the end.
  std::vector<uint32_t> NextPartitions() const {
    std::vector<uint32_t> partitions;
    for (size_t i = next_; i < visits_.size(); ++i) {
      const uint32_t partition = visits_[i].ranked.partition;
      if (!partitions.empty() && partitions.back() == partition) continue;
      if (partitions.size() == kPartitionsTogether) break;
      partitions.push_back(partition);
    }
    return partitions;
  }

  /// Leaves the pass's visits to the next partition for the next pass.
  void Postpone() {
    for (const size_t end = EndOfVisits(); next_ < end; ++next_) later_.push_back(visits_[next_]);
  }

  void BeginNextPass() {
    visits_ = std::exchange(later_, {});
    next_ = 0;
    Sort();
  }

  /// Makes all visits of the pass to the next partition, which may be null, as may the one that comes after it.
  void Search(const Partition* partition, const Partition* after) {
    const size_t begin = next_;
    next_ = EndOfVisits();
    if (partition == nullptr) return;
    const bool is_scanned = partition->sub_index_kind() == SubIndexKind::kFlat;
    for (size_t n = begin; n < next_;) {
      const bool is_pair = is_scanned && n + 1 < next_;
      const uint32_t i = TurnTo(partition, n, n + 1 + is_pair == next_ ? after : nullptr);
      if (is_pair) {
        const uint32_t other = TurnTo(partition, n + 1, nullptr);
        scorers_[i]->ScanPair(partition->storage(), &top_ks_[i], scorers_[other].get(), &top_ks_[other]);
        n += 2;
      } else {
        partition->Search(queries_[i].walking(), 0, scorers_[i].get(), &top_ks_[i]);
        ++n;
      }
    }
  }

  std::vector<Neighbor> Finish(size_t query) { return top_ks_[query].Finish(); }

 private:
  /// By partition, counting how many go to each.
  void Sort() {
    std::vector<size_t> places(num_partitions_ + 1);
    for (const Visit& visit : visits_) ++places[visit.ranked.partition + 1];
    std::partial_sum(places.begin(), places.end(), places.begin());
    std::vector<Visit> sorted(visits_.size());
    for (const Visit& visit : visits_) sorted[places[visit.ranked.partition]++] = visit;
    visits_ = std::move(sorted);
  }

  /// After the visits to the next partition.
  size_t EndOfVisits() const {
    size_t end = next_;
    while (end < visits_.size() && visits_[end].ranked.partition == visits_[next_].ranked.partition) ++end;
    return end;
  }

  /// Turns the query of the n-th visit to its partition, and says which.
  uint32_t TurnTo(const Partition* partition, size_t n, const Partition* after) {
    const uint32_t i = visits_[n].query;
    scorers_[i]->Announce(announces_ && after != nullptr ? &after->storage() : nullptr);
    scorers_[i]->BeginPartition(queries_[i].Probed(visits_[n].ranked));
    if (!counts_.empty()) counts_[i].rows_scanned += partition->num_rows();
    return i;
  }

  size_t num_partitions_;
  bool announces_;
  std::vector<PreparedQuery> queries_;
  std::vector<std::unique_ptr<QueryScorer>> scorers_;
  std::vector<TopK> top_ks_;
  /// Of this pass, by partition; and of the next.
  std::vector<Visit> visits_, later_;
  size_t next_ = 0;
  std::span<IvfSearchCounts> counts_;
};

arrow::Status CheckStop(const IvfSearchOptions& options) {
  return options.stop_token == nullptr ? arrow::Status::OK() : options.stop_token->Poll();
}

/// Whether queries should go through the partitions together.
bool IsWorthSharing(const IvfIndexState& state, const IvfSearchOptions& options) {
  const ScorerOptions scoring{
      .metric = state.metric, .element_type = state.element_type, .approx_mode = options.approx_mode};
  const auto partition_bytes = static_cast<int64_t>(state.storage_file.size / state.model->num_partitions());
  return !state.quantizer->ScanDependsOnOrder(scoring) &&
         (state.quantizer->TurnsCheaply() || partition_bytes >= options.bytes_worth_sharing ||
          IsBeyondCaches(state, options));
}

std::vector<Neighbor> SearchRanked(const PreparedQuery& query, const std::vector<RankedPartition>& ranked,
                                   const std::vector<std::shared_ptr<const Partition>>& partitions,
                                   const IvfSearchOptions& options, arrow::internal::Executor* executor,
                                   IvfSearchCounts* counts) {
  const std::vector<Probe> probes = ProbesOf(query, ranked, partitions);
  if (counts != nullptr) {
    counts->partitions_searched += ranked.size();
    for (const Probe& probe : probes) counts->rows_scanned += probe.partition->num_rows();
  }
  const size_t threads = ThreadsFor(query, probes, options);
  return threads == 1 ? SearchInTurn(query, probes) : SearchOnThreads(query, probes, threads, executor);
}

}  // namespace

arrow::Result<std::vector<Neighbor>> IvfIndex::Search(const float* query, const IvfSearchOptions& options,
                                                      IvfSearchCounts* counts) const {
  const PreparedQuery prepared(*state_, query, options);
  const auto ranked = prepared.Rank();
  std::vector<arrow::Status> failures;
  const Partitions partitions = GetPartitions(NumbersOf(ranked), &failures);
  if (!failures.empty()) return failures.front();
  return SearchRanked(prepared, ranked, partitions, options, executors_.cpu, counts);
}

arrow::Status IvfIndex::SearchByQuery(std::span<const float* const> queries, IvfSearchOptions options,
                                      std::span<std::vector<Neighbor>> found, std::span<IvfSearchCounts> counts) const {
  options.threads = 1;
  std::vector<PreparedQuery> prepared;
  prepared.reserve(queries.size());
  for (const float* query : queries) prepared.emplace_back(*state_, query, options);
  const auto ranked = RankAll(*state_, prepared, options);
  for (size_t i = 0; i < queries.size(); ++i) {
    ARROW_RETURN_NOT_OK(CheckStop(options));
    std::vector<arrow::Status> failures;
    const Partitions partitions = GetPartitions(NumbersOf(ranked[i]), &failures);
    if (!failures.empty()) return failures.front();
    found[i] =
        SearchRanked(prepared[i], ranked[i], partitions, options, nullptr, counts.empty() ? nullptr : &counts[i]);
  }
  return arrow::Status::OK();
}

arrow::Status IvfIndex::SearchByPartition(std::span<const float* const> queries, const IvfSearchOptions& options,
                                          std::span<std::vector<Neighbor>> found,
                                          std::span<IvfSearchCounts> counts) const {
  QueriesTogether together(*state_, queries, options, counts);
  // Nothing is read for the first pass: a cache that cannot hold all would have to be filled twice.
  for (auto wanted = together.NextPartitions(); !wanted.empty(); wanted = together.NextPartitions()) {
    ARROW_RETURN_NOT_OK(CheckStop(options));
    std::vector<PartitionKey> keys(wanted.size());
    std::transform(wanted.begin(), wanted.end(), keys.begin(), [](uint32_t i) { return PartitionKey{i}; });
    const Partitions cached = FindPartitions(keys);
    for (size_t i = 0; i < cached.size(); ++i) {
      if (cached[i] == nullptr) {
        together.Postpone();
      } else {
        together.Search(cached[i].get(), i + 1 < cached.size() ? cached[i + 1].get() : nullptr);
      }
    }
  }
  together.BeginNextPass();
  for (auto wanted = together.NextPartitions(); !wanted.empty(); wanted = together.NextPartitions()) {
    ARROW_RETURN_NOT_OK(CheckStop(options));
    std::vector<arrow::Status> failures;
    const Partitions partitions = GetPartitions(wanted, &failures);
    if (!failures.empty()) return failures.front();
    for (size_t i = 0; i < partitions.size(); ++i) {
      together.Search(partitions[i].get(), i + 1 < partitions.size() ? partitions[i + 1].get() : nullptr);
    }
  }
  for (size_t i = 0; i < queries.size(); ++i) found[i] = together.Finish(i);
  return arrow::Status::OK();
}

arrow::Result<std::vector<std::vector<Neighbor>>> IvfIndex::SearchMany(std::span<const float* const> queries,
                                                                       const IvfSearchOptions& options,
                                                                       std::span<IvfSearchCounts> counts) const {
  const size_t threads = std::max<size_t>(options.threads, 1);
  const bool by_partition = IsWorthSharing(*state_, options);
  const size_t most = by_partition ? kMaxQueriesTogether : kMaxQueriesRanked;
  const size_t pieces = std::min(queries.size(), std::max(threads, (queries.size() + most - 1) / most));
  std::vector<std::vector<Neighbor>> found(queries.size());
  std::vector<arrow::Status> outcomes(pieces);
  const auto search = [&](auto some_queries, auto some_found, auto some_counts) {
    return by_partition ? SearchByPartition(some_queries, options, some_found, some_counts)
                        : SearchByQuery(some_queries, options, some_found, some_counts);
  };
  RunSideBySide(
      executors_.cpu, pieces,
      [&](size_t piece) {
        const size_t begin = queries.size() * piece / pieces, end = queries.size() * (piece + 1) / pieces;
        outcomes[piece] = search(queries.subspan(begin, end - begin), std::span(found).subspan(begin, end - begin),
                                 counts.empty() ? counts : counts.subspan(begin, end - begin));
      },
      threads);
  for (const auto& outcome : outcomes) ARROW_RETURN_NOT_OK(outcome);
  return found;
}

}  // namespace fewter
