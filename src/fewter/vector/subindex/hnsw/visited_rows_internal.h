#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewter {

/// A set of row numbers that is emptied in no time: a row is in it if its stamp is the current epoch's. Two bytes a
/// row, so that a partition's stamps stay in the second-level cache. Kept for the next search, and as large as the
/// largest partition so far. Not thread safe.
class VisitedRows {
 public:
  /// Empties the set; rows are below `num_rows` from here on.
  void Begin(size_t num_rows) {
    if (stamps_.size() < num_rows) stamps_.resize(num_rows);
    if (++epoch_ != 0) return;
    std::fill(stamps_.begin(), stamps_.end(), uint16_t{0});
    epoch_ = 1;
  }

  /// False if the row was in the set already.
  bool Insert(uint32_t row) {
    const bool is_new = stamps_[row] != epoch_;
    stamps_[row] = epoch_;
    return is_new;
  }

 private:
  /// 0 for rows that were never inserted.
  std::vector<uint16_t> stamps_;
  uint16_t epoch_ = 0;
};

}  // namespace fewter
