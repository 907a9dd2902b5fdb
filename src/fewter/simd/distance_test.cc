#include "fewter/simd/distance.h"

#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

// Compiled in by distance_bytes.cc too.
#define HWY_WANT_AVX3_DL
#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

constexpr size_t kLargeDimensions[] = {255, 256, 257, 383, 384, 768, 1000, 1536, 4099};

using FloatKernel = void (*)(const float*, const float*, size_t, size_t, float*, const uint32_t*);

class DistanceTest : public EveryTarget, public RandomData {
 protected:
  // Floats that start off every boundary that a vector load could like.
  const float* Random(size_t n) { return storage_.emplace_back(RandomFloats(n + 1)).data() + 1; }

  std::vector<size_t> Dimensions() {
    std::vector<size_t> dimensions(131);
    for (size_t d = 0; d < dimensions.size(); ++d) dimensions[d] = d;
    dimensions.insert(dimensions.end(), std::begin(kLargeDimensions), std::end(kLargeDimensions));
    return dimensions;
  }

 private:
  std::vector<std::vector<float>> storage_;
};

double ScalarL2(const float* a, const float* b, size_t d) {
  double sum = 0;
  for (size_t i = 0; i < d; ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

double ScalarDot(const float* a, const float* b, size_t d) {
  double sum = 0;
  for (size_t i = 0; i < d; ++i) sum += double{a[i]} * b[i];
  return sum;
}

// The terms of a dot product cancel, so the allowance follows their size and not the sum's.
double Allowance(size_t d) {
  return 3e-6 * (1 + static_cast<double>(d));
}

TEST_P(DistanceTest, PairsAgreeWithScalarSums) {
  for (size_t d : Dimensions()) {
    const float* a = Random(d);
    const float* b = Random(d);
    EXPECT_NEAR(L2Squared(a, b, d), ScalarL2(a, b, d), Allowance(d)) << d;
    EXPECT_NEAR(Dot(a, b, d), ScalarDot(a, b, d), Allowance(d)) << d;
    EXPECT_NEAR(NormSquared(a, d), ScalarDot(a, a, d), Allowance(d)) << d;
  }
}

TEST_P(DistanceTest, RowsAgreeWithScalarSumsAndTouchNothingElse) {
  for (size_t d : Dimensions()) {
    for (size_t n : {0, 1, 2, 3, 4, 5, 9}) {
      const float* query = Random(d);
      const float* rows = Random(n * d);
      std::vector<float> l2(n + 1, -7), dot(n + 1, -7), cosine(n + 1, -7);
      L2SquaredRows(query, rows, n, d, l2.data());
      DotRows(query, rows, n, d, dot.data());
      CosineDistanceRows(query, rows, n, d, cosine.data());
      for (size_t i = 0; i < n; ++i) {
        const float* row = rows + i * d;
        const double product = ScalarDot(query, row, d);
        EXPECT_NEAR(l2[i], ScalarL2(query, row, d), Allowance(d)) << d << " row " << i;
        EXPECT_NEAR(dot[i], product, Allowance(d)) << d << " row " << i;
        if (d == 0) continue;
        const double norms = std::sqrt(ScalarDot(query, query, d) * ScalarDot(row, row, d));
        EXPECT_NEAR(cosine[i], 1 - product / norms, 1e-6) << d << " row " << i;
      }
      EXPECT_EQ(l2[n], -7);
      EXPECT_EQ(dot[n], -7);
      EXPECT_EQ(cosine[n], -7);
    }
  }
}

TEST_P(DistanceTest, CosineOfAZeroVectorIsNotANumber) {
  const std::vector<float> zeros(24), ones(24, 1.0f);
  float distance = 0;
  CosineDistanceRows(ones.data(), zeros.data(), 1, 24, &distance);
  EXPECT_TRUE(std::isnan(distance));
  CosineDistanceRows(zeros.data(), ones.data(), 1, 24, &distance);
  EXPECT_TRUE(std::isnan(distance));
}

TEST_P(DistanceTest, NotANumberPassesThrough) {
  for (size_t d : {1, 3, 8, 17, 40}) {
    for (size_t position = 0; position < d; ++position) {
      std::vector<float> query(d, 1.0f), rows(5 * d, 2.0f), out(5);
      rows[3 * d + position] = std::nanf("");
      L2SquaredRows(query.data(), rows.data(), 5, d, out.data());
      for (size_t i = 0; i < 5; ++i) EXPECT_EQ(std::isnan(out[i]), i == 3) << d << " at " << position;
    }
  }
}

double ValueOf(Half half) {
  const auto bits = static_cast<uint16_t>(half);
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}
double ValueOf(float value) {
  return value;
}
double ValueOf(double value) {
  return value;
}
double ValueOf(uint8_t value) {
  return value;
}

template <typename Element>
std::vector<Element> RandomRows(size_t n) {
  std::mt19937 generator(static_cast<uint32_t>(n));
  std::normal_distribution<double> normal;
  std::vector<Element> values(n);
  for (Element& value : values) {
    if constexpr (std::is_same_v<Element, Half>) {
      // Of an exponent from -3 to 0, or subnormal.
      const uint32_t bits = generator();
      value = static_cast<Half>(bits % 8 == 0 ? bits >> 16 & 0x83ff : (bits >> 16 & 0x8fff) | 0x3000);
    } else if constexpr (std::is_same_v<Element, uint8_t>) {
      value = static_cast<uint8_t>(generator());
    } else {
      value = static_cast<Element>(normal(generator));
    }
  }
  return values;
}

// What the formulas give for one row, in double.
struct Sums {
  double l2 = 0, dot = 0, query_norm = 0, norm = 0;

  double cosine() const { return 1 - dot / std::sqrt(query_norm * norm); }
};

template <typename Query, typename Element>
Sums ScalarSums(const Query* query, const Element* row, size_t d) {
  Sums sums;
  for (size_t i = 0; i < d; ++i) {
    const double q = ValueOf(query[i]), x = ValueOf(row[i]);
    sums.l2 += (q - x) * (q - x);
    sums.dot += q * x;
    sums.query_norm += q * q;
    sums.norm += x * x;
  }
  return sums;
}

// All kernels of an element type, over consecutive and over picked rows.
template <typename Query, typename Element>
void ExpectScalarSums(size_t d, size_t n, double allowance, const std::vector<uint32_t>& picks) {
  SCOPED_TRACE(testing::Message() << "dimension " << d << ", rows " << n << (picks.empty() ? "" : ", picked"));
  const auto query = RandomRows<Query>(d);
  const auto rows = RandomRows<Element>(11 * d);
  std::vector<float> l2(n + 1, -7), dot(n + 1, -7), cosine(n + 1, -7);
  const uint32_t* which = picks.empty() ? nullptr : picks.data();
  L2SquaredRows(query.data(), rows.data(), n, d, l2.data(), which);
  DotRows(query.data(), rows.data(), n, d, dot.data(), which);
  CosineDistanceRows(query.data(), rows.data(), n, d, cosine.data(), which);
  for (size_t i = 0; i < n; ++i) {
    const Sums sums = ScalarSums(query.data(), rows.data() + (picks.empty() ? i : picks[i]) * d, d);
    EXPECT_NEAR(l2[i], sums.l2, allowance * (1 + sums.l2)) << "row " << i;
    EXPECT_NEAR(dot[i], sums.dot, allowance * (1 + sums.l2)) << "row " << i;
    if (d == 0) continue;
    EXPECT_NEAR(cosine[i], sums.cosine(), 1e-6) << "row " << i;
  }
  EXPECT_TRUE(l2[n] == -7 && dot[n] == -7 && cosine[n] == -7);
}

template <typename Query, typename Element>
void ExpectScalarSums(const std::vector<size_t>& dimensions, double allowance) {
  const std::vector<uint32_t> picks = {10, 0, 3, 3, 7, 9, 1, 10, 2};
  for (size_t d : dimensions) {
    for (size_t n : {0, 1, 2, 3, 4, 5, 9}) {
      ExpectScalarSums<Query, Element>(d, n, allowance, {});
      ExpectScalarSums<Query, Element>(d, n, allowance, picks);
    }
  }
}

TEST_P(DistanceTest, RowsOfEveryTypeAgreeWithScalarSums) {
  ExpectScalarSums<float, float>(Dimensions(), 3e-6);
  ExpectScalarSums<float, Half>(Dimensions(), 3e-6);
  // Rounded once, from a sum of doubles.
  ExpectScalarSums<double, double>(Dimensions(), 1e-7);
}

TEST_P(DistanceTest, EveryHalfIsReadAsItsValue) {
  // One row for each, among ones of zeros: read by vectors, and one by one.
  for (size_t d : {1, 64}) {
    std::vector<Half> rows(65536 * d);
    for (size_t i = 0; i < 65536; ++i) rows[i * d + i % d] = static_cast<Half>(i);
    std::vector<float> out(65536);
    const std::vector<float> ones(d, 1.0f);
    DotRows(ones.data(), rows.data(), out.size(), d, out.data());
    for (size_t i = 0; i < out.size(); ++i) {
      const double expected = ValueOf(static_cast<Half>(i));
      if (std::isnan(expected) ? !std::isnan(out[i]) : out[i] != expected) {
        ADD_FAILURE() << std::hex << i << ": " << out[i];
      }
    }
  }
}

TEST_P(DistanceTest, BytesHaveExactSums) {
  for (size_t d : Dimensions()) {
    const auto query = RandomRows<uint8_t>(d), rows = RandomRows<uint8_t>(11 * d);
    const std::vector<uint32_t> picks = {10, 0, 3, 3, 7, 9, 1, 10, 2};
    std::vector<float> out(11), again(12, -7), picked(picks.size() + 1, -7);
    L2SquaredRows(query.data(), rows.data(), 11, d, out.data());
    // Where reading goes on changes nothing, even if nothing is there.
    L2SquaredRows(query.data(), rows.data(), 11, d, again.data(), ReadAhead{.end = rows.data() + 11 * d});
    L2SquaredRows(query.data(), rows.data(), picks.size(), d, picked.data(), picks.data());
    for (size_t i = 0; i < 11; ++i) {
      EXPECT_EQ(out[i], static_cast<float>(ScalarSums(query.data(), rows.data() + i * d, d).l2)) << d << " row " << i;
    }
    for (size_t i = 0; i < picks.size(); ++i) EXPECT_EQ(picked[i], out[picks[i]]) << d << " row " << i;
    EXPECT_EQ(picked.back(), -7);
    EXPECT_EQ(again.back(), -7);
    again.pop_back();
    EXPECT_EQ(again, out) << d;
  }
}

TEST_P(DistanceTest, TheLargestSumOfBytesFits) {
  const std::vector<uint8_t> zeros(kMaxByteDimension, 0), full(kMaxByteDimension, 255);
  float out = 0;
  L2SquaredRows(zeros.data(), full.data(), 1, kMaxByteDimension, &out);
  EXPECT_EQ(out, 65025.0f * 65536);
  L2SquaredRows(full.data(), zeros.data(), 1, kMaxByteDimension, &out);
  EXPECT_EQ(out, 65025.0f * 65536);
}

TEST_P(DistanceTest, InnerProductsWithBytesAgreeWithScalarSums) {
  for (size_t d : Dimensions()) {
    const float* query = Random(d);
    const auto rows = RandomRows<uint8_t>(9 * d);
    std::vector<float> out(9), picked(2);
    DotRows(query, rows.data(), 9, d, out.data());
    for (size_t i = 0; i < 9; ++i) {
      EXPECT_NEAR(out[i], ScalarSums(query, rows.data() + i * d, d).dot, 255 * Allowance(d)) << d << " row " << i;
    }
    const uint32_t picks[] = {8, 3};
    DotRows(query, rows.data(), 2, d, picked.data(), picks);
    EXPECT_EQ(picked, (std::vector<float>{out[8], out[3]})) << d;
  }
}

TEST_P(DistanceTest, ARowsDistanceDoesNotDependOnItsPlace) {
  for (size_t d : Dimensions()) {
    const float* query = Random(d);
    const auto row = RandomRows<float>(d);
    std::vector<float> rows;
    for (size_t i = 0; i < 9; ++i) rows.insert(rows.end(), row.begin(), row.end());
    for (const auto kernel : {static_cast<FloatKernel>(L2SquaredRows), static_cast<FloatKernel>(DotRows),
                              static_cast<FloatKernel>(CosineDistanceRows)}) {
      std::vector<float> first(1), out(9);
      kernel(query, rows.data(), 1, d, first.data(), nullptr);
      kernel(query, rows.data(), 9, d, out.data(), nullptr);
      // Of no elements, a cosine is NaN.
      if (std::isnan(first[0])) continue;
      EXPECT_EQ(out, std::vector<float>(9, first[0])) << d;
    }
  }
}

FEWTER_FOR_EVERY_TARGET(DistanceTest);

}  // namespace
}  // namespace fewter::simd
