#include "fewter/dataset/live_rows.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "fewter/dataset/row_locations.h"
#include "fewter/lance/deletions.h"

namespace fewter {

namespace {

/// For row ids that are addresses: fragment number and offset.
class LiveAddresses : public RowFilter {
 public:
  /// `deleted` maps each fragment that may be searched to the offsets of its deleted rows, ascending.
  explicit LiveAddresses(std::unordered_map<uint64_t, std::vector<uint32_t>> deleted) : deleted_(std::move(deleted)) {}

  bool Allows(uint64_t row_id) const override {
    const auto found = deleted_.find(row_id >> 32);
    if (found == deleted_.end()) return false;
    return !std::binary_search(found->second.begin(), found->second.end(), static_cast<uint32_t>(row_id));
  }

 private:
  std::unordered_map<uint64_t, std::vector<uint32_t>> deleted_;
};

/// For stable row ids, which say nothing of where the row lies: the ids of all live rows, ascending.
class LiveIds : public RowFilter {
 public:
  explicit LiveIds(std::vector<uint64_t> ids) : ids_(std::move(ids)) { std::sort(ids_.begin(), ids_.end()); }

  bool Allows(uint64_t row_id) const override { return std::binary_search(ids_.begin(), ids_.end(), row_id); }

 private:
  std::vector<uint64_t> ids_;
};

/// True if nothing was deleted from the covered fragments, all of them exist, and no other fragment does.
bool EveryRowIsLive(const lance::Manifest& manifest, const std::unordered_set<uint64_t>& covered) {
  size_t seen = 0;
  for (const auto& fragment : manifest.fragments) {
    if (!covered.contains(fragment.id) || fragment.deletion_file) return false;
    ++seen;
  }
  return seen == covered.size();
}

}  // namespace

arrow::Result<std::shared_ptr<const RowFilter>> ReadLiveRows(const lance::ObjectStore& store,
                                                             const lance::Manifest& manifest,
                                                             const std::vector<uint32_t>& covered_fragments,
                                                             bool keeps_deleted_rows) {
  const std::unordered_set<uint64_t> covered(covered_fragments.begin(), covered_fragments.end());
  if (!keeps_deleted_rows && EveryRowIsLive(manifest, covered)) return nullptr;
  std::unordered_map<uint64_t, std::vector<uint32_t>> deleted;
  std::vector<uint64_t> live_ids;
  for (const auto& fragment : manifest.fragments) {
    if (!covered.contains(fragment.id)) continue;
    if (manifest.has_stable_row_ids()) {
      ARROW_ASSIGN_OR_RAISE(const auto ids, LiveRowIdsOfFragment(store, manifest, fragment));
      live_ids.insert(live_ids.end(), ids.begin(), ids.end());
    } else {
      ARROW_ASSIGN_OR_RAISE(deleted[fragment.id], lance::ReadDeletions(store, fragment));
    }
  }
  if (manifest.has_stable_row_ids()) return std::make_shared<LiveIds>(std::move(live_ids));
  return std::make_shared<LiveAddresses>(std::move(deleted));
}

}  // namespace fewter
