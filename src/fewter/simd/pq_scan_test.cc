#include "fewter/simd/pq_scan.h"

#include <vector>

#include "fewter/simd/every_target_internal.h"
#include "fewter/simd/random_test_data_internal.h"

namespace fewter::simd {
namespace {

constexpr size_t kLargeCounts[] = {255, 256, 1000, 1023, 1024, 1025, 2050};

class PqScanTest : public EveryTarget, public RandomData {
 protected:
  std::vector<size_t> Counts() {
    std::vector<size_t> counts(131);
    for (size_t n = 0; n < counts.size(); ++n) counts[n] = n;
    counts.insert(counts.end(), std::begin(kLargeCounts), std::end(kLargeCounts));
    return counts;
  }
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

TEST_P(PqScanTest, PickedRowsAreSummedAsAllAre) {
  for (size_t m : {2, 48, 128, 130, 260}) {
    const size_t num_rows = 90, stride = 91;
    const std::vector<float> table = RandomFloats(m * 16);
    const std::vector<uint8_t> codes = RandomBytes((m / 2 - 1) * stride + num_rows);
    std::vector<float> all(num_rows);
    PqScan4(table.data(), codes.data(), stride, num_rows, m, all.data());
    for (size_t count : {0, 1, 3, 15, 16, 17, 40}) {
      std::vector<uint32_t> picks;
      for (size_t i = 0; i < count; ++i) picks.push_back(static_cast<uint32_t>((num_rows - 1 + 7 * i) % num_rows));
      std::vector<float> out(count + 1, -7);
      PqScanPicked4(table.data(), codes.data(), stride, picks.data(), count, m, out.data());
      for (size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], all[picks[i]]) << m << " sub-vectors, row " << picks[i];
      EXPECT_EQ(out[count], -7);
    }
  }
}

FEWTER_FOR_EVERY_TARGET(PqScanTest);

}  // namespace
}  // namespace fewter::simd
