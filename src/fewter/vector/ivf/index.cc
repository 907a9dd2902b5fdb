#include "fewter/vector/ivf/index.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "fewter/cache/query.h"
#include "fewter/simd/distance.h"
#include "fewter/util/side_by_side.h"

namespace fewter {

namespace {

/// Partitions that are read side by side, and held at once, while prewarming.
constexpr uint32_t kPrewarmWindow = 32;

/// As it is compared with the rows: of the column's type, and of length 1 for cosine.
std::vector<float> Prepared(const float* query, const IvfIndexState& state) {
  std::vector<float> prepared(query, query + state.model->dimension());
  const auto round = [&] {
    for (float& value : prepared) value = RoundTo(state.element_type, value);
  };
  round();
  if (state.metric != Metric::kCosine) return prepared;
  const float norm = std::sqrt(simd::NormSquared(prepared.data(), prepared.size()));
  for (float& value : prepared) value /= norm;
  round();
  return prepared;
}

void CountResident(const std::string& tier, uint64_t count, PrewarmReport* report) {
  for (auto& [known, known_count] : report->resident) {
    if (known != tier) continue;
    known_count += count;
    return;
  }
  report->resident.emplace_back(tier, count);
}

/// The k nearest of lists that are in order each.
std::vector<Neighbor> NearestOf(std::vector<std::vector<Neighbor>> lists, uint32_t k) {
  std::vector<Neighbor> nearest = std::move(lists.front());
  if (lists.size() == 1) return nearest;
  for (size_t i = 1; i < lists.size(); ++i) nearest.insert(nearest.end(), lists[i].begin(), lists[i].end());
  std::sort(nearest.begin(), nearest.end(), Nearer);
  if (nearest.size() > k) nearest.resize(k);
  return nearest;
}

/// Searches every step-th partition from `first` on, as many at a time as the scorer takes. Returns the number of their
/// rows.
uint64_t SearchInGroups(const IvfModel& model, const std::vector<RankedPartition>& ranked,
                        const std::vector<std::shared_ptr<const Partition>>& partitions, size_t first, size_t step,
                        const SubIndexSearchOptions& options, QueryScorer* scorer, TopK* top_k) {
  uint64_t rows = 0;
  std::array<ProbedPartition, QueryScorer::kMaxPartitions> probed;
  std::array<const Partition*, QueryScorer::kMaxPartitions> group;
  for (size_t next = first; next < partitions.size();) {
    size_t size = 0;
    for (; next < partitions.size() && size < group.size(); next += step) {
      if (partitions[next] == nullptr) continue;
      group[size] = partitions[next].get();
      const auto [distance, number] = ranked[next];
      probed[size++] = {.number = number, .distance = distance, .centroid = model.centroid(number)};
    }
    scorer->BeginPartitions({probed.data(), size});
    for (size_t i = 0; i < size; ++i) {
      group[i]->Search(options, i, scorer, top_k);
      rows += group[i]->num_rows();
    }
  }
  return rows;
}

}  // namespace

IvfIndex::IvfIndex(std::shared_ptr<const IvfIndexState> state, WeakCache cache, std::shared_ptr<PartitionReader> reader,
                   arrow::internal::Executor* io)
    : state_(std::move(state)), cache_(std::move(cache)), reader_(std::move(reader)), io_(io) {}

arrow::Result<std::shared_ptr<const Partition>> IvfIndex::ReadPartition(uint32_t partition) const {
  partitions_loaded_.fetch_add(1, std::memory_order_relaxed);
  ARROW_ASSIGN_OR_RAISE(auto storage, ReadStorage(partition));
  ARROW_ASSIGN_OR_RAISE(auto sub_index, ReadSubIndex(partition));
  return std::make_shared<const Partition>(std::move(storage), std::move(sub_index));
}

arrow::Result<std::shared_ptr<const PartitionStorage>> IvfIndex::ReadStorage(uint32_t partition) const {
  const IvfModel& model = *state_->model;
  const Quantizer& quantizer = *state_->quantizer;
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        reader_->ReadRows(quantizer.columns(), model.first_row(partition), model.num_rows(partition)));
  const bool by_residual = state_->metric == Metric::kL2 || state_->metric == Metric::kCosine;
  auto storage = quantizer.MakeStorage(*rows, state_->layout(), by_residual ? model.centroid(partition) : nullptr);
  if (storage.ok()) return storage;
  return storage.status().WithMessage(state_->storage_file.path, ", partition ", partition, ": ",
                                      storage.status().message());
}

arrow::Result<std::shared_ptr<const SubIndex>> IvfIndex::ReadSubIndex(uint32_t partition) const {
  if (state_->sub_index == nullptr) return nullptr;
  const SubIndexModel& model = *state_->sub_index;
  ARROW_ASSIGN_OR_RAISE(
      auto rows, reader_->ReadSubIndexRows(model.columns(), model.first_row(partition), model.num_rows(partition)));
  auto sub_index = model.Make(partition, *rows, state_->model->num_rows(partition));
  if (sub_index.ok()) return sub_index;
  return sub_index.status().WithMessage(state_->index_file.path, ", partition ", partition, ": ",
                                        sub_index.status().message());
}

bool IvfIndex::Fits(const Partition& found, uint32_t partition) const {
  return found.num_rows() == state_->model->num_rows(partition) && found.sub_index_kind() == state_->sub_index_kind() &&
         state_->quantizer->CheckStorage(found.storage(), state_->layout()).ok();
}

IvfIndex::Partitions IvfIndex::FindPartitions(const std::vector<PartitionKey>& keys) const {
  Partitions found = cache_.GetMany<PartitionKey>(keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i] != nullptr && !Fits(*found[i], keys[i].partition)) found[i] = nullptr;
  }
  return found;
}

arrow::Result<std::shared_ptr<const Partition>> IvfIndex::LoadPartition(uint32_t partition) const {
  ARROW_ASSIGN_OR_RAISE(auto loaded, cache_.Load(PartitionKey{partition}, [&] { return ReadPartition(partition); }));
  if (Fits(*loaded, partition)) return loaded;
  // The cache holds, or another loader brought, an entry that is well formed but not of this index's shape.
  ARROW_ASSIGN_OR_RAISE(loaded, ReadPartition(partition));
  cache_.Insert(PartitionKey{partition}, loaded);
  return loaded;
}

arrow::Result<std::shared_ptr<const Partition>> IvfIndex::GetPartition(uint32_t partition) const {
  if (partition >= state_->model->num_partitions()) {
    return arrow::Status::IndexError("partition ", partition, " of ", state_->model->num_partitions());
  }
  if (auto found = FindPartitions({{partition}}).front()) return found;
  return LoadPartition(partition);
}

IvfIndex::Partitions IvfIndex::GetPartitions(const std::vector<uint32_t>& wanted,
                                             std::vector<arrow::Status>* failures) const {
  std::vector<PartitionKey> keys;
  std::vector<size_t> places;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (state_->model->num_rows(wanted[i]) == 0) continue;
    keys.push_back({wanted[i]});
    places.push_back(i);
  }
  Partitions partitions(wanted.size());
  Partitions found = FindPartitions(keys);
  std::vector<size_t> absent;
  for (size_t i = 0; i < places.size(); ++i) {
    if (found[i] == nullptr) absent.push_back(places[i]);
    partitions[places[i]] = std::move(found[i]);
  }
  if (absent.empty()) return partitions;
  std::vector<arrow::Status> outcomes(absent.size());
  CacheQuery* const query = CacheQuery::Current();
  RunSideBySide(io_, absent.size(), [&](size_t n) {
    const CacheQuery::Scope scope(query);
    outcomes[n] = LoadPartition(wanted[absent[n]]).Value(&partitions[absent[n]]);
  });
  for (auto& outcome : outcomes) {
    if (!outcome.ok()) failures->push_back(std::move(outcome));
  }
  return partitions;
}

arrow::Result<std::vector<Neighbor>> IvfIndex::Search(const float* query, const IvfSearchOptions& options,
                                                      IvfSearchCounts* counts) const {
  const std::vector<float> prepared = Prepared(query, *state_);
  auto ranked = state_->model->SelectPartitions(prepared.data(), state_->metric, options.nprobes);
  ranked.erase(ranked.begin(), ranked.begin() + std::min<std::ptrdiff_t>(options.skipped_probes, std::ssize(ranked)));
  std::vector<uint32_t> wanted;
  wanted.reserve(ranked.size());
  for (const auto& entry : ranked) wanted.push_back(entry.partition);
  std::vector<arrow::Status> failures;
  const Partitions partitions = GetPartitions(wanted, &failures);
  if (!failures.empty()) return failures.front();

  const size_t threads = std::clamp<size_t>(options.num_threads, 1, std::max<size_t>(partitions.size(), 1));
  std::vector<std::vector<Neighbor>> found(threads);
  std::vector<uint64_t> scanned(threads);
  const auto search = [&](size_t thread) {
    found[thread] = SearchPartitions(prepared.data(), options, ranked, partitions, thread, threads, &scanned[thread]);
  };
  if (threads == 1) {
    search(0);
  } else {
    RunSideBySide(options.executor, threads, search);
  }
  if (counts != nullptr) {
    counts->rows_scanned += std::accumulate(scanned.begin(), scanned.end(), uint64_t{0});
    counts->partitions_searched += partitions.size();
  }
  return NearestOf(std::move(found), options.k);
}

std::vector<Neighbor> IvfIndex::SearchPartitions(const float* prepared, const IvfSearchOptions& options,
                                                 const std::vector<RankedPartition>& ranked,
                                                 const Partitions& partitions, size_t first, size_t step,
                                                 uint64_t* rows_scanned) const {
  TopK top_k(options.k, options.filter, options.lower, options.upper);
  const ScorerOptions scoring{
      .metric = state_->metric, .element_type = state_->element_type, .approx_mode = options.approx_mode};
  auto scorer = state_->quantizer->MakeScorer(prepared, scoring);
  *rows_scanned += SearchInGroups(*state_->model, ranked, partitions, first, step,
                                  {.ef = options.ef, .approx_mode = options.approx_mode}, scorer.get(), &top_k);
  return top_k.Finish();
}

PrewarmReport IvfIndex::Prewarm(std::span<const std::string_view> tiers) const {
  PrewarmReport report;
  const uint64_t loaded_before = partitions_loaded();
  const uint32_t partitions = state_->model->num_partitions();
  std::vector<arrow::Status> failures;
  std::vector<uint32_t> window;
  for (uint32_t first = 0; first < partitions; first += kPrewarmWindow) {
    window.clear();
    for (uint32_t i = first; i < partitions && i < first + kPrewarmWindow; ++i) window.push_back(i);
    const Partitions loaded = GetPartitions(window, &failures);
    for (size_t i = 0; i < window.size(); ++i) {
      if (state_->model->num_rows(window[i]) > 0) ++report.partitions;
      if (loaded[i] != nullptr) OfferTo(tiers, window[i], loaded[i]);
    }
  }
  report.loaded = partitions_loaded() - loaded_before;
  report.failed = failures.size();
  if (!failures.empty()) report.first_error = failures.front();
  return report;
}

void IvfIndex::OfferTo(std::span<const std::string_view> tiers, uint32_t partition,
                       const std::shared_ptr<const Partition>& loaded) const {
  if (tiers.empty()) return;
  const auto held = cache_.Locate(PartitionKey{partition});
  // There may be several of a kind.
  const auto lacks = [&](std::string_view tier) {
    return std::count(held.begin(), held.end(), tier) < std::count(tiers.begin(), tiers.end(), tier);
  };
  if (std::any_of(tiers.begin(), tiers.end(), lacks)) cache_.Insert(PartitionKey{partition}, loaded);
}

void IvfIndex::AddResidency(PrewarmReport* report) const {
  for (uint32_t i = 0; i < state_->model->num_partitions(); ++i) {
    if (state_->model->num_rows(i) == 0) continue;
    for (const std::string_view tier : cache_.Locate(PartitionKey{i})) CountResident(std::string(tier), 1, report);
  }
}

uint64_t PrewarmReport::ResidentIn(std::string_view tier) const {
  for (const auto& [known, count] : resident) {
    if (known == tier) return count;
  }
  return 0;
}

PrewarmReport& PrewarmReport::operator+=(const PrewarmReport& other) {
  partitions += other.partitions;
  loaded += other.loaded;
  failed += other.failed;
  if (first_error.ok()) first_error = other.first_error;
  for (const auto& [tier, count] : other.resident) CountResident(tier, count, this);
  return *this;
}

}  // namespace fewter
