#include "fewter/dataset/live_rows.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "fewter/dataset/fragment_table.h"
#include "fewter/dataset/read_of_each.h"
#include "fewter/dataset/row_filters.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/lance/deletions.h"

namespace fewter {

namespace {

/// For row ids that are addresses: fragment number and offset.
class LiveAddresses : public RowFilter {
 public:
  struct Offsets {
    uint64_t physical_rows = 0;
    /// Ascending.
    std::vector<uint32_t> deleted;
  };

  /// The offsets of each fragment that may be searched.
  explicit LiveAddresses(FragmentTable<Offsets> fragments) : fragments_(std::move(fragments)) {}

  bool Allows(uint64_t row_id) const override {
    const Offsets* found = fragments_.Find(row_id >> 32);
    if (found == nullptr) return false;
    const auto offset = static_cast<uint32_t>(row_id);
    const auto& [physical_rows, deleted] = *found;
    return offset < physical_rows && !std::binary_search(deleted.begin(), deleted.end(), offset);
  }

 private:
  FragmentTable<Offsets> fragments_;
};

class IdsBelow : public RowFilter {
 public:
  explicit IdsBelow(uint64_t end) : end_(end) {}
  bool Allows(uint64_t row_id) const override { return row_id < end_; }

 private:
  uint64_t end_;
};

/// True if nothing was deleted from the covered fragments, all of them exist, and no other fragment does.
bool EveryFragmentIsWhole(const lance::Manifest& manifest, const std::unordered_set<uint64_t>& covered) {
  size_t seen = 0;
  for (const auto& fragment : manifest.fragments) {
    if (!covered.contains(fragment.id) || fragment.deletion_file) return false;
    ++seen;
  }
  return seen == covered.size();
}

std::vector<const lance::Fragment*> CoveredFragments(const lance::Manifest& manifest,
                                                     const std::unordered_set<uint64_t>& covered) {
  std::vector<const lance::Fragment*> fragments;
  for (const auto& fragment : manifest.fragments) {
    if (covered.contains(fragment.id)) fragments.push_back(&fragment);
  }
  return fragments;
}

/// By stable row ids, which say nothing of where a row lies.
arrow::Result<LiveRows> ReadLiveIds(const lance::ObjectStore& store, const lance::Manifest& manifest,
                                    const std::unordered_set<uint64_t>& covered) {
  // Ids of deleted rows stay in the index when a compaction has done away with the rows and their deletion files. But
  // ids are given once, so that none is lost if there are as many rows as ids.
  if (EveryFragmentIsWhole(manifest, covered) && manifest.live_rows() == manifest.next_row_id) {
    return LiveRows{std::make_shared<IdsBelow>(manifest.next_row_id), true};
  }
  ARROW_ASSIGN_OR_RAISE(const auto ids, ReadOfEach<std::vector<uint64_t>>(
                                            store, CoveredFragments(manifest, covered), [&](const auto& fragment) {
                                              return LiveRowIdsOfFragment(store, manifest, fragment);
                                            }));
  std::vector<uint64_t> live;
  for (const auto& of_fragment : ids) live.insert(live.end(), of_fragment.begin(), of_fragment.end());
  return LiveRows{AllowRows(live), false};
}

}  // namespace

arrow::Result<LiveRows> ReadLiveRows(const lance::ObjectStore& store, const lance::Manifest& manifest,
                                     const std::vector<uint32_t>& covered_fragments) {
  const std::unordered_set<uint64_t> covered(covered_fragments.begin(), covered_fragments.end());
  if (manifest.has_stable_row_ids()) return ReadLiveIds(store, manifest, covered);
  const auto covered_now = CoveredFragments(manifest, covered);
  ARROW_ASSIGN_OR_RAISE(auto deleted, ReadOfEach<std::vector<uint32_t>>(store, covered_now, [&](const auto& fragment) {
                          return lance::ReadDeletions(store, fragment);
                        }));
  std::vector<std::pair<uint64_t, LiveAddresses::Offsets>> fragments;
  for (size_t i = 0; i < covered_now.size(); ++i) {
    fragments.push_back({covered_now[i]->id, {covered_now[i]->physical_rows, std::move(deleted[i])}});
  }
  return LiveRows{std::make_shared<LiveAddresses>(FragmentTable(std::move(fragments))),
                  EveryFragmentIsWhole(manifest, covered)};
}

}  // namespace fewter
