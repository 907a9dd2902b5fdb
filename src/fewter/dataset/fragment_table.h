#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewter {

/// Values by the numbers of fragments, for who looks one up for every row of a search: numbers come one after the
/// other as a rule, so that a look in the right place is enough. Thread safe once it is made.
template <typename T>
class FragmentTable {
 public:
  FragmentTable() = default;
  /// In any order, each number once.
  explicit FragmentTable(std::vector<std::pair<uint64_t, T>> fragments) : fragments_(std::move(fragments)) {
    std::ranges::sort(fragments_, {}, &std::pair<uint64_t, T>::first);
  }

  /// Null if there is none.
  const T* Find(uint64_t fragment) const {
    if (fragments_.empty()) return nullptr;
    const size_t place = fragment - fragments_.front().first;
    if (place < fragments_.size() && fragments_[place].first == fragment) return &fragments_[place].second;
    const auto found = std::ranges::lower_bound(fragments_, fragment, {}, &std::pair<uint64_t, T>::first);
    return found != fragments_.end() && found->first == fragment ? &found->second : nullptr;
  }

 private:
  std::vector<std::pair<uint64_t, T>> fragments_;
};

}  // namespace fewter
