#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/lance/fragment_reuse.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/ivf/moved_rows.h"

/// What a fragment reuse index means for the other indexes of a dataset.

namespace fewter {

/// The content of a fragment reuse index, in the namespace of that index.
struct FragmentReuseKey {
  using Value = lance::FragmentReuse;
  static constexpr std::string_view kTypeId = "fewter.lance.FragmentReuseKey";
  static CacheCodec Codec() { return CacheCodec::For<lance::FragmentReuse>(); }
  void AppendFields(KeyWriter&) const {}
};

/// From the manifest, or from a file by way of the cache. Null if the dataset has none.
arrow::Result<std::shared_ptr<const lance::FragmentReuse>> GetFragmentReuse(const lance::ObjectStore& store,
                                                                            const lance::Manifest& manifest,
                                                                            const Cache& cache);

/// The manifest with the fragments that its indexes cover now in the place of those that they covered when they were
/// written, and those marked whose row ids are out of date.
std::shared_ptr<const lance::Manifest> WithNewFragments(const lance::Manifest& manifest,
                                                        const lance::FragmentReuse& reuse);

/// Row ids that are addresses, moved with their fragments.
class AddressMoves final : public RowMoves {
 public:
  explicit AddressMoves(std::shared_ptr<const lance::FragmentReuse> reuse) : reuse_(std::move(reuse)) {}
  std::optional<uint64_t> NewId(uint64_t row_id) const override { return reuse_->NewAddress(row_id); }

 private:
  std::shared_ptr<const lance::FragmentReuse> reuse_;
};

}  // namespace fewter
