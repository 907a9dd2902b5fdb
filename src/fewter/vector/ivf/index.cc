#include "fewter/vector/ivf/index.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "fewter/util/side_by_side.h"

namespace fewter {

namespace {

/// Partitions that are read together, and held at once, while prewarming: so many bytes of the files, but at least a
/// few.
constexpr uint64_t kPrewarmWindowBytes = 32 << 20;
constexpr size_t kLeastPrewarmWindow = 4;
/// Tiers that write behind have queues with an end, and what does not fit is not kept: they are waited for after so
/// much.
constexpr int64_t kPrewarmFlushBytes = 64 << 20;

void CountResident(const std::string& tier, uint64_t count, PrewarmReport* report) {
  for (auto& [known, known_count] : report->resident) {
    if (known != tier) continue;
    known_count += count;
    return;
  }
  report->resident.emplace_back(tier, count);
}

}  // namespace

IvfIndex::IvfIndex(std::shared_ptr<const IvfIndexState> state, WeakCache cache, std::shared_ptr<PartitionReader> reader,
                   IvfExecutors executors, std::shared_ptr<const RowMoves> moves)
    : state_(std::move(state)),
      cache_(std::move(cache)),
      reader_(std::move(reader)),
      executors_(executors),
      moves_(std::move(moves)) {}

IvfIndex::LoadedPartitions IvfIndex::ReadPartitions(const std::vector<uint32_t>& partitions) const {
  partitions_loaded_.fetch_add(partitions.size(), std::memory_order_relaxed);
  std::vector<RowSpan> spans, sub_index_spans;
  for (const uint32_t i : partitions) {
    spans.push_back({state_->model->first_row(i), state_->model->num_rows(i)});
    if (state_->sub_index == nullptr) continue;
    sub_index_spans.push_back({state_->sub_index->first_row(i), state_->sub_index->num_rows(i)});
  }
  PartitionReader::Batches rows, sub_index_rows;
  RunSideBySide(executors_.io, state_->sub_index == nullptr ? 1 : 2, [&](size_t file) {
    if (file == 0) rows = reader_->ReadRows(state_->quantizer->columns(), spans);
    if (file == 1) sub_index_rows = reader_->ReadSubIndexRows(state_->sub_index->columns(), sub_index_spans);
  });
  LoadedPartitions made(partitions.size());
  RunSideBySide(executors_.io, partitions.size(), [&](size_t i) {
    made[i] = [&]() -> arrow::Result<std::shared_ptr<const Partition>> {
      ARROW_ASSIGN_OR_RAISE(const auto storage_rows, std::move(rows[i]));
      ARROW_ASSIGN_OR_RAISE(auto storage, MakeStorage(partitions[i], *storage_rows));
      if (state_->sub_index == nullptr) return std::make_shared<const Partition>(std::move(storage));
      ARROW_ASSIGN_OR_RAISE(const auto graph_rows, std::move(sub_index_rows[i]));
      ARROW_ASSIGN_OR_RAISE(auto sub_index, MakeSubIndex(partitions[i], *graph_rows));
      return std::make_shared<const Partition>(std::move(storage), std::move(sub_index));
    }();
  });
  return made;
}

arrow::Result<std::shared_ptr<const PartitionStorage>> IvfIndex::MakeStorage(uint32_t partition,
                                                                             const arrow::RecordBatch& rows) const {
  const bool by_residual = state_->metric == Metric::kL2 || state_->metric == Metric::kCosine;
  auto storage = state_->quantizer->MakeStorage(rows, state_->layout(),
                                                by_residual ? state_->model->centroid(partition) : nullptr);
  if (storage.ok()) return moves_ == nullptr ? storage : MoveRows(std::move(*storage), *moves_, state_->layout());
  return storage.status().WithMessage(state_->storage_file.path, ", partition ", partition, ": ",
                                      storage.status().message());
}

arrow::Result<std::shared_ptr<const SubIndex>> IvfIndex::MakeSubIndex(uint32_t partition,
                                                                      const arrow::RecordBatch& rows) const {
  auto sub_index = state_->sub_index->Make(partition, rows, state_->model->num_rows(partition));
  if (sub_index.ok()) return sub_index;
  return sub_index.status().WithMessage(state_->index_file.path, ", partition ", partition, ": ",
                                        sub_index.status().message());
}

bool IvfIndex::Fits(const Partition& found, uint32_t partition) const {
  const uint32_t num_rows = state_->model->num_rows(partition);
  // Deleted rows are left out, and only the entry knows how many there were.
  const bool may_be_fewer = moves_ != nullptr && state_->layout() == StorageLayout::kScan;
  return (found.num_rows() == num_rows || (may_be_fewer && found.num_rows() < num_rows)) &&
         found.sub_index_kind() == state_->sub_index_kind() &&
         state_->quantizer->CheckStorage(found.storage(), state_->layout()).ok();
}

IvfIndex::Partitions IvfIndex::FindPartitions(const std::vector<PartitionKey>& keys) const {
  Partitions found = cache_.GetMany<PartitionKey>(keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i] != nullptr && !Fits(*found[i], keys[i].partition)) found[i] = nullptr;
  }
  return found;
}

IvfIndex::LoadedPartitions IvfIndex::LoadPartitions(const std::vector<uint32_t>& partitions) const {
  std::vector<PartitionKey> keys;
  keys.reserve(partitions.size());
  for (const uint32_t i : partitions) keys.push_back({i});
  LoadedPartitions loaded =
      cache_.LoadMany(std::span<const PartitionKey>(keys), [&](const std::vector<size_t>& places) {
        std::vector<uint32_t> mine;
        mine.reserve(places.size());
        for (const size_t place : places) mine.push_back(partitions[place]);
        return ReadPartitions(mine);
      });
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (!loaded[i].ok() || Fits(**loaded[i], partitions[i])) continue;
    // The cache holds, or another loader brought, an entry that is well formed but not of this index's shape.
    loaded[i] = ReadPartitions({partitions[i]}).front();
    if (loaded[i].ok()) cache_.Insert(keys[i], *loaded[i]);
  }
  return loaded;
}

arrow::Result<std::shared_ptr<const Partition>> IvfIndex::GetPartition(uint32_t partition) const {
  if (partition >= state_->model->num_partitions()) {
    return arrow::Status::IndexError("partition ", partition, " of ", state_->model->num_partitions());
  }
  if (auto found = FindPartitions({{partition}}).front()) return found;
  return LoadPartitions({partition}).front();
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
  std::vector<uint32_t> numbers;
  numbers.reserve(absent.size());
  for (const size_t place : absent) numbers.push_back(wanted[place]);
  LoadedPartitions loaded = LoadPartitions(numbers);
  for (size_t i = 0; i < absent.size(); ++i) {
    if (loaded[i].ok()) {
      partitions[absent[i]] = *std::move(loaded[i]);
    } else {
      failures->push_back(loaded[i].status());
    }
  }
  return partitions;
}

uint64_t IvfIndex::BytesInFiles(uint32_t partition) const {
  const uint64_t rows = std::max<uint64_t>(state_->model->total_rows(), 1);
  const uint64_t size = state_->storage_file.size + (state_->sub_index == nullptr ? 0 : state_->index_file.size);
  // In floating point, which does not overflow whatever a cached state says.
  return static_cast<uint64_t>(static_cast<double>(size) * state_->model->num_rows(partition) /
                               static_cast<double>(rows));
}

std::vector<uint32_t> IvfIndex::PrewarmWindow(uint32_t first, uint64_t max_bytes, uint64_t usual_bytes) const {
  std::vector<uint32_t> window;
  uint64_t bytes = 0;
  for (uint32_t i = first; i < state_->model->num_partitions(); ++i) {
    bytes += BytesInFiles(i);
    if (bytes > max_bytes || (window.size() >= kLeastPrewarmWindow && bytes > usual_bytes)) break;
    window.push_back(i);
  }
  return window;
}

namespace {

/// Waits as long as it takes to have read at no more than the allowed rate, if nobody calls a halt.
void KeepToRate(const PrewarmLimits& limits, std::chrono::steady_clock::time_point begin, uint64_t bytes) {
  if (limits.bytes_per_second == 0) return;
  const auto end = begin + std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(
                               static_cast<double>(bytes) / static_cast<double>(limits.bytes_per_second)));
  constexpr std::chrono::milliseconds kLookEvery{10};
  while (std::chrono::steady_clock::now() < end && !limits.stop_token.IsStopRequested()) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now(), kLookEvery));
  }
}

}  // namespace

PrewarmReport IvfIndex::Prewarm(std::span<const std::string_view> tiers, const PrewarmLimits& limits) const {
  PrewarmReport report;
  PrewarmProgress progress{.partitions = state_->model->num_partitions()};
  const auto begin = std::chrono::steady_clock::now();
  const uint64_t loaded_before = partitions_loaded();
  std::vector<arrow::Status> failures;
  int64_t offered = 0;
  // A second's worth, if there is a rate to keep to.
  const uint64_t usual_bytes =
      limits.bytes_per_second == 0 ? kPrewarmWindowBytes : std::min(kPrewarmWindowBytes, limits.bytes_per_second);
  for (uint32_t i = 0; i < progress.partitions; ++i) report.partitions += state_->model->num_rows(i) > 0 ? 1 : 0;
  while (progress.partitions_done < progress.partitions && progress.bytes_read < limits.max_bytes) {
    if (const arrow::Status stopped = limits.stop_token.Poll(); !stopped.ok()) {
      failures.push_back(stopped);
      break;
    }
    const std::vector<uint32_t> window = PrewarmWindow(static_cast<uint32_t>(progress.partitions_done),
                                                       limits.max_bytes - progress.bytes_read, usual_bytes);
    if (window.empty()) break;
    const uint64_t window_loaded_before = partitions_loaded();
    const Partitions loaded = GetPartitions(window, &failures);
    uint64_t window_bytes = 0;
    for (size_t i = 0; i < window.size(); ++i) {
      window_bytes += BytesInFiles(window[i]);
      if (loaded[i] == nullptr) continue;
      OfferTo(tiers, window[i], loaded[i]);
      offered += loaded[i]->SizeInBytes();
    }
    progress.partitions_done += window.size();
    progress.bytes_read += window_bytes * (partitions_loaded() - window_loaded_before) / window.size();
    if (limits.progress) limits.progress(progress);
    KeepToRate(limits, begin, progress.bytes_read);
    if (offered < kPrewarmFlushBytes) continue;
    cache_.Flush();
    offered = 0;
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
