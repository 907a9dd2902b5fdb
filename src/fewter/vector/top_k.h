#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace fewter {

/// A row and how far it is from the query.
struct Neighbor {
  float distance = 0;
  uint64_t row_id = 0;
  bool operator==(const Neighbor&) const = default;
};

/// The order of results: nearer first, and of equally near rows the lower row id.
inline bool Nearer(const Neighbor& a, const Neighbor& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.row_id < b.row_id;
}

/// Which rows a search may return. Thread safe.
class RowFilter {
 public:
  virtual ~RowFilter() = default;
  virtual bool Allows(uint64_t row_id) const = 0;
};

/// What several searches for the same k nearest rows, over different rows, know of each other: no row that is farther
/// than this belongs to the result. Thread safe.
class SharedBound {
 public:
  float distance() const { return distance_.load(std::memory_order_relaxed); }
  void Lower(float distance);

 private:
  /// In a cache line of its own, since all threads look at it.
  alignas(64) std::atomic<float> distance_{std::numeric_limits<float>::infinity()};
};

/// Keeps the k nearest of the rows that are pushed.
///
/// The result does not depend on the order of pushes: ties go to the lower row id. Distances outside
/// [lower, upper) and NaN are ignored. `k` may exceed the number of rows; 0 keeps nothing. Not thread safe.
class TopK {
 public:
  /// The default bounds are Lance's for a search of an index: they exclude the infinities and the largest float.
  /// Without an upper bound rows at infinity are kept as well. With a shared bound, rows beyond what others have found
  /// by now may be missing from the result, and only those; it is told of what is found here.
  explicit TopK(size_t k, const RowFilter* filter = nullptr, float lower = std::numeric_limits<float>::lowest(),
                std::optional<float> upper = std::numeric_limits<float>::max(), SharedBound* shared = nullptr);

  /// A row that is farther than this cannot enter; a scan compares before it pushes. One at this distance may, if its
  /// id is lower. Shrinks as rows are pushed.
  float threshold() const { return threshold_; }

  /// Call only if distance <= threshold(), or it is a wasted call (never a wrong one).
  void Push(float distance, uint64_t row_id);

  /// Pushes `n` rows. What a scan calls with each block of distances: it costs little more than one comparison a row,
  /// several at a time, as soon as the nearest rows are known roughly.
  void PushBlock(const float* distances, const uint64_t* row_ids, size_t n);

  /// Lowers the threshold to what others have found by now.
  void TakeSharedBound() {
    if (shared_ != nullptr && shared_->distance() < threshold_) threshold_ = shared_->distance();
  }

  size_t size() const { return heap_.size(); }
  size_t k() const { return k_; }
  /// Null for none.
  const RowFilter* filter() const { return filter_; }
  float lower() const { return lower_; }
  /// Infinity if there is none.
  float upper() const { return upper_; }

  /// The rows kept, nearest first; leaves this as it was made.
  std::vector<Neighbor> Finish();

 private:
  /// Puts a row in the place of the farthest.
  void ReplaceFarthest(const Neighbor& row);
  /// To the farthest of k rows, and tells others.
  void LowerThreshold();

  size_t k_;
  const RowFilter* filter_;
  float lower_;
  float upper_;
  /// The threshold while fewer than k rows are kept: the largest float below the upper bound.
  float initial_threshold_;
  float threshold_;
  /// Null for none.
  SharedBound* shared_;
  /// A heap with the farthest row on top.
  std::vector<Neighbor> heap_;
};

}  // namespace fewter
