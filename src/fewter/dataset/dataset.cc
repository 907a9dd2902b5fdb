#include "fewter/dataset/dataset.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>
#include <arrow/util/future.h>

#include "fewter/dataset/cached_bytes.h"
#include "fewter/dataset/fragment_moves.h"
#include "fewter/dataset/missing_names.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/dataset/traced_call.h"
#include "fewter/dataset/vector_column.h"
#include "fewter/lance/deletions.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

/// The kinds of the tiers that Prewarm is about: those behind the first, or that one if it is alone.
std::vector<std::string_view> TiersToFill(const CacheBackend& backend) {
  std::vector<std::string_view> kinds;
  const auto reports = backend.Report();
  kinds.reserve(reports.size());
  for (const TierReport& tier : reports) kinds.push_back(tier.kind);
  // Of several, the first report is of the whole, and the second of the nearest tier.
  if (kinds.size() > 2) kinds.erase(kinds.begin(), kinds.begin() + 2);
  return kinds;
}

/// Which fragment holds the row-th live row, and at which offset.
struct RowLocation {
  const lance::Fragment* fragment = nullptr;
  uint64_t offset = 0;
};

arrow::Result<RowLocation> LocateRow(const lance::ObjectStore& store, const lance::Manifest& manifest, uint64_t row) {
  uint64_t remaining = row;
  for (const auto& fragment : manifest.fragments) {
    if (remaining >= fragment.live_rows()) {
      remaining -= fragment.live_rows();
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto deleted, lance::ReadDeletions(store, fragment));
    uint64_t offset = remaining;
    for (const uint32_t hole : deleted) {
      if (hole > offset) break;
      ++offset;
    }
    return RowLocation{&fragment, offset};
  }
  return ArgumentError("row ", row, " of a dataset of ", manifest.live_rows(), " rows");
}

/// The only vector of an array, as floats.
arrow::Result<std::vector<float>> FloatsOf(const arrow::FixedSizeListArray& vectors, ElementType type) {
  const auto& values = *vectors.values();
  const auto length = static_cast<size_t>(vectors.value_length(0));
  std::vector<float> floats(length);
  const auto copy = [&](const auto* from) { std::copy_n(from + vectors.value_offset(0), length, floats.begin()); };
  switch (type) {
    case ElementType::kFloat16: {
      const auto* halves = values.data()->GetValues<uint16_t>(1) + vectors.value_offset(0);
      std::transform(halves, halves + length, floats.begin(),
                     [](uint16_t bits) { return arrow::util::Float16::FromBits(bits).ToFloat(); });
      break;
    }
    case ElementType::kFloat64:
      copy(values.data()->GetValues<double>(1));
      break;
    case ElementType::kUint8:
      copy(values.data()->GetValues<uint8_t>(1));
      break;
    default:
      copy(values.data()->GetValues<float>(1));
  }
  return floats;
}

uint64_t NextNumber() {
  static std::atomic<uint64_t> next{0};
  return next.fetch_add(1);
}

}  // namespace

Dataset::Dataset(std::shared_ptr<lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
                 std::shared_ptr<const RowMoves> moves, std::shared_ptr<Session> session)
    : store_(std::move(store)),
      manifest_(std::move(manifest)),
      moves_(std::move(moves)),
      session_(std::move(session)),
      number_(NextNumber()) {}

arrow::Result<std::shared_ptr<Dataset>> Dataset::Open(const std::string& uri, DatasetOptions options) {
  if (options.session == nullptr) options.session = Session::Make();
  ARROW_ASSIGN_OR_RAISE(auto store, lance::ObjectStore::Open(uri, {.storage_options = options.storage_options,
                                                                   .io_executor = options.session->own_io_executor(),
                                                                   .tracer = options.io_tracer}));
  return Open(std::move(store), std::move(options));
}

arrow::Result<std::shared_ptr<Dataset>> Dataset::Open(std::shared_ptr<lance::ObjectStore> store,
                                                      DatasetOptions options) {
  if (options.session == nullptr) options.session = Session::Make();
  store->counter()->ObserveBy(options.session->metrics().requests);
  if (store->is_remote()) store = store->WithByteCache(MakeByteCache(*options.session, store->identity()));
  return TracedCall("fewter.open", *options.session, store->identity(),
                    [&]() -> arrow::Result<std::shared_ptr<Dataset>> {
                      ARROW_ASSIGN_OR_RAISE(auto manifest, lance::ReadManifest(*store, options.version));
                      return Open(store, std::move(manifest), options.session);
                    });
}

arrow::Result<std::shared_ptr<Dataset>> Dataset::Open(std::shared_ptr<lance::ObjectStore> store,
                                                      std::shared_ptr<const lance::Manifest> manifest,
                                                      std::shared_ptr<Session> session) {
  store = store->ForVersion(manifest->version);
  std::shared_ptr<const RowMoves> moves;
  ARROW_ASSIGN_OR_RAISE(auto reuse, GetFragmentReuse(*store, *manifest, session->cache()));
  if (reuse != nullptr) {
    manifest = WithNewFragments(*manifest, *reuse);
    moves = std::make_shared<AddressMoves>(std::move(reuse));
  }
  return std::shared_ptr<Dataset>(
      new Dataset(std::move(store), std::move(manifest), std::move(moves), std::move(session)));
}

arrow::Result<std::shared_ptr<Dataset>> Dataset::OpenLatest() const {
  ARROW_ASSIGN_OR_RAISE(auto manifest, lance::ReadManifestUnless(*store_, manifest_->version));
  if (manifest == nullptr) return nullptr;
  return Open(store_, std::move(manifest), session_);
}

std::vector<std::string> Dataset::VectorIndexNames() const {
  std::set<std::string> names;
  for (const auto& index : manifest_->indices) {
    if (IsVectorIndex(*manifest_, index)) names.insert(index.name);
  }
  return {names.begin(), names.end()};
}

arrow::Result<const lance::Field*> Dataset::FindColumn(const std::string& column) const {
  if (const lance::Field* field = manifest_->FindField(column)) return field;
  return NoSuchColumn(manifest_->fields, column);
}

WeakCache Dataset::OfDataset() const {
  return WeakCache(session_->cache().Child("dataset").Child(store_->identity()));
}

arrow::Result<std::shared_ptr<VectorColumn>> Dataset::GetVectorColumn(const lance::Field& field) const {
  std::lock_guard lock(mutex_);
  if (const auto found = columns_.find(field.id); found != columns_.end()) return found->second;
  ARROW_ASSIGN_OR_RAISE(auto column, VectorColumn::Make(store_, manifest_, field, OfDataset()));
  return columns_.emplace(field.id, std::move(column)).first->second;
}

arrow::Result<std::shared_ptr<const RowLocations>> Dataset::GetRowLocations() const {
  {
    std::lock_guard lock(mutex_);
    if (row_locations_ != nullptr) return row_locations_;
  }
  ARROW_ASSIGN_OR_RAISE(auto locations, RowLocations::Read(*store_, *manifest_));
  std::lock_guard lock(mutex_);
  row_locations_ = std::move(locations);
  return row_locations_;
}

std::shared_ptr<RowReader> Dataset::GetRowReader() const {
  const std::lock_guard lock(mutex_);
  if (row_reader_ == nullptr) {
    row_reader_ = std::make_shared<RowReader>(store_, manifest_, OfDataset());
  }
  return row_reader_;
}

arrow::Result<Dataset::Segments> Dataset::FindIndex(const std::string& column, const std::string& index) const {
  ARROW_ASSIGN_OR_RAISE(const lance::Field* field, FindColumn(column));
  Segments chosen;
  const auto is_of_column = [&](const lance::IndexMetadata& entry) {
    return IsVectorIndex(*manifest_, entry) && entry.fields.size() == 1 && entry.fields[0] == field->id;
  };
  std::string_view name = index;
  for (const auto& entry : manifest_->indices) {
    if (!is_of_column(entry)) continue;
    // Without a name, the first one there is, as pylance does.
    if (name.empty()) name = entry.name;
    if (entry.name == name) chosen.push_back(&entry);
  }
  if (!chosen.empty() || index.empty()) return chosen;
  std::set<std::string> names;
  for (const auto& entry : manifest_->indices) {
    if (is_of_column(entry)) names.insert(entry.name);
  }
  return NoSuchIndex("column '" + column + "'", index, {names.begin(), names.end()});
}

arrow::Result<Dataset::Segments> Dataset::ChooseIndex(const std::string& column, const std::string& index) const {
  ARROW_ASSIGN_OR_RAISE(auto chosen, FindIndex(column, index));
  if (!chosen.empty()) return chosen;
  return arrow::Status::KeyError("column '", column, "' has no vector index");
}

arrow::Result<std::shared_ptr<const Segment>> Dataset::GetSegment(const lance::IndexMetadata& metadata) const {
  {
    std::lock_guard lock(mutex_);
    const auto found = segments_.find(&metadata);
    if (found != segments_.end()) return found->second;
  }
  const TracedSpan span("fewter.index.open");
  ARROW_ASSIGN_OR_RAISE(auto opened, OpenSegment(store_, *manifest_, metadata, moves_, *session_));
  std::lock_guard lock(mutex_);
  return segments_.emplace(&metadata, std::move(opened)).first->second;
}

arrow::Result<std::vector<float>> Dataset::ReadVector(const std::string& column, uint64_t row) const {
  ARROW_ASSIGN_OR_RAISE(const lance::Field* field, FindColumn(column));
  ARROW_ASSIGN_OR_RAISE(const auto vectors, GetVectorColumn(*field));
  ARROW_ASSIGN_OR_RAISE(const RowLocation location, LocateRow(*store_, *manifest_, row));
  ARROW_ASSIGN_OR_RAISE(const auto found, vectors->Read(*location.fragment, location.offset, 1));
  if (found->IsNull(0)) return ArgumentError("row ", row, " has no vector in column '", column, "'");
  return FloatsOf(*found, vectors->element_type());
}

arrow::Result<std::vector<uint64_t>> Dataset::RowIds() const {
  std::vector<uint64_t> ids;
  for (const auto& fragment : manifest_->fragments) {
    ARROW_ASSIGN_OR_RAISE(const auto live, LiveRowIdsOfFragment(*store_, *manifest_, fragment));
    ids.insert(ids.end(), live.begin(), live.end());
  }
  return ids;
}

arrow::Result<PrewarmReport> Dataset::Prewarm(const std::string& column, const std::string& index, PrewarmMode mode,
                                              const PrewarmLimits& limits) const {
  return TracedCall("fewter.prewarm", *session_, store_->identity(),
                    [&] { return PrewarmIndex(column, index, mode, limits); });
}

arrow::Result<PrewarmReport> Dataset::PrewarmIndex(const std::string& column, const std::string& index,
                                                   PrewarmMode mode, const PrewarmLimits& limits) const {
  ARROW_ASSIGN_OR_RAISE(const auto chosen, ChooseIndex(column, index));
  CacheBackend& backend = *session_->cache().backend();
  const std::vector<std::string_view> tiers = TiersToFill(backend);
  PrewarmReport report;
  std::vector<std::shared_ptr<const Segment>> segments;
  for (const auto* metadata : chosen) {
    ARROW_ASSIGN_OR_RAISE(auto segment, GetSegment(*metadata));
    report += segment->index->Prewarm(tiers, limits);
    // Cheap, and a tier that already has it declines.
    SegmentCache(session_->cache(), *metadata).Insert(IvfIndexStateKey{}, segment->index->shared_state());
    segments.push_back(std::move(segment));
  }
  backend.Flush();
  for (const auto& segment : segments) segment->index->AddResidency(&report);
  if (mode == PrewarmMode::kBestEffort) return report;
  ARROW_RETURN_NOT_OK(report.first_error);
  for (const std::string_view tier : tiers) {
    // There may be several of a kind.
    const auto wanted = report.partitions * static_cast<uint64_t>(std::count(tiers.begin(), tiers.end(), tier));
    if (report.ResidentIn(tier) < wanted) {
      return arrow::Status::CapacityError("index '", chosen.front()->name, "': only ", report.ResidentIn(tier), " of ",
                                          wanted, " partitions stayed in the cache's tier ", tier);
    }
  }
  return report;
}

arrow::Result<std::vector<SegmentDescription>> Dataset::DescribeIndex(const std::string& index) const {
  std::vector<SegmentDescription> segments;
  for (const auto& metadata : manifest_->indices) {
    if (metadata.name != index || !IsVectorIndex(*manifest_, metadata)) continue;
    ARROW_ASSIGN_OR_RAISE(auto segment, GetSegment(metadata));
    const IvfIndexState& state = segment->index->state();
    SegmentDescription description;
    description.uuid = state.uuid;
    description.dataset_version = metadata.dataset_version;
    description.fragments = metadata.fragments.value_or(std::vector<uint32_t>{});
    description.index_type = state.index_type;
    description.metric = state.metric;
    description.dimension = state.model->dimension();
    description.num_partitions = state.model->num_partitions();
    description.num_rows = state.model->total_rows();
    for (uint32_t i = 0; i < state.model->num_partitions(); ++i) {
      description.largest_partition = std::max(description.largest_partition, state.model->num_rows(i));
      if (state.model->num_rows(i) == 0) ++description.empty_partitions;
    }
    description.storage = state.quantizer->Describe();
    description.index_file = state.index_file;
    description.storage_file = state.storage_file;
    segments.push_back(std::move(description));
  }
  if (segments.empty()) return NoSuchIndex("the dataset", index, VectorIndexNames());
  return segments;
}

}  // namespace fewter
