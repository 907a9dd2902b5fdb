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

}  // namespace

arrow::Result<std::shared_ptr<const Segment>> OpenSegment(const std::shared_ptr<const lance::ObjectStore>& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::IndexMetadata& metadata,
                                                          const Session& session) {
  if (!metadata.fragments) {
    return arrow::Status::NotImplemented(manifest.path, ": index '", metadata.name,
                                         "' does not say which fragments it covers");
  }
  const WeakCache cache(SegmentCache(session.cache(), metadata));
  ARROW_ASSIGN_OR_RAISE(auto state, GetState(*store, cache, metadata));
  auto segment = std::make_shared<Segment>();
  auto reader = std::make_shared<LazyPartitionReader>(store, cache, *state);
  segment->index = std::make_shared<IvfIndex>(std::move(state), cache, std::move(reader),
                                              IvfExecutors{.io = session.io_executor(), .cpu = session.cpu_executor()});
  ARROW_ASSIGN_OR_RAISE(segment->live_rows, ReadLiveRows(*store, manifest, *metadata.fragments));
  return segment;
}

}  // namespace fewter
