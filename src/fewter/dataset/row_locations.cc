#include "fewter/dataset/row_locations.h"

#include <algorithm>
#include <numeric>

#include "fewter/dataset/read_of_each.h"
#include "fewter/lance/deletions.h"
#include "fewter/lance/row_ids.h"
#include "fewter/vector/ivf/moved_rows.h"

namespace fewter {

arrow::Result<std::vector<uint64_t>> RowIdsOfFragment(const lance::ObjectStore& store, const lance::Manifest& manifest,
                                                      const lance::Fragment& fragment) {
  std::vector<uint64_t> ids;
  if (manifest.has_stable_row_ids()) {
    auto stable = lance::ReadRowIds(store, fragment);
    if (!stable.ok()) {
      return stable.status().WithMessage(store.name(), "/", manifest.path, ": ", stable.status().message());
    }
    ids = *std::move(stable);
  } else {
    ids.resize(fragment.physical_rows);
    std::iota(ids.begin(), ids.end(), fragment.id << 32);
  }
  ARROW_ASSIGN_OR_RAISE(const auto deleted, lance::ReadDeletions(store, fragment));
  for (const uint32_t offset : deleted) ids[offset] = kDeletedRowId;
  return ids;
}

arrow::Result<std::vector<uint64_t>> LiveRowIdsOfFragment(const lance::ObjectStore& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::Fragment& fragment) {
  ARROW_ASSIGN_OR_RAISE(auto ids, RowIdsOfFragment(store, manifest, fragment));
  std::erase(ids, kDeletedRowId);
  return ids;
}

std::vector<lance::RowRange> LiveRanges(const std::vector<uint32_t>& deleted, uint64_t first, uint64_t length) {
  // Before the i-th deleted row there are as many live ones as its offset says, but for the i deleted ones.
  size_t hole = 0;
  for (size_t end = deleted.size(); hole < end;) {
    const size_t middle = hole + (end - hole) / 2;
    if (deleted[middle] - middle <= first) {
      hole = middle + 1;
    } else {
      end = middle;
    }
  }
  std::vector<lance::RowRange> ranges;
  for (uint64_t offset = first + hole; length > 0; ++hole) {
    const uint64_t end = hole < deleted.size() ? std::min<uint64_t>(deleted[hole], offset + length) : offset + length;
    if (end > offset) ranges.push_back({offset, end - offset});
    length -= end - offset;
    offset = end + 1;
  }
  return ranges;
}

std::vector<lance::RowRange> RangesOf(std::span<const uint64_t> offsets) {
  std::vector<lance::RowRange> ranges;
  for (const uint64_t offset : offsets) {
    if (!ranges.empty() && ranges.back().end() == offset) {
      ++ranges.back().length;
    } else {
      ranges.push_back({offset, 1});
    }
  }
  return ranges;
}

arrow::Result<std::shared_ptr<const RowLocations>> RowLocations::Read(const lance::ObjectStore& store,
                                                                      const lance::Manifest& manifest) {
  auto locations = std::make_shared<RowLocations>();
  if (!manifest.has_stable_row_ids()) return locations;
  locations->ids_are_addresses_ = false;
  std::vector<const lance::Fragment*> fragments;
  fragments.reserve(manifest.fragments.size());
  for (const auto& fragment : manifest.fragments) fragments.push_back(&fragment);
  ARROW_ASSIGN_OR_RAISE(const auto ids,
                        ReadOfEach<std::vector<uint64_t>>(store, fragments, [&](const lance::Fragment& fragment) {
                          return RowIdsOfFragment(store, manifest, fragment);
                        }));
  for (size_t i = 0; i < fragments.size(); ++i) {
    for (uint64_t offset = 0; offset < ids[i].size(); ++offset) {
      if (ids[i][offset] == kDeletedRowId) continue;
      locations->addresses_.emplace_back(ids[i][offset], fragments[i]->id << 32 | offset);
    }
  }
  std::sort(locations->addresses_.begin(), locations->addresses_.end());
  return locations;
}

arrow::Result<uint64_t> RowLocations::AddressOf(uint64_t row_id) const {
  if (ids_are_addresses_) return row_id;
  const auto found = std::lower_bound(addresses_.begin(), addresses_.end(), std::pair{row_id, uint64_t{0}});
  if (found != addresses_.end() && found->first == row_id) return found->second;
  return arrow::Status::KeyError("the dataset has no row with id ", row_id);
}

}  // namespace fewter
