#include "fewter/vector/metric.h"

#include <gtest/gtest.h>

namespace fewter {
namespace {

TEST(Metric, NamesComeBack) {
  for (Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kHamming}) {
    const auto parsed = ParseMetric(ToString(metric));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, metric);
  }
  EXPECT_EQ(ToString(Metric::kCosine), "cosine");
}

TEST(Metric, RefusesOtherNames) {
  for (const char* name : {"", "L2", "l2 ", "euclidean", "unknown"}) EXPECT_FALSE(ParseMetric(name).ok()) << name;
  EXPECT_EQ(ToString(static_cast<Metric>(9)), "unknown");
}

}  // namespace
}  // namespace fewter
