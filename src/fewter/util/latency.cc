#include "fewter/util/latency.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace fewter {

uint64_t LatencyCounts::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

LatencyCounts LatencyCounts::operator-(const LatencyCounts& earlier) const {
  LatencyCounts difference;
  for (size_t i = 0; i < kBuckets; ++i) difference.buckets[i] = buckets[i] - earlier.buckets[i];
  difference.sum_seconds = sum_seconds - earlier.sum_seconds;
  return difference;
}

void LatencyHistogram::Record(Clock::duration duration) {
  const int64_t signed_count = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  const auto nanoseconds = static_cast<uint64_t>(std::max<int64_t>(signed_count, 0));
  // A bound belongs to its own bucket, so begun microseconds count as whole ones.
  const uint64_t microseconds = (nanoseconds + 999) / 1000;
  const auto bucket = static_cast<size_t>(microseconds <= 1 ? 0 : std::bit_width(microseconds - 1));
  buckets_[std::min(bucket, LatencyCounts::kBuckets - 1)].fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(nanoseconds, std::memory_order_relaxed);
}

LatencyCounts LatencyHistogram::Snapshot() const {
  LatencyCounts counts;
  for (size_t i = 0; i < buckets_.size(); ++i) counts.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
  counts.sum_seconds = 1e-9 * static_cast<double>(nanoseconds_.load(std::memory_order_relaxed));
  return counts;
}

}  // namespace fewter
