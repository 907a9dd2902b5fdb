#include "fewter/simd/pq_tables.h"

#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/pq_scan.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

class PqTablesTest : public EveryTarget, public RandomData {};

TEST_P(PqTablesTest, TablesOfSeveralQueriesAreThoseOfEach) {
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

TEST_P(PqTablesTest, TablesAgreeWithScalarSums) {
  for (size_t num_codewords : {16, 48, 256}) {
    for (size_t sub_dimension : {1, 2, 3, 7, 8, 16, 33}) {
      const size_t m = 5;
      const std::vector<float> query = RandomFloats(m * sub_dimension + 1);
      const std::vector<float> codebook = RandomFloats(m * sub_dimension * num_codewords + 1);
      std::vector<float> l2(m * num_codewords + 1, -7), dot(l2), cross(l2);
      PqTableL2(query.data() + 1, codebook.data() + 1, m, sub_dimension, num_codewords, l2.data());
      PqTableDot(query.data() + 1, codebook.data() + 1, m, sub_dimension, num_codewords, dot.data());
      PqTableCrossTerms(query.data() + 1, codebook.data() + 1, m, sub_dimension, num_codewords, cross.data());
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
          EXPECT_NEAR(cross[j * num_codewords + c], -2 * product, 2 * allowance);
        }
      }
      EXPECT_EQ(l2.back(), -7);
      EXPECT_EQ(dot.back(), -7);
      EXPECT_EQ(cross.back(), -7);
    }
  }
}

// From blocks of 16 codewords side by side to one after the other.
std::vector<float> OneAfterTheOther(const std::vector<float>& codebook, size_t sub_dimension) {
  std::vector<float> codewords(codebook.size());
  for (size_t i = 0; i < codebook.size(); ++i) {
    const size_t block = i - i % (16 * sub_dimension), t = i % (16 * sub_dimension) / 16, c = i % 16;
    codewords[block + c * sub_dimension + t] = codebook[i];
  }
  return codewords;
}

TEST_P(PqTablesTest, DistancesFromCodewordsAreThoseByTableBitForBit) {
  for (size_t num_codewords : {16, 256}) {
    for (size_t sub_dimension : {1, 2, 3, 8, 13}) {
      const size_t m = 6, width = num_codewords == 256 ? m : m / 2, num_rows = 70, stride = 75;
      const auto query = RandomFloats(m * sub_dimension);
      const auto codebook = RandomFloats(m * num_codewords * sub_dimension);
      const auto codes = RandomBytes((width - 1) * stride + num_rows);
      std::vector<float> table(m * num_codewords), by_table(num_rows), out(num_rows);
      PqTableL2(query.data(), codebook.data(), m, sub_dimension, num_codewords, table.data());
      (num_codewords == 256 ? PqScan8 : PqScan4)(table.data(), codes.data(), stride, num_rows, m, by_table.data());
      std::vector<uint32_t> picks;
      for (uint32_t i = 0; i < num_rows; ++i) picks.push_back(i * 3 % num_rows);
      PqDistancesL2(query.data(), OneAfterTheOther(codebook, sub_dimension).data(), m, sub_dimension, num_codewords,
                    codes.data(), stride, picks.data(), num_rows, out.data());
      for (size_t i = 0; i < num_rows; ++i) {
        ASSERT_EQ(out[i], by_table[picks[i]]) << num_codewords << " codewords of " << sub_dimension << ", row " << i;
      }
    }
  }
}

FEWTER_FOR_EVERY_TARGET(PqTablesTest);

}  // namespace
}  // namespace fewter::simd
