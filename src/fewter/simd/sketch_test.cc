// As sketch.cc: the tests run on this target too.
#define HWY_WANT_AVX3_DL
#include "fewter/simd/sketch.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class SketchTest : public EveryTarget, public RandomData {};

struct Sketched {
  std::vector<uint8_t> bytes;
  SketchFactors factors;
};

Sketched SketchOf(const std::vector<float>& row) {
  Sketched result{std::vector<uint8_t>(SketchStride(row.size()) + 1, 7), {}};
  result.factors = SketchRow(row.data(), row.size(), result.bytes.data());
  return result;
}

// The length of what the sketch is off by, in double.
double ErrorOf(const std::vector<float>& row, const Sketched& sketch) {
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double error = row[i] - double{sketch.factors.scale} * (sketch.bytes[i] - 128);
    sum += error * error;
  }
  return std::sqrt(sum);
}

TEST_P(SketchTest, TheErrorOfARowIsKnown) {
  for (size_t d : {1, 2, 15, 16, 17, 63, 64, 65, 127, 384, 1000}) {
    for (const float unit : {1.0f, 1e-6f, 3e10f}) {
      auto row = RandomFloats(d);
      for (float& v : row) v *= unit;
      const Sketched sketch = SketchOf(row);
      const double error = ErrorOf(row, sketch);
      double norm = 0;
      for (float v : row) norm += double{v} * v;
      norm = std::sqrt(norm);
      EXPECT_GE(sketch.factors.error, error) << d;
      EXPECT_LE(sketch.factors.error, 1.001 * error + 1e-6 * norm) << d;
      // A step is a 127th of the largest element.
      EXPECT_LE(error, norm * std::sqrt(static_cast<double>(d)) / 253) << d;
      EXPECT_NEAR(sketch.factors.norm, norm, 1e-5 * norm) << d;
      for (size_t i = d; i < SketchStride(d); ++i) EXPECT_EQ(sketch.bytes[i], 128) << d;
      EXPECT_EQ(sketch.bytes[SketchStride(d)], 7);
    }
  }
}

TEST_P(SketchTest, HalvesAreSketchedAsTheirValues) {
  // 1, -0.5, the smallest subnormal.
  const Half row[] = {Half{0x3c00}, Half{0xb800}, Half{0x0001}};
  const std::vector<float> values = {1, -0.5f, 0x1p-24f};
  std::vector<uint8_t> bytes(64);
  const SketchFactors factors = SketchRow(row, 3, bytes.data());
  const Sketched expected = SketchOf(values);
  EXPECT_EQ(factors.scale, expected.factors.scale);
  EXPECT_EQ(factors.error, expected.factors.error);
  EXPECT_EQ(factors.norm, expected.factors.norm);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.bytes.begin()));
}

TEST_P(SketchTest, RowsThatCannotBeBoundedHaveAnInfiniteError) {
  const auto factors_of = [](float odd, float others) {
    std::vector<float> row(40, others);
    row[37] = odd;
    std::vector<float> at_the_front = row;
    std::swap(at_the_front[0], at_the_front[37]);
    const SketchFactors a = SketchOf(row).factors, b = SketchOf(at_the_front).factors;
    EXPECT_EQ(a.error, b.error);
    return a;
  };
  for (const float odd : {std::nanf(""), kInfinity, -kInfinity, 1e30f}) {
    EXPECT_EQ(factors_of(odd, 1).error, kInfinity) << odd;
    EXPECT_EQ(factors_of(odd, 1).scale, 0) << odd;
  }
  EXPECT_EQ(factors_of(1e-30f, 1e-30f).error, kInfinity);
  // No elements but zeros are exact.
  EXPECT_EQ(factors_of(0, 0).error, 0);
  EXPECT_EQ(factors_of(0, 0).norm, 0);
}

TEST_P(SketchTest, ProductsAreExact) {
  std::mt19937 generator(3);
  for (const size_t stride : {64, 128, 192, 384, 1024}) {
    // As large as the sum of the query may be, so that nothing overflows on the way either.
    const int most = std::min<int>(kMaxSketchQuery, static_cast<int>((1 << 23) / stride));
    std::vector<int16_t> whole(stride);
    std::vector<int8_t> high(stride), low(stride);
    for (const bool extreme : {false, true}) {
      for (size_t i = 0; i < stride; ++i) {
        const int value = extreme ? most : static_cast<int>(generator() % (2 * most + 1)) - most;
        whole[i] = static_cast<int16_t>(value);
        high[i] = static_cast<int8_t>((value + 64) >> 7);
        low[i] = static_cast<int8_t>(value - 128 * high[i]);
      }
      for (const size_t n : {0, 1, 2, 3, 4, 5, 11}) {
        std::vector<uint8_t> rows(n * stride);
        for (uint8_t& byte : rows) byte = extreme ? 255 : static_cast<uint8_t>(generator());
        std::vector<int32_t> out(n + 1, -7);
        SketchProducts({whole.data(), high.data(), low.data()}, rows.data(), n, stride, out.data());
        for (size_t r = 0; r < n; ++r) {
          int64_t expected = 0;
          for (size_t i = 0; i < stride; ++i) expected += int64_t{whole[i]} * rows[r * stride + i];
          EXPECT_EQ(out[r], expected) << stride << " row " << r;
        }
        EXPECT_EQ(out[n], -7);
      }
    }
  }
}

TEST_P(SketchTest, BoundsFollowTheFormula) {
  const SketchFormula plain = {.product_offset = 5,
                               .step = 0.5f,
                               .norm = 2,
                               .spread = 0.25f,
                               .base = 3,
                               .norm_weight = 0.75f,
                               .product_weight = 1.5f,
                               .by_norm = false};
  SketchFormula by_norm = plain;
  by_norm.by_norm = true;
  for (const size_t n : {0, 1, 5, 33}) {
    std::vector<int32_t> products(n);
    std::vector<float> scale(n), error(n), norm(n), out(n + 1, -7), divided(n);
    for (size_t i = 0; i < n; ++i) {
      products[i] = static_cast<int32_t>(100 * i) - 700;
      scale[i] = 0.125f * static_cast<float>(i);
      error[i] = 0.5f + static_cast<float>(i);
      norm[i] = 1 + static_cast<float>(i % 4);
    }
    const SketchFactorArrays factors = {scale.data(), error.data(), norm.data()};
    SketchBounds(plain, products.data(), factors, n, out.data());
    SketchBounds(by_norm, products.data(), factors, n, divided.data());
    for (size_t i = 0; i < n; ++i) {
      const double upper = (products[i] - 5) * 0.5 * scale[i] + error[i] * 2 + 0.25 * (norm[i] + error[i]);
      const double start = 3 + 0.75 * norm[i] * norm[i];
      EXPECT_NEAR(out[i], start - 1.5 * upper, 1e-3) << i;
      EXPECT_NEAR(divided[i], start - 1.5 * upper / norm[i], 1e-3) << i;
    }
    EXPECT_EQ(out[n], -7);
  }
}

TEST_P(SketchTest, WhatIsNoNumberBoundsNothing) {
  const int32_t products[] = {1, 1, 1};
  const float scale[] = {0, std::nanf(""), 1}, error[] = {kInfinity, 1, 1}, norm[] = {1, 1, std::nanf("")};
  float out[3];
  SketchBounds({.step = 1, .norm = 1}, products, {scale, error, norm}, 3, out);
  for (const float bound : out) EXPECT_EQ(bound, -kInfinity);
}

FEWTER_FOR_EVERY_TARGET(SketchTest);

}  // namespace
}  // namespace fewter::simd
