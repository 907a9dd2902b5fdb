#include "fewter/simd/pq_rows.h"

#include <vector>

#include <gtest/gtest.h>

#include "fewter/simd/pq_scan.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

struct Codes {
  std::vector<float> table;
  std::vector<uint8_t> row_major;
  std::vector<uint8_t> column_major;
};

Codes RandomCodes(size_t num_rows, size_t width, size_t entries_per_byte) {
  RandomData random;
  Codes codes{.table = random.RandomFloats(width * entries_per_byte),
              .row_major = random.RandomBytes(num_rows * width),
              .column_major = std::vector<uint8_t>(num_rows * width)};
  for (size_t i = 0; i < num_rows; ++i) {
    for (size_t j = 0; j < width; ++j) codes.column_major[j * num_rows + i] = codes.row_major[i * width + j];
  }
  return codes;
}

class PqRows : public testing::TestWithParam<size_t> {
 protected:
  static size_t width(size_t m) { return m * GetParam() / 8; }
  static Codes Random(size_t num_rows, size_t m) { return RandomCodes(num_rows, width(m), GetParam() == 8 ? 256 : 32); }
  static auto Scan() { return GetParam() == 8 ? PqScan8 : PqScan4; }
  static auto SumRows() { return GetParam() == 8 ? PqSumRows8 : PqSumRows4; }
};

TEST_P(PqRows, GiveTheSumsOfAScanBitForBit) {
  for (const size_t m : {2, 4, 6, 16, 48, 96, 130}) {
    for (const size_t num_rows : {0, 1, 2, 3, 4, 5, 7, 8, 70}) {
      const Codes codes = Random(num_rows, m);
      std::vector<float> scanned(num_rows), summed(num_rows + 1, -7);
      Scan()(codes.table.data(), codes.column_major.data(), num_rows, num_rows, m, scanned.data());
      SumRows()(codes.table.data(), codes.row_major.data(), num_rows, m, summed.data(), nullptr);
      EXPECT_EQ(summed[num_rows], -7);
      summed.pop_back();
      EXPECT_EQ(summed, scanned) << m << ", rows " << num_rows;
    }
  }
}

TEST_P(PqRows, PickedRowsGiveTheSameSums) {
  const Codes codes = Random(70, 6);
  std::vector<float> all(70);
  SumRows()(codes.table.data(), codes.row_major.data(), 70, 6, all.data(), nullptr);
  const std::vector<uint32_t> picks = {69, 0, 3, 3, 17, 41, 68, 1, 2, 5, 8, 13, 21, 34, 55, 69, 7, 9, 11, 22, 33};
  for (size_t n = 0; n <= picks.size(); ++n) {
    std::vector<float> summed(n + 1, -7);
    SumRows()(codes.table.data(), codes.row_major.data(), n, 6, summed.data(), picks.data());
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(summed[i], all[picks[i]]) << i << " of " << n;
    EXPECT_EQ(summed[n], -7);
  }
}

INSTANTIATE_TEST_SUITE_P(, PqRows, testing::Values(4, 8),
                         [](const auto& test) { return std::to_string(test.param) + "Bits"; });

}  // namespace
}  // namespace fewter::simd
