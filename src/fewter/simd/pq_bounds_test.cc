#include "fewter/simd/pq_bounds.h"

#include <algorithm>
#include <vector>

// Compiled in by pq_bounds.cc too.
#define HWY_WANT_AVX3_DL
#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

class PqBoundsTest : public EveryTarget, public RandomData {
 protected:
  // Rows of a partition of which every column is read to its end, which is a sanitizer's end of memory.
  void ExpectSums(size_t m, size_t num_bits, size_t num_rows, int largest) {
    const size_t stride = (num_rows + 63) / 64 * 64, width = m * num_bits / 8, row_size = size_t{1} << num_bits;
    const std::vector<uint8_t> codes = RandomBytes(width * stride);
    const std::vector<float> base = RandomFloats(num_rows, 10);
    const std::vector<uint8_t> tables[] = {RandomBytes(m * row_size, largest), RandomBytes(m * row_size, largest)};
    std::vector<float> outs[] = {std::vector<float>(num_rows + 1, -7), std::vector<float>(num_rows + 1, -7)};
    const PqBoundedQuery first{tables[0].data(), 0.125f * 201, outs[0].data()};
    const PqBoundedQuery second{tables[1].data(), 0.25f * 77, outs[1].data()};
    const PqBoundedRows on_base{codes.data(), stride, num_rows, base.data()};
    const PqBoundedRows from_zero{codes.data(), stride, num_rows, nullptr};
    const auto expect = [&](const PqBoundedQuery& query, const PqBoundedRows& rows) {
      for (size_t i = 0; i < num_rows; ++i) {
        uint32_t sum = 0;
        for (size_t j = 0; j < m; ++j) {
          const uint8_t byte = codes[j * num_bits / 8 * stride + i];
          const size_t code = num_bits == 8 ? byte : (byte >> (j % 2 * 4)) & 15;
          sum += query.bytes[j * row_size + code];
        }
        const float expected = (rows.base == nullptr ? 0 : base[i]) + query.step * static_cast<float>(sum);
        ASSERT_EQ(query.out[i], expected) << m << " of " << num_bits << " bits, row " << i;
      }
      EXPECT_EQ(query.out[num_rows], -7);
    };
    const auto bounds = num_bits == 8 ? PqBounds8 : PqBounds4;
    for (const PqBoundedRows& rows : {on_base, from_zero}) {
      bounds(first, rows, m);
      expect(first, rows);
      if (num_bits == 8) continue;
      std::fill_n(first.out, num_rows, -1.0f);
      PqPairOfBounds4(first, second, rows, m);
      expect(first, rows);
      expect(second, rows);
    }
  }
};

TEST_P(PqBoundsTest, SumsAreThoseOfTheBytes) {
  std::vector<size_t> counts = {0, 255, 256, 257, 383, 384, 385, 390, 768, 1025};
  for (size_t n = 1; n < 195; n += 7) counts.push_back(n);
  for (size_t num_rows : counts) {
    for (size_t m : {1, 2, 5, 48}) ExpectSums(m, 8, num_rows, 255);
    for (size_t m : {2, 6, 48}) ExpectSums(m, 4, num_rows, 127);
  }
}

TEST_P(PqBoundsTest, SumsUseAllSixteenBits) {
  ExpectSums(257, 8, 70, 255);
  ExpectSums(514, 4, 70, 127);
  ExpectSums(kMaxBoundedSubVectors, 8, 70, 15);
  ExpectSums(kMaxBoundedSubVectors, 4, 70, 15);
}

TEST_P(PqBoundsTest, TablesAreRoundedDown) {
  for (size_t num_codewords : {16, 256}) {
    for (size_t m : {1, 3, 48, 300}) {
      for (float scale : {0.0f, 1e-30f, 0.1f, 1e30f}) {
        const std::vector<float> table = RandomFloats(m * num_codewords, scale);
        std::vector<uint8_t> bytes(table.size());
        const PqByteScale scaled = PqRoundTableDown(table.data(), m, num_codewords, bytes.data());
        double start = 0;
        uint32_t largest_sum = 0, largest_of_last = 0;
        for (size_t j = 0; j < m; ++j) {
          const auto row = table.begin() + static_cast<std::ptrdiff_t>(j * num_codewords);
          const double least = *std::min_element(row, row + static_cast<std::ptrdiff_t>(num_codewords));
          start += least;
          uint32_t largest = 0;
          for (size_t c = 0; c < num_codewords; ++c) {
            const uint8_t byte = bytes[j * num_codewords + c];
            const double steps = (row[static_cast<std::ptrdiff_t>(c)] - least) / scaled.step;
            ASSERT_LE(byte, steps + 1.0 / 1024);
            ASSERT_GE(byte, steps - 1 - 1.0 / 1024);
            largest = std::max<uint32_t>(largest, byte);
          }
          largest_sum += largest;
          // Of rows that share a byte of code.
          const bool shares_byte = num_codewords == 16 && j % 2 == 1;
          EXPECT_LE(largest + (shares_byte ? largest_of_last : 0), 255u);
          largest_of_last = largest;
        }
        EXPECT_DOUBLE_EQ(scaled.start, start);
        EXPECT_LE(largest_sum, 65535u);
      }
    }
  }
}

TEST_P(PqBoundsTest, ProductsWithTheStepAreExact) {
  const std::vector<float> table = RandomFloats(48 * 256, 0.37f);
  std::vector<uint8_t> bytes(table.size());
  const float step = PqRoundTableDown(table.data(), 48, 256, bytes.data()).step;
  for (uint32_t sum : {1u, 255u, 12239u, 65535u}) {
    EXPECT_EQ(double{step * static_cast<float>(sum)}, double{step} * sum);
  }
}

FEWTER_FOR_EVERY_TARGET(PqBoundsTest);

}  // namespace
}  // namespace fewter::simd
