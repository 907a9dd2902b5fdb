#include "fewter/dataset/taken_ahead.h"

#include <algorithm>
#include <span>
#include <utility>

namespace fewter {

namespace {

/// Of a remote store, waiting for one fragment takes as long as for several.
constexpr size_t kRemoteFragments = 8;
/// But more rows than this are much to read for who may want few.
constexpr uint64_t kManyRows = 1 << 16;

}  // namespace

TakenAhead::TakenAhead(FragmentFilter filter, BoundFilter condition, const lance::Manifest& manifest)
    : filter_(std::make_shared<const FragmentFilter>(std::move(filter))),
      condition_(std::make_shared<const BoundFilter>(std::move(condition))),
      fragments_(AllFragments(manifest)),
      ahead_(filter_->executor()) {}

size_t TakenAhead::FirstGroupSize() const {
  size_t size = 0;
  uint64_t rows = 0;
  do {
    rows += fragments_[size++]->physical_rows;
  } while (filter_->is_remote() && size < std::min(fragments_.size(), kRemoteFragments) && rows < kManyRows);
  return size;
}

void TakenAhead::BeginNextGroup() {
  if (ahead_.size() > 0 || begun_ == fragments_.size()) return;
  group_size_ = std::min(begun_ == 0 ? FirstGroupSize() : 2 * group_size_, fragments_.size() - begun_);
  std::vector<const lance::Fragment*> group(fragments_.begin() + static_cast<std::ptrdiff_t>(begun_),
                                            fragments_.begin() + static_cast<std::ptrdiff_t>(begun_ + group_size_));
  begun_ += group_size_;
  ahead_.Add([filter = filter_, condition = condition_, group = std::move(group)] {
    return filter->Evaluate(*condition, group);
  });
}

arrow::Result<std::shared_ptr<const TakenRows>> TakenAhead::Next() {
  if (next_ == group_.size()) {
    const bool is_first = begun_ == 0;
    BeginNextGroup();
    ARROW_ASSIGN_OR_RAISE(group_, ahead_.Take());
    next_ = 0;
    // Who has seen a whole group wants all of the next, as a rule.
    if (!is_first) BeginNextGroup();
  }
  return std::move(group_[next_++]);
}

}  // namespace fewter
