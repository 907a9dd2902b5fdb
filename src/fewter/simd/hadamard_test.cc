#include "fewter/simd/hadamard.h"

#include <bit>
#include <cmath>
#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

// Powers of two and others; the shortest that is allowed; windows that overlap in much and in little.
constexpr size_t kDimensions[] = {4, 6, 8, 16, 24, 32, 40, 64, 96, 100, 128, 384, 512, 768, 1000, 1536, 4096};

class HadamardTest : public EveryTarget, public RandomData {};

// Element j of the Walsh-Hadamard transform is a sum with the sign (-1)^(common bits of i and j).
std::vector<double> WalshHadamard(const std::vector<double>& values, size_t begin, size_t n) {
  std::vector<double> out = values;
  for (size_t j = 0; j < n; ++j) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += std::popcount(i & j) % 2 == 0 ? values[begin + i] : -values[begin + i];
    out[begin + j] = sum / std::sqrt(static_cast<double>(n));
  }
  return out;
}

std::vector<double> Reference(const std::vector<float>& signs, const std::vector<float>& values) {
  const size_t d = values.size(), window = std::bit_floor(d);
  std::vector<double> x(values.begin(), values.end());
  for (size_t round = 0; round < kHadamardRounds; ++round) {
    for (size_t i = 0; i < d; ++i) x[i] *= signs[round * d + i];
    x = WalshHadamard(x, round % 2 == 0 ? 0 : d - window, window);
    if (window == d) continue;
    std::vector<double> mixed(d);
    for (size_t i = 0; i < d / 2; ++i) {
      mixed[i] = (x[i] + x[d / 2 + i]) / std::sqrt(2.0);
      mixed[d / 2 + i] = (x[i] - x[d / 2 + i]) / std::sqrt(2.0);
    }
    x = mixed;
  }
  return x;
}

TEST_P(HadamardTest, RotatesAsItsDefinitionSays) {
  for (size_t d : kDimensions) {
    const std::vector<float> signs = RandomSigns(kHadamardRounds * d), values = RandomFloats(d);
    std::vector<float> rotated(d + 2, -7);
    std::copy(values.begin(), values.end(), rotated.begin() + 1);
    HadamardRotate(signs.data(), d, rotated.data() + 1);
    const std::vector<double> expected = Reference(signs, values);
    for (size_t i = 0; i < d; ++i) ASSERT_NEAR(rotated[1 + i], expected[i], 2e-5) << i << " of " << d;
    EXPECT_EQ(rotated.front(), -7);
    EXPECT_EQ(rotated.back(), -7);
  }
}

TEST_P(HadamardTest, KeepsLengthsAndAngles) {
  for (size_t d : kDimensions) {
    const std::vector<float> signs = RandomSigns(kHadamardRounds * d);
    const std::vector<float> a = RandomFloats(d), b = RandomFloats(d);
    std::vector<float> rotated_a = a, rotated_b = b;
    HadamardRotate(signs.data(), d, rotated_a.data());
    HadamardRotate(signs.data(), d, rotated_b.data());
    double before = 0, after = 0, length_before = 0, length_after = 0;
    for (size_t i = 0; i < d; ++i) {
      before += double{a[i]} * b[i];
      after += double{rotated_a[i]} * rotated_b[i];
      length_before += double{a[i]} * a[i];
      length_after += double{rotated_a[i]} * rotated_a[i];
    }
    EXPECT_NEAR(after, before, 2e-6 * static_cast<double>(d)) << d;
    EXPECT_NEAR(length_after, length_before, 2e-6 * static_cast<double>(d)) << d;
  }
}

FEWTER_FOR_EVERY_TARGET(HadamardTest);

}  // namespace
}  // namespace fewter::simd
