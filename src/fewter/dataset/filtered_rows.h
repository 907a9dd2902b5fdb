#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/dataset/fragment_table.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/dataset/taken_rows.h"
#include "fewter/filter/bound_filter.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/top_k.h"

namespace arrow::internal {
class Executor;
}

namespace fewter {

std::vector<const lance::Fragment*> AllFragments(const lance::Manifest& manifest);

/// The rows of some fragments that a filter takes, by the ids that a search returns. Immutable.
class FilteredRows final : public RowFilter {
 public:
  /// `taken` is what it takes of each. With stable row ids, reads those of the fragments.
  static arrow::Result<std::shared_ptr<const FilteredRows>> Make(
      const lance::ObjectStore& store, const lance::Manifest& manifest,
      std::span<const lance::Fragment* const> fragments, const std::vector<std::shared_ptr<const TakenRows>>& taken);

  bool Allows(uint64_t row_id) const override {
    if (by_stable_id_ != nullptr) return by_stable_id_->Allows(row_id);
    const TakenRows* taken = OfFragment(row_id >> 32);
    return taken != nullptr && taken->Takes(row_id & 0xffffffff);
  }

  /// Null if it is none of them.
  const TakenRows* OfFragment(uint64_t fragment) const {
    const auto* found = fragments_.Find(fragment);
    return found != nullptr ? found->get() : nullptr;
  }

  /// Of what is not a cache entry of its own.
  int64_t SizeInBytes() const { return bytes_; }

 private:
  FragmentTable<std::shared_ptr<const TakenRows>> fragments_;
  /// Null if row ids are addresses.
  std::shared_ptr<const RowFilter> by_stable_id_;
  int64_t bytes_ = 0;
};

/// All rows that a filter takes of a version of a dataset that is open; kept in memory, since it is made of entries
/// that have codecs.
struct FilteredRowsKey {
  using Value = FilteredRows;
  static constexpr std::string_view kTypeId = "fewter.dataset.FilteredRowsKey";

  /// Which of all that this process has opened.
  uint64_t opened = 0;
  std::string_view filter;

  void AppendFields(KeyWriter& fields) const {
    fields.U64(opened);
    fields.String(filter);
  }
};

/// Evaluates filters over the fragments of one version of a dataset. Thread safe.
class FragmentFilter {
 public:
  FragmentFilter(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
                 std::shared_ptr<RowReader> rows, arrow::internal::Executor* cpu_executor, WeakCache cache)
      : store_(std::move(store)),
        manifest_(std::move(manifest)),
        rows_(std::move(rows)),
        cpu_executor_(cpu_executor),
        cache_(std::move(cache)) {}

  bool is_remote() const { return store_->is_remote(); }
  /// On whose threads it works.
  arrow::internal::Executor* executor() const { return is_remote() ? store_->executor() : cpu_executor_; }

  /// What a filter takes of each fragment: from the cache, or of the columns that it names, which are read side by
  /// side, pieces of fragments on the CPU executor's threads, of a remote store on its own.
  arrow::Result<std::vector<std::shared_ptr<const TakenRows>>> Evaluate(
      const BoundFilter& filter, std::span<const lance::Fragment* const> fragments) const;

 private:
  struct Work;

  TakenRowsKey KeyOf(const BoundFilter& filter, const lance::Fragment& fragment) const;
  std::vector<arrow::Result<std::shared_ptr<const TakenRows>>> Load(
      const BoundFilter& filter, std::span<const lance::Fragment* const> fragments) const;
  arrow::Status Begin(const BoundFilter& filter, Work* work) const;
  arrow::Status EvaluatePiece(const BoundFilter& filter, size_t piece, Work* work) const;
  void RunTogether(size_t count, const std::function<void(size_t)>& work) const;

  std::shared_ptr<const lance::ObjectStore> store_;
  std::shared_ptr<const lance::Manifest> manifest_;
  std::shared_ptr<RowReader> rows_;
  arrow::internal::Executor* cpu_executor_;
  WeakCache cache_;
};

}  // namespace fewter
