#include "fewter/util/latency.h"

#include <chrono>

#include <gtest/gtest.h>

namespace fewter {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

size_t BucketOf(LatencyHistogram::Clock::duration duration) {
  LatencyHistogram histogram;
  histogram.Record(duration);
  const LatencyCounts counts = histogram.Snapshot();
  EXPECT_EQ(counts.count(), 1U);
  size_t bucket = 0;
  while (counts.buckets[bucket] == 0) ++bucket;
  return bucket;
}

TEST(LatencyHistogram, BucketsIncludeTheirUpperBounds) {
  EXPECT_EQ(BucketOf(nanoseconds(-5)), 0U);
  EXPECT_EQ(BucketOf(nanoseconds(0)), 0U);
  EXPECT_EQ(BucketOf(microseconds(1)), 0U);
  EXPECT_EQ(BucketOf(nanoseconds(1001)), 1U);
  for (size_t i = 1; i + 1 < LatencyCounts::kBuckets; ++i) {
    const auto bound = microseconds(int64_t{1} << i);
    EXPECT_DOUBLE_EQ(LatencyCounts::UpperBound(i), std::chrono::duration<double>(bound).count());
    EXPECT_EQ(BucketOf(bound), i);
    EXPECT_EQ(BucketOf(bound + nanoseconds(1)), i + 1);
  }
  EXPECT_EQ(BucketOf(seconds(3600)), LatencyCounts::kBuckets - 1);
}

TEST(LatencyHistogram, DifferencesOfSnapshots) {
  LatencyHistogram histogram;
  histogram.Record(microseconds(3));
  const LatencyCounts before = histogram.Snapshot();
  histogram.Record(microseconds(3));
  histogram.Record(seconds(2));
  const LatencyCounts between = histogram.Snapshot() - before;
  EXPECT_EQ(between.count(), 2U);
  EXPECT_EQ(between.buckets[2], 1U);
  EXPECT_NEAR(between.sum_seconds, 2.000003, 1e-9);
}

}  // namespace
}  // namespace fewter
