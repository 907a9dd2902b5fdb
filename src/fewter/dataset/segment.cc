#include "fewter/dataset/segment.h"

#include <utility>

#include "fewter/dataset/index_files.h"
#include "fewter/dataset/index_state_reader.h"
#include "fewter/dataset/live_rows.h"

namespace fewter {

Cache SegmentCache(const Cache& cache, const lance::IndexMetadata& metadata) {
  return cache.Child("index").Child(metadata.uuid.ToString());
}

bool IsVectorIndex(const lance::IndexMetadata& metadata) {
  if (!metadata.details_type_url.empty() && !metadata.details_type_url.ends_with("VectorIndexDetails")) return false;
  // An index made of too little data has an entry but covers nothing and has no files.
  return !metadata.fragments || !metadata.fragments->empty() || !metadata.files.empty();
}

namespace {

/// Whether a state, which may come from a cache that others write to, is that of this segment. A state of another would
/// send reads to another's files.
bool StateFits(const IvfIndexState& state, const lance::IndexMetadata& metadata) {
  const std::string folder = IndexFolder(metadata);
  return state.uuid == metadata.uuid.ToString() && state.index_file.path == folder + "/index.idx" &&
         state.storage_file.path == folder + "/auxiliary.idx";
}

arrow::Result<std::shared_ptr<const IvfIndexState>> GetState(const lance::ObjectStore& store, const WeakCache& cache,
                                                             const lance::IndexMetadata& metadata) {
  ARROW_ASSIGN_OR_RAISE(auto state,
                        cache.GetOrLoad(IvfIndexStateKey{}, [&] { return ReadIndexState(store, cache, metadata); }));
  if (StateFits(*state, metadata)) return state;
  ARROW_ASSIGN_OR_RAISE(state, ReadIndexState(store, cache, metadata));
  cache.Insert(IvfIndexStateKey{}, state);
  return state;
}

/// Newer ones may mean something else by the same files. Lance has not got beyond 2, that of IVF_RQ.
constexpr int32_t kNewestIndexVersion = 2;

arrow::Status CheckMetadata(const lance::Manifest& manifest, const lance::IndexMetadata& metadata) {
  if (metadata.index_version > kNewestIndexVersion) {
    return arrow::Status::NotImplemented(
        manifest.path, ": index '", metadata.name, "' has version ", metadata.index_version,
        ", newer than this reader: search without it, or build it again with a release "
        "that writes version ",
        kNewestIndexVersion, " or earlier");
  }
  if (metadata.fragments) return arrow::Status::OK();
  return arrow::Status::NotImplemented(manifest.path, ": index '", metadata.name,
                                       "' does not say which fragments it covers");
}

}  // namespace

arrow::Result<std::shared_ptr<const Segment>> OpenSegment(const std::shared_ptr<const lance::ObjectStore>& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::IndexMetadata& metadata,
                                                          std::shared_ptr<const RowMoves> moves,
                                                          const Session& session) {
  ARROW_RETURN_NOT_OK(CheckMetadata(manifest, metadata));
  const Cache of_segment = SegmentCache(session.cache(), metadata);
  const WeakCache cache(of_segment);
  ARROW_ASSIGN_OR_RAISE(auto state, GetState(*store, cache, metadata));
  auto segment = std::make_shared<Segment>();
  auto reader = std::make_shared<LazyPartitionReader>(store, cache, *state);
  segment->keeps_deleted_rows = metadata.row_ids_are_old && state->layout() == StorageLayout::kRandomAccess;
  if (metadata.row_ids_are_old) {
    // Partitions hold row ids; another fragment reuse index makes others of them.
    const WeakCache partitions(of_segment.Child(manifest.fragment_reuse->uuid.ToString()));
    segment->index = std::make_shared<IvfIndex>(std::move(state), partitions, std::move(reader), session.io_executor(),
                                                std::move(moves));
  } else {
    segment->index = std::make_shared<IvfIndex>(std::move(state), cache, std::move(reader), session.io_executor());
  }
  ARROW_ASSIGN_OR_RAISE(segment->live_rows,
                        ReadLiveRows(*store, manifest, *metadata.fragments, segment->keeps_deleted_rows));
  return segment;
}

}  // namespace fewter
