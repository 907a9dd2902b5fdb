#include "fewter/dataset/fragment_moves.h"

namespace fewter {

arrow::Result<std::shared_ptr<const lance::FragmentReuse>> GetFragmentReuse(const lance::ObjectStore& store,
                                                                            const lance::Manifest& manifest,
                                                                            const Cache& cache) {
  if (!manifest.fragment_reuse) return nullptr;
  const lance::FragmentReuseIndex& index = *manifest.fragment_reuse;
  // What the manifest has itself need not be looked for anywhere else.
  if (index.details.path.empty()) {
    auto reuse = lance::ReadFragmentReuse(store, index);
    if (reuse.ok()) return reuse;
    return reuse.status().WithMessage(store.name(), "/", manifest.path, ": ", reuse.status().message());
  }
  return cache.Child("index").Child(index.uuid.ToString()).GetOrLoad(FragmentReuseKey{}, [&] {
    return lance::ReadFragmentReuse(store, index);
  });
}

std::shared_ptr<const lance::Manifest> WithNewFragments(const lance::Manifest& manifest,
                                                        const lance::FragmentReuse& reuse) {
  auto now = std::make_shared<lance::Manifest>(manifest);
  for (lance::IndexMetadata& index : now->indices) {
    if (!index.fragments || !reuse.Concerns(*index.fragments)) continue;
    index.fragments = reuse.NewFragments(*index.fragments);
    // Stable row ids go with their rows.
    index.row_ids_are_old = !manifest.has_stable_row_ids();
  }
  return now;
}

}  // namespace fewter
