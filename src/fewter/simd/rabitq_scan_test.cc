#include "fewter/simd/rabitq_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

class RabitqScanTest : public EveryTarget, public RandomData {};

// The code of a group of four in a row of a block, as the header says.
uint32_t CodeOf(const uint8_t* block, size_t row, size_t group) {
  for (size_t j = 0; j < 16; ++j) {
    if (kRabitqRowAt[j] != row % 16) continue;
    const uint8_t byte = block[32 * (group / 2) + 16 * (group % 2) + j];
    return row < 16 ? byte & 15 : byte >> 4;
  }
  return 0;
}

TEST_P(RabitqScanTest, TheTableHasTheSumOfEverySubset) {
  for (size_t d : {8, 16, 24, 96}) {
    const std::vector<float> query = RandomFloats(d + 1);
    std::vector<float> table(4 * d + 2, -7);
    RabitqTable(query.data() + 1, d, table.data() + 1);
    for (size_t g = 0; g < d / 4; ++g) {
      for (size_t c = 0; c < 16; ++c) {
        float sum = 0;
        for (size_t b = 4; b-- > 0;) sum += (c >> b & 1) != 0 ? query[1 + 4 * g + b] : 0;
        ASSERT_EQ(table[1 + 16 * g + c], sum) << d << " " << g << " " << c;
      }
    }
    EXPECT_EQ(table.front(), -7);
    EXPECT_EQ(table.back(), -7);
  }
}

TEST_P(RabitqScanTest, ExtremesAreFoundWhereverTheyAre) {
  for (size_t n : {32, 64, 96, 384}) {
    for (size_t at = 0; at < n; ++at) {
      std::vector<float> values = RandomFloats(n);
      values[at] = 100;
      values[(at + 7) % n] = -50;
      float min = 0, max = 0;
      MinAndMax(values.data(), n, &min, &max);
      ASSERT_EQ(min, -50) << at << " of " << n;
      ASSERT_EQ(max, 100) << at << " of " << n;
    }
  }
}

TEST_P(RabitqScanTest, EntriesAreRoundedToTheNearestHalvesToEven) {
  const std::vector<float> kSpecial = {0, 0.5f, 1.5f, 2.5f, 3.5f, 254.5f, 255, 0.49999997f, 255.5f, 256, 4095.5f};
  std::vector<float> table = RandomFloats(64);
  for (float& value : table) value = std::abs(value) * 1000;
  std::copy(kSpecial.begin(), kSpecial.end(), table.begin());
  table[63] = 70000;
  table[62] = -1;
  std::vector<uint8_t> low(65, 77), high(65, 77), low_only(65, 77);
  for (const auto& [min, factor] : {std::pair{0.0f, 1.0f}, {-1.0f, 0.75f}}) {
    RabitqRoundTable(table.data(), 64, min, factor, low.data(), high.data());
    RabitqRoundTable(table.data(), 64, min, factor, low_only.data(), nullptr);
    for (size_t i = 0; i < 64; ++i) {
      const double expected = std::clamp(std::nearbyint(double{(table[i] - min) * factor}), 0.0, 65535.0);
      EXPECT_EQ(low[i] + 256 * high[i], expected) << table[i];
      EXPECT_EQ(low_only[i], low[i]);
    }
  }
  EXPECT_EQ(low[64], 77);
  EXPECT_EQ(high[64], 77);
}

// All numbers here are whole and the sums below 2^24 but for the widest, where floats are rounded to one part in 2^24.
TEST_P(RabitqScanTest, SumsOfBlocksAreExact) {
  for (size_t code_bytes : {1, 2, 3, 5, 12, 13, 96, 255, 256, 257, 511, 513, 1025}) {
    const size_t num_blocks = code_bytes > 100 ? 2 : 5;
    const std::vector<uint8_t> codes = RandomBytes(num_blocks * 32 * code_bytes);
    std::vector<uint8_t> low = RandomBytes(32 * code_bytes), high = RandomBytes(32 * code_bytes);
    // Large entries, so that sums overflow 16 bits as soon as they can.
    for (uint8_t& entry : low) entry |= 0xf0;
    for (bool is_wide : {false, true}) {
      const RabitqByteTable table = {low.data(), is_wide ? high.data() : nullptr, 2, 5};
      std::vector<float> out(num_blocks * 32 + 1, -7);
      RabitqScan(table, codes.data(), num_blocks, code_bytes, out.data());
      for (size_t row = 0; row < num_blocks * 32; ++row) {
        double sum = 0;
        for (size_t g = 0; g < 2 * code_bytes; ++g) {
          const size_t entry = 16 * g + CodeOf(codes.data() + row / 32 * 32 * code_bytes, row % 32, g);
          sum += low[entry] + (is_wide ? 256.0 * high[entry] : 0);
        }
        const double expected = 2 * sum + 5;
        ASSERT_NEAR(out[row], expected, sum < 8e6 ? 0 : expected * 2e-7) << code_bytes << " bytes, row " << row;
      }
      EXPECT_EQ(out.back(), -7);
    }
  }
}

TEST_P(RabitqScanTest, TheWidestRowsDoNotOverflow) {
  const size_t code_bytes = 8192;
  const std::vector<uint8_t> codes(32 * code_bytes, 0x53), most(32 * code_bytes, 255);
  std::vector<float> out(32);
  RabitqScan({most.data(), most.data(), 1, 0}, codes.data(), 1, code_bytes, out.data());
  for (float sum : out) EXPECT_FLOAT_EQ(sum, 16384.0f * 65535.0f);
}

TEST_P(RabitqScanTest, DistancesAndBoundsFollowTheFormula) {
  const RabitqFormula formula = {1.5f, -0.25f, 0.5f, 3, 2};
  for (size_t n : {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 100}) {
    const auto products = RandomFloats(n), scale = RandomFloats(n), add = RandomFloats(n), error = RandomFloats(n);
    std::vector<float> distances(n + 1, -7), bounds(n + 1, -7);
    RabitqDistances(formula, products.data(), {scale.data(), add.data()}, n, distances.data());
    RabitqLowerBounds(formula, products.data(), {scale.data(), add.data(), error.data()}, n, bounds.data());
    for (size_t i = 0; i < n; ++i) {
      const double expected = (products[i] * 1.5 - 0.25) * scale[i] + 0.5 * add[i] + 3;
      EXPECT_NEAR(distances[i], expected, 1e-5);
      EXPECT_NEAR(bounds[i], expected - 2.0 * error[i], 1e-5);
    }
    EXPECT_EQ(distances[n], -7);
    EXPECT_EQ(bounds[n], -7);
  }
}

TEST_P(RabitqScanTest, ABoundThatIsNoNumberBoundsNothing) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> products(20, 1), scale(20, 1), add(20, 1), error(20, 1), bounds(20);
  scale[3] = add[3] = infinity;
  add[3] = -infinity;
  scale[17] = std::numeric_limits<float>::quiet_NaN();
  RabitqLowerBounds({}, products.data(), {scale.data(), add.data(), error.data()}, 20, bounds.data());
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(bounds[i], i == 3 || i == 17 ? -infinity : 2) << i;
}

FEWTER_FOR_EVERY_TARGET(RabitqScanTest);

}  // namespace
}  // namespace fewter::simd
