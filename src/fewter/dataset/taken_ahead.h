#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <arrow/result.h>

#include "fewter/dataset/filtered_rows.h"
#include "fewter/dataset/read_ahead.h"
#include "fewter/dataset/taken_rows.h"
#include "fewter/filter/bound_filter.h"
#include "fewter/lance/manifest.h"

namespace fewter {

/// What a filter takes of a table's fragments, one after the other: evaluated for groups of them, each twice as large
/// as the one before it, so that who wants the first rows waits for few fragments, and who wants all waits for few
/// groups. For one caller.
class TakenAhead {
 public:
  /// `manifest` must outlive it.
  TakenAhead(FragmentFilter filter, BoundFilter condition, const lance::Manifest& manifest);

  /// Whether the next fragment's rows are known, so that Next need not wait.
  bool IsReady() const { return next_ < group_.size() || (ahead_.size() > 0 && ahead_.IsReady()); }
  /// Has the next group evaluated while the caller does something else, unless it is under way.
  void BeginNextGroup();
  /// Of the next fragment. Requires that there is one.
  arrow::Result<std::shared_ptr<const TakenRows>> Next();

 private:
  using Group = std::vector<std::shared_ptr<const TakenRows>>;

  /// How many fragments the first group has.
  size_t FirstGroupSize() const;

  const std::shared_ptr<const FragmentFilter> filter_;
  const std::shared_ptr<const BoundFilter> condition_;
  const std::vector<const lance::Fragment*> fragments_;
  /// Of what has been begun: where it ends among the fragments, and how large its last group is.
  size_t begun_ = 0;
  size_t group_size_ = 0;
  ReadAhead<Group> ahead_;
  Group group_;
  size_t next_ = 0;
};

}  // namespace fewter
