#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "fewter/vector/subindex/hnsw/hnsw_graph_internal.h"
#include "fewter/vector/subindex/hnsw/visited_rows_internal.h"

namespace fewter {
namespace {

/// Rows that are scored at a time where they are not the neighbours of one.
constexpr size_t kRowsPerBatch = 256;

/// Among 100,000 sentence embeddings, graphs as Lance builds them by default, a walk with `ef` candidates compares the
/// query with 16 (ef + 16) rows where it is not through with all before (ef from 15 to 100, partitions of 500 and 6,700
/// rows). A row that it comes to costs two (floats) to four (bytes) times as much as the next row of a scan, which
/// arrives before it is asked for.
constexpr size_t kScannedRowsPerCandidate = 32;
constexpr size_t kCandidatesOfTheWayDown = 16;

/// What Lance takes without an explicit one.
size_t EffectiveEf(const SubIndexSearchOptions& options, size_t k) {
  return options.ef == 0 ? k + k / 2 : options.ef;
}

/// A row of the partition and how far it is from the query.
struct Found {
  float distance = 0;
  uint32_t row = 0;
};

// Objects and not functions, so that the heaps are sure to have them inlined.
constexpr auto kIsNearer = [](const Found& a, const Found& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
};
constexpr auto kIsFarther = [](const Found& a, const Found& b) { return kIsNearer(b, a); };

/// What a search writes to; kept by each thread, since allocating it would cost as much as a good part of a search.
struct Scratch {
  VisitedRows visited;
  std::vector<uint32_t> rows;
  std::vector<float> distances;
  /// A heap with the nearest on top.
  std::vector<Found> candidates;
  /// A heap with the farthest on top.
  std::vector<Found> results;
};

/// One search of one partition. A thread has one at a time: a RowFilter cannot search.
class Walk {
 public:
  Walk(const HnswGraph& graph, size_t i, const PartitionStorage& storage, QueryScorer* scorer, TopK* top_k)
      : graph_(graph), i_(i), storage_(storage), scorer_(scorer), top_k_(top_k), scratch_(ThreadScratch()) {}

  /// Compares the rows that pass the filter one by one, if they are fewer than a tenth; otherwise does nothing and
  /// returns false.
  bool SearchFewRows(const RowFilter& filter) {
    const uint32_t num_rows = graph_.num_rows(), limit = num_rows / 10;
    std::vector<uint32_t>& passing = scratch_.rows;
    passing.clear();
    for (uint32_t row = 0; row < num_rows && passing.size() < limit; ++row) {
      if (filter.Allows(storage_.row_ids()[row])) passing.push_back(row);
    }
    if (passing.size() >= limit) return false;
    for (size_t begin = 0; begin < passing.size(); begin += kRowsPerBatch) {
      const size_t count = std::min(kRowsPerBatch, passing.size() - begin);
      Score({passing.data() + begin, count});
      for (size_t j = 0; j < count; ++j) PushResult({scratch_.distances[j], passing[begin + j]});
    }
    return true;
  }

  void SearchGraph(size_t ef) {
    Expand(Descend(), ef);
    // Only the first k of them can stay, by the TopK's own order.
    for (const Found& result : scratch_.results) PushResult(result);
  }

 private:
  static Scratch& ThreadScratch() {
    thread_local Scratch scratch;
    return scratch;
  }

  /// To scratch_.distances. What cannot be compared is infinitely far.
  void Score(std::span<const uint32_t> rows) {
    if (scratch_.distances.size() < rows.size()) scratch_.distances.resize(rows.size());
    float* distances = scratch_.distances.data();
    scorer_->ScoreRows(i_, storage_, rows, distances);
    for (size_t j = 0; j < rows.size(); ++j) {
      if (std::isnan(distances[j])) distances[j] = std::numeric_limits<float>::infinity();
    }
  }

  /// Scores those of the neighbours that have not been visited, and calls `use` with each.
  template <typename Use>
  void ForEachNew(std::span<const uint32_t> neighbors, const Use& use) {
    if (scratch_.rows.size() < neighbors.size()) scratch_.rows.resize(neighbors.size());
    uint32_t* rows = scratch_.rows.data();
    size_t count = 0;
    for (uint32_t row : neighbors) {
      rows[count] = row;
      count += scratch_.visited.Insert(row) ? 1 : 0;
    }
    if (count == 0) return;
    Score({rows, count});
    for (size_t j = 0; j < count; ++j) use(Found{scratch_.distances[j], rows[j]});
  }

  /// The nearest row that the upper levels lead to. A row that was visited is no nearer than the current one, on
  /// whatever level that was, and need not be scored again.
  Found Descend() {
    scratch_.visited.Begin(graph_.num_rows());
    Found nearest;
    nearest.distance = std::numeric_limits<float>::infinity();
    const uint32_t entry_point = graph_.entry_point();
    ForEachNew({&entry_point, 1}, [&](const Found& found) { nearest = found; });
    for (uint32_t level = graph_.num_upper_levels(); level-- > 0;) {
      uint32_t from = 0;
      do {
        from = nearest.row;
        ForEachNew(graph_.UpperNeighborsOf(level, from), [&](const Found& found) {
          if (found.distance < nearest.distance) nearest = found;
        });
      } while (nearest.row != from);
    }
    return nearest;
  }

  /// Expands the nearest candidates of level 0 until the `ef` best rows are nearer than all that are left.
  void Expand(const Found& start, size_t ef) {
    auto& candidates = scratch_.candidates;
    candidates.clear();
    scratch_.results.clear();
    scratch_.visited.Begin(graph_.num_rows());
    scratch_.visited.Insert(start.row);
    Take(start, ef);
    while (!candidates.empty()) {
      const Found candidate = candidates.front();
      if (IsFull(ef) && candidate.distance > scratch_.results.front().distance) return;
      std::pop_heap(candidates.begin(), candidates.end(), kIsFarther);
      candidates.pop_back();
      if (!candidates.empty()) graph_.PrefetchNeighborsOf(candidates.front().row);
      ForEachNew(graph_.NeighborsOf(candidate.row), [&](const Found& found) { Take(found, ef); });
    }
  }

  /// A row that may not be returned is still a candidate: the way may lead over it.
  void Take(const Found& found, size_t ef) {
    auto& candidates = scratch_.candidates;
    auto& results = scratch_.results;
    const bool full = IsFull(ef);
    if (full && found.distance > results.front().distance) return;
    candidates.push_back(found);
    std::push_heap(candidates.begin(), candidates.end(), kIsFarther);
    if ((full && found.distance == results.front().distance) || !MayBeReturned(found)) return;
    if (full) {
      std::pop_heap(results.begin(), results.end(), kIsNearer);
      results.back() = found;
    } else {
      results.push_back(found);
    }
    std::push_heap(results.begin(), results.end(), kIsNearer);
  }

  bool IsFull(size_t ef) const { return scratch_.results.size() == ef; }

  bool MayBeReturned(const Found& found) const {
    if (!(found.distance >= top_k_->lower() && found.distance < top_k_->upper())) return false;
    return top_k_->filter() == nullptr || top_k_->filter()->Allows(storage_.row_ids()[found.row]);
  }

  void PushResult(const Found& found) {
    if (found.distance <= top_k_->threshold()) top_k_->Push(found.distance, storage_.row_ids()[found.row]);
  }

  const HnswGraph& graph_;
  const size_t i_;
  const PartitionStorage& storage_;
  QueryScorer* scorer_;
  TopK* top_k_;
  Scratch& scratch_;
};

}  // namespace

bool HnswGraph::IsBeatenByScan(const SubIndexSearchOptions& options, const TopK& top_k) const {
  // A billion candidates are all rows, too, and must not overflow.
  const size_t ef = std::min<size_t>(EffectiveEf(options, top_k.k()), num_rows_);
  return num_rows_ <= kScannedRowsPerCandidate * (ef + kCandidatesOfTheWayDown);
}

void HnswGraph::Search(const SubIndexSearchOptions& options, size_t i, const PartitionStorage& storage,
                       QueryScorer* scorer, TopK* top_k) const {
  // More than all rows is all rows; a caller may ask for billions.
  const size_t k = std::min<size_t>(top_k->k(), num_rows_);
  if (k == 0) return;
  Walk walk(*this, i, storage, scorer, top_k);
  if (top_k->filter() != nullptr && walk.SearchFewRows(*top_k->filter())) return;
  walk.SearchGraph(std::clamp<size_t>(EffectiveEf(options, k), k, num_rows_));
}

}  // namespace fewter
