#include "fewter/simd/select.h"

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

FEWTER_FOR_EVERY_TARGET(SelectTest);

}  // namespace
}  // namespace fewter::simd
