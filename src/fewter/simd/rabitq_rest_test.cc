#include "fewter/simd/rabitq_rest.h"

#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

class RabitqRestTest : public EveryTarget, public RandomData {};

TEST_P(RabitqRestTest, EveryRowHasTheSumOfItsEntries) {
  for (const size_t code_bytes : {1, 2, 3, 48, 97}) {
    const std::vector<float> table = RandomFloats(32 * code_bytes);
    for (size_t n = 0; n < 32; ++n) {
      // Just as many, so that a sanitizer sees reads beyond them.
      const std::vector<uint8_t> codes = RandomBytes(n * code_bytes);
      std::vector<float> out(n + 1, -7);
      RabitqScanRest(table.data(), codes.data(), n, code_bytes, out.data());
      for (size_t i = 0; i < n; ++i) {
        float expected = 0;
        for (size_t p = 0; p < code_bytes; ++p) {
          expected += table[32 * p + (codes[p * n + i] & 15)];
          expected += table[32 * p + 16 + (codes[p * n + i] >> 4)];
        }
        EXPECT_EQ(out[i], expected) << code_bytes << " bytes, row " << i << " of " << n;
      }
      EXPECT_EQ(out[n], -7);
    }
  }
}

FEWTER_FOR_EVERY_TARGET(RabitqRestTest);

}  // namespace
}  // namespace fewter::simd
