#include "fewter/simd/rabitq_ex_codes.h"

#include <cmath>
#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/rabitq_ex_places_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

class RabitqExCodesTest : public EveryTarget, public RandomData {};

TEST_P(RabitqExCodesTest, EveryElementIsFoundAtItsPlace) {
  for (uint32_t bits = 1; bits <= 8; ++bits) {
    const std::vector<uint8_t> codes = RandomBytes(1 + 8 * bits);
    for (size_t i = 0; i < kRabitqExBlock; ++i) {
      std::vector<float> query(1 + kRabitqExBlock, 0);
      query[1 + i] = 1;
      const auto expected = static_cast<float>(ExCodeOf(codes.data() + 1, bits, i));
      EXPECT_EQ(RabitqExDot(query.data() + 1, codes.data() + 1, 1, bits), expected) << bits << " bits, " << i;
    }
  }
}

TEST_P(RabitqExCodesTest, EveryBitCounts) {
  const std::vector<float> ones(kRabitqExBlock, 1);
  for (uint32_t bits = 1; bits <= 8; ++bits) {
    float total = 0;
    for (size_t bit = 0; bit < 64 * bits; ++bit) {
      std::vector<uint8_t> codes(8 * bits, 0);
      codes[bit / 8] = static_cast<uint8_t>(1 << (bit % 8));
      total += RabitqExDot(ones.data(), codes.data(), 1, bits);
    }
    EXPECT_EQ(total, 64.0f * static_cast<float>((1 << bits) - 1)) << bits;
  }
}

TEST_P(RabitqExCodesTest, SumsAgreeOverManyBlocks) {
  for (uint32_t bits = 1; bits <= 8; ++bits) {
    for (size_t num_blocks : {0, 1, 2, 3, 6, 12, 24}) {
      const std::vector<uint8_t> codes = RandomBytes(num_blocks * 8 * bits);
      const std::vector<float> query = RandomFloats(num_blocks * kRabitqExBlock);
      double sum = 0, magnitude = 1;
      for (size_t i = 0; i < query.size(); ++i) {
        const double term = double{query[i]} * ExCodeOf(codes.data() + i / 64 * 8 * bits, bits, i % 64);
        sum += term;
        magnitude += std::abs(term);
      }
      EXPECT_NEAR(RabitqExDot(query.data(), codes.data(), num_blocks, bits), sum, 1e-6 * magnitude)
          << bits << " bits, " << num_blocks << " blocks";
    }
  }
}

FEWTER_FOR_EVERY_TARGET(RabitqExCodesTest);

}  // namespace
}  // namespace fewter::simd
