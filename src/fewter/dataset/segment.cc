#include "fewter/dataset/segment.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "fewter/dataset/index_files.h"
#include "fewter/dataset/index_state_reader.h"

namespace fewter {

Cache SegmentCache(const Cache& cache, const lance::IndexMetadata& metadata) {
  return cache.Child("index").Child(metadata.uuid.ToString());
}

bool IsVectorIndex(const lance::Manifest& manifest, const lance::IndexMetadata& metadata) {
  if (!metadata.details_type_url.empty() && !metadata.details_type_url.ends_with("VectorIndexDetails")) return false;
  // Releases up to 0.19 wrote no details. Scalar indexes are of other columns.
  const auto is_vectors = [&](const lance::Field& field) {
    return metadata.fields == std::vector<int32_t>{field.id} && field.logical_type.starts_with("fixed_size_list");
  };
  if (metadata.details_type_url.empty() && std::none_of(manifest.fields.begin(), manifest.fields.end(), is_vectors)) {
    return false;
  }
  // An index made of too little data has an entry but covers nothing and has no files.
  return !metadata.fragments || !metadata.fragments->empty() || !metadata.files.empty();
}

namespace {

/// Lance's versions of vector indexes: 0 or none in releases up to 0.29, 1, and 2 for RaBitQ of releases from 3.0 on.
constexpr int32_t kNewestIndexVersion = 2;

/// Whether a state, which may come from a cache that others write to, is that of this segment. A state of another would
/// send reads to another's files.
bool StateFits(const IvfIndexState& state, const lance::IndexMetadata& metadata) {
  const std::string folder = IndexFolder(metadata);
  const char* storage = state.single_file_rows ? "/index.idx" : "/auxiliary.idx";
  return state.uuid == metadata.uuid.ToString() && state.index_file.path == folder + "/index.idx" &&
         state.storage_file.path == folder + storage;
}

/// `readers` stay empty if nothing had to be read.
arrow::Result<std::shared_ptr<const IvfIndexState>> GetState(const lance::ObjectStore& store, const WeakCache& cache,
                                                             const lance::IndexMetadata& metadata,
                                                             IndexReaders* readers) {
  ARROW_ASSIGN_OR_RAISE(
      auto state, cache.GetOrLoad(IvfIndexStateKey{}, [&] { return ReadIndexState(store, cache, metadata, readers); }));
  if (StateFits(*state, metadata)) return state;
  ARROW_ASSIGN_OR_RAISE(state, ReadIndexState(store, cache, metadata, readers));
  cache.Insert(IvfIndexStateKey{}, state);
  return state;
}

/// pylance leaves an index of a newer version aside and searches exactly, with a line in its log; we have no log.
arrow::Status CheckIsKnown(const lance::Manifest& manifest, const lance::IndexMetadata& metadata) {
  const std::string where = manifest.path + ": index '" + metadata.name + "'";
  if (metadata.index_version > kNewestIndexVersion) {
    return arrow::Status::NotImplemented(where, " has version ", metadata.index_version, ", we know versions up to ",
                                         kNewestIndexVersion);
  }
  if (!metadata.fragments) return arrow::Status::NotImplemented(where, " does not say which fragments it covers");
  return arrow::Status::OK();
}

}  // namespace

arrow::Status WithAdvice(const arrow::Status& status) {
  if (!status.IsNotImplemented() && !status.IsInvalid() && !lance::IsNotFound(status)) return status;
  return status.WithMessage(status.message(),
                            "; search without it (use_index = false, --exact on the command line), or "
                            "drop the index and create it again");
}

arrow::Result<std::shared_ptr<const Segment>> OpenSegment(const std::shared_ptr<const lance::ObjectStore>& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::IndexMetadata& metadata,
                                                          std::shared_ptr<const RowMoves> moves,
                                                          const Session& session) {
  ARROW_RETURN_NOT_OK(WithAdvice(CheckIsKnown(manifest, metadata)));
  const Cache of_segment = SegmentCache(session.cache(), metadata);
  const WeakCache cache(of_segment);
  IndexReaders readers;
  std::shared_ptr<const IvfIndexState> state;
  LiveRows live_rows;
  // Neither waits for anything that the other reads.
  ARROW_RETURN_NOT_OK(store->RunTogether(2, [&](size_t part) {
    if (part == 0) return WithAdvice(GetState(*store, cache, metadata, &readers).Value(&state));
    return ReadLiveRows(*store, manifest, *metadata.fragments).Value(&live_rows);
  }));
  auto segment = std::make_shared<Segment>();
  auto reader = MakePartitionReader(store, cache, *state, std::move(readers));
  const IvfExecutors executors{.io = session.io_executor(), .cpu = session.cpu_executor()};
  segment->keeps_deleted_rows = metadata.row_ids_are_old && state->layout() == StorageLayout::kRandomAccess;
  if (metadata.row_ids_are_old) {
    // Partitions hold row ids; another fragment reuse index makes others of them.
    const WeakCache partitions(of_segment.Child(manifest.fragment_reuse->uuid.ToString()));
    segment->index =
        std::make_shared<IvfIndex>(std::move(state), partitions, std::move(reader), executors, std::move(moves));
  } else {
    segment->index = std::make_shared<IvfIndex>(std::move(state), cache, std::move(reader), executors);
  }
  segment->live_rows = std::move(live_rows);
  if (segment->keeps_deleted_rows) segment->live_rows.are_all = false;
  return segment;
}

}  // namespace fewter
