#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// How long things took, as a histogram that costs two additions to keep.

namespace fewter {

/// A snapshot of a LatencyHistogram; subtract two for what happened in between.
struct LatencyCounts {
  /// Bucket i counts what took at most UpperBound(i) and more than the bucket before; the last one has no bound.
  static constexpr size_t kBuckets = 26;
  /// In seconds: a microsecond, and twice the bound before; 16.8 seconds for the last that has one.
  static double UpperBound(size_t bucket) { return 1e-6 * static_cast<double>(uint64_t{1} << bucket); }

  std::array<uint64_t, kBuckets> buckets{};
  double sum_seconds = 0;

  uint64_t count() const;
  LatencyCounts operator-(const LatencyCounts& earlier) const;
};

/// Thread safe. A snapshot taken while others record may lack a part of what is just being recorded.
class LatencyHistogram {
 public:
  using Clock = std::chrono::steady_clock;

  void Record(Clock::duration duration);
  LatencyCounts Snapshot() const;

 private:
  std::array<std::atomic<uint64_t>, LatencyCounts::kBuckets> buckets_{};
  std::atomic<uint64_t> nanoseconds_{0};
};

}  // namespace fewter
