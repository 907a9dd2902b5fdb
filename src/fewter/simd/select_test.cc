#include "fewter/simd/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "fewter/simd/every_target_internal.h"

namespace fewter::simd {
namespace {

using SelectTest = EveryTarget;

TEST_P(SelectTest, FindsWhatALoopFinds) {
  std::mt19937 generator(11);
  std::uniform_int_distribution<int> small(0, 9);
  for (size_t n = 0; n <= 200; ++n) {
    std::vector<float> values(n + 1);
    for (float& v : values) v = static_cast<float>(small(generator));
    if (n > 3) values[n / 2] = std::nanf("");
    for (float limit : {-1.0f, 0.0f, 4.0f, 4.5f, 9.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
      std::vector<uint32_t> expected;
      for (uint32_t i = 0; i < n; ++i) {
        if (values[i + 1] <= limit) expected.push_back(i);
      }
      std::vector<uint32_t> found(n);
      found.resize(SelectAtMost(values.data() + 1, n, limit, found.data()));
      EXPECT_EQ(found, expected) << n << " values, limit " << limit;
    }
  }
}

TEST_P(SelectTest, LimitLeavesAsManyAsAreWantedAndFewMore) {
  std::mt19937 generator(12);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t n : {1, 5, 63, 64, 65, 300, 1001}) {
    std::vector<float> values(n + 1);
    for (float& v : values) v = uniform(generator);
    std::vector<float> sorted(values.begin() + 1, values.end());
    std::sort(sorted.begin(), sorted.end());
    for (size_t wanted : {1, 2, 10, 32, 33, 100, 256}) {
      const float limit = LimitForAtLeast(values.data() + 1, n, wanted);
      const auto within = static_cast<size_t>(std::upper_bound(sorted.begin(), sorted.end(), limit) - sorted.begin());
      EXPECT_GE(within, std::min(n, wanted)) << n << " values, " << wanted << " wanted";
      EXPECT_LE(within, 2 * wanted + 8) << n << " values, " << wanted << " wanted";
      EXPECT_EQ(std::isinf(limit), n < wanted) << n << " values, " << wanted << " wanted";
    }
  }
}

TEST_P(SelectTest, LimitDoesNotCountNaN) {
  std::vector<float> values(200, std::nanf(""));
  EXPECT_EQ(LimitForAtLeast(values.data(), values.size(), 1), std::numeric_limits<float>::infinity());
  values[3] = 7;
  values[199] = -std::numeric_limits<float>::infinity();
  // Of emulated vectors, which know no maximum below the least finite number, that is the limit.
  EXPECT_LE(LimitForAtLeast(values.data(), values.size(), 1), std::numeric_limits<float>::lowest());
  EXPECT_EQ(LimitForAtLeast(values.data(), values.size(), 2), 7);
  EXPECT_EQ(LimitForAtLeast(values.data(), values.size(), 3), std::numeric_limits<float>::infinity());
}

TEST_P(SelectTest, LimitOfEqualValuesIsTheirs) {
  const std::vector<float> values(300, 4);
  for (size_t wanted : {1, 64, 100}) EXPECT_EQ(LimitForAtLeast(values.data(), values.size(), wanted), 4);
}

FEWTER_FOR_EVERY_TARGET(SelectTest);

}  // namespace
}  // namespace fewter::simd
