#include "fewter/vector/top_k.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "fewter/simd/select.h"

namespace fewter {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The threshold is looked at anew after so many rows.
constexpr size_t kRowsPerBlock = 256;
// A caller may ask for "all" with a k of billions.
constexpr size_t kMaxReserved = 1024;

float LargestBelow(float upper) {
  return std::nextafter(upper, -kInfinity);
}

}  // namespace

void SharedBound::Lower(float distance) {
  float known = distance_.load(std::memory_order_relaxed);
  // Nothing else is published with it, so no order is needed.
  while (distance < known && !distance_.compare_exchange_weak(known, distance, std::memory_order_relaxed)) {
  }
}

TopK::TopK(size_t k, const RowFilter* filter, float lower, std::optional<float> upper, SharedBound* shared)
    : k_(k),
      filter_(filter),
      lower_(lower),
      upper_(upper.value_or(kInfinity)),
      initial_threshold_(upper ? LargestBelow(*upper) : kInfinity),
      shared_(shared) {
  // Nothing lies below minus infinity, and nothing enters a heap of no places.
  if (k == 0 || upper_ == -kInfinity) initial_threshold_ = std::numeric_limits<float>::quiet_NaN();
  threshold_ = initial_threshold_;
  heap_.reserve(std::min(k, kMaxReserved));
}

void TopK::Push(float distance, uint64_t row_id) {
  if (!(distance <= threshold_) || !(distance >= lower_)) return;
  const Neighbor row{distance, row_id};
  const bool full = heap_.size() == k_;
  if (full && !Nearer(row, heap_.front())) return;
  if (filter_ != nullptr && !filter_->Allows(row_id)) return;
  if (full) {
    ReplaceFarthest(row);
  } else {
    heap_.push_back(row);
    std::push_heap(heap_.begin(), heap_.end(), Nearer);
  }
  if (heap_.size() == k_) LowerThreshold();
}

void TopK::LowerThreshold() {
  threshold_ = heap_.front().distance;
  if (shared_ == nullptr) return;
  shared_->Lower(threshold_);
  TakeSharedBound();
}

void TopK::PushBlock(const float* distances, const uint64_t* row_ids, size_t n) {
  std::array<uint32_t, kRowsPerBlock> near;
  for (size_t begin = 0; begin < n; begin += kRowsPerBlock) {
    const size_t rows = std::min(kRowsPerBlock, n - begin);
    TakeSharedBound();
    const size_t count = simd::SelectAtMost(distances + begin, rows, threshold_, near.data());
    for (size_t i = 0; i < count; ++i) Push(distances[begin + near[i]], row_ids[begin + near[i]]);
  }
}

std::vector<Neighbor> TopK::Finish() {
  std::sort_heap(heap_.begin(), heap_.end(), Nearer);
  threshold_ = initial_threshold_;
  return std::exchange(heap_, {});
}

void TopK::ReplaceFarthest(const Neighbor& row) {
  size_t hole = 0;
  for (size_t child = 1; child < heap_.size(); child = 2 * hole + 1) {
    const bool right_is_farther = child + 1 < heap_.size() && Nearer(heap_[child], heap_[child + 1]);
    if (right_is_farther) ++child;
    if (!Nearer(row, heap_[child])) break;
    heap_[hole] = heap_[child];
    hole = child;
  }
  heap_[hole] = row;
}

}  // namespace fewter
