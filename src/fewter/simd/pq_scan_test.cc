#include "fewter/simd/pq_scan.h"

#include <random>
#include <vector>

#include "fewter/simd/every_target_internal.h"

namespace fewter::simd {
namespace {

constexpr size_t kLargeCounts[] = {255, 256, 1000, 1023, 1024, 1025, 2050};

class PqScanTest : public EveryTarget {
 protected:
  std::vector<float> RandomFloats(size_t n) {
    std::normal_distribution<float> normal;
    std::vector<float> values(n);
    for (float& v : values) v = normal(generator_);
    return values;
  }

  std::vector<uint8_t> RandomBytes(size_t n) {
    std::vector<uint8_t> bytes(n);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(generator_());
    return bytes;
  }

  std::vector<size_t> Counts() {
    std::vector<size_t> counts(131);
    for (size_t n = 0; n < counts.size(); ++n) counts[n] = n;
    counts.insert(counts.end(), std::begin(kLargeCounts), std::end(kLargeCounts));
    return counts;
  }

 private:
  std::mt19937 generator_{3};
};

// The order of the additions is part of the contract, so these compare bit for bit.
TEST_P(PqScanTest, EightBitsSumInOrder) {
  for (size_t m : {1, 2, 3, 4, 5, 8, 48, 97}) {
    const std::vector<float> table = RandomFloats(m * 256 + 1);
    for (size_t n : Counts()) {
      const size_t stride = n + 3;
      // The last column ends with the last row, so that a sanitizer sees a read beyond it.
      const std::vector<uint8_t> codes = RandomBytes(1 + (m - 1) * stride + n);
      std::vector<float> out(n + 1, -7);
      PqScan8(table.data() + 1, codes.data() + 1, stride, n, m, out.data());
      for (size_t i = 0; i < n; ++i) {
        float sum = 0;
        for (size_t j = 0; j < m; ++j) sum += table[1 + j * 256 + codes[1 + j * stride + i]];
        ASSERT_EQ(out[i], sum) << m << " sub-vectors, row " << i << " of " << n;
      }
      EXPECT_EQ(out[n], -7);
    }
  }
}

TEST_P(PqScanTest, TablesOfSeveralQueriesAreThoseOfEach) {
  for (size_t sub_dimension : {1, 3, 8}) {
    const size_t m = 5;
    const size_t num_codewords = 32;
    const std::vector<float> codebook = RandomFloats(m * num_codewords * sub_dimension);
    const std::vector<float> queries = RandomFloats(4 * m * sub_dimension);
    const size_t size = m * num_codewords;
    std::vector<float> together(4 * size + 1, -7);
    PqTablesL2(queries.data(), 4, codebook.data(), m, sub_dimension, num_codewords, together.data());
    std::vector<float> alone(size);
    for (size_t i = 0; i < 4; ++i) {
      PqTableL2(queries.data() + i * m * sub_dimension, codebook.data(), m, sub_dimension, num_codewords, alone.data());
      for (size_t e = 0; e < size; ++e) ASSERT_EQ(together[i * size + e], alone[e]) << "query " << i << ", entry " << e;
    }
    EXPECT_EQ(together.back(), -7);
  }
}

TEST_P(PqScanTest, FourBitsSumInOrderLowHalfFirst) {
  for (size_t m : {2, 4, 6, 16, 48, 98}) {
    const std::vector<float> table = RandomFloats(m * 16 + 1);
    for (size_t n : Counts()) {
      const size_t stride = n + 3;
      const std::vector<uint8_t> codes = RandomBytes(1 + (m / 2 - 1) * stride + n);
      std::vector<float> out(n + 1, -7);
      PqScan4(table.data() + 1, codes.data() + 1, stride, n, m, out.data());
      for (size_t i = 0; i < n; ++i) {
        float sum = 0;
        for (size_t j = 0; j < m / 2; ++j) {
          const uint8_t code = codes[1 + j * stride + i];
          sum += table[1 + 2 * j * 16 + (code & 15)];
          sum += table[1 + (2 * j + 1) * 16 + (code >> 4)];
        }
        ASSERT_EQ(out[i], sum) << m << " sub-vectors, row " << i << " of " << n;
      }
      EXPECT_EQ(out[n], -7);
    }
  }
}

TEST_P(PqScanTest, TablesAgreeWithScalarSums) {
  for (size_t num_codewords : {16, 48, 256}) {
    for (size_t sub_dimension : {1, 2, 3, 7, 8, 16, 33}) {
      const size_t m = 5;
      const std::vector<float> query = RandomFloats(m * sub_dimension + 1);
      const std::vector<float> codebook = RandomFloats(m * sub_dimension * num_codewords + 1);
      std::vector<float> l2(m * num_codewords + 1, -7), dot(m * num_codewords + 1, -7);
      PqTableL2(query.data() + 1, codebook.data() + 1, m, sub_dimension, num_codewords, l2.data());
      PqTableDot(query.data() + 1, codebook.data() + 1, m, sub_dimension, num_codewords, dot.data());
      for (size_t j = 0; j < m; ++j) {
        for (size_t c = 0; c < num_codewords; ++c) {
          double squares = 0, product = 0;
          for (size_t t = 0; t < sub_dimension; ++t) {
            const double q = query[1 + j * sub_dimension + t];
            const double x = codebook[1 + (j * num_codewords + c - c % 16) * sub_dimension + t * 16 + c % 16];
            squares += (q - x) * (q - x);
            product += q * x;
          }
          const double allowance = 2e-6 * (1 + static_cast<double>(sub_dimension));
          EXPECT_NEAR(l2[j * num_codewords + c], squares, allowance);
          EXPECT_NEAR(dot[j * num_codewords + c], 1 - product, allowance);
        }
      }
      EXPECT_EQ(l2.back(), -7);
      EXPECT_EQ(dot.back(), -7);
    }
  }
}

FEWTER_FOR_EVERY_TARGET(PqScanTest);

}  // namespace
}  // namespace fewter::simd
