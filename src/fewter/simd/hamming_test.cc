// As hamming.cc: the tests run on this target too.
#define HWY_WANT_AVX3_DL
#include "fewter/simd/hamming.h"

#include <bit>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/simd/every_target_internal.h"

namespace fewter::simd {
namespace {

class HammingTest : public EveryTarget {};

TEST_P(HammingTest, CountsTheBitsThatDiffer) {
  std::mt19937 random(1);
  for (const size_t bytes : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 1000}) {
    constexpr size_t kRows = 5;
    // One byte on, so that nothing is aligned.
    std::vector<uint8_t> query(bytes + 1), rows(kRows * bytes + 1);
    for (auto* values : {&query, &rows}) {
      for (uint8_t& value : *values) value = static_cast<uint8_t>(random());
    }
    std::vector<float> out(kRows + 1, -1.0F);
    HammingRows(query.data() + 1, rows.data() + 1, kRows, bytes, out.data());
    for (size_t i = 0; i < kRows; ++i) {
      int expected = 0;
      for (size_t j = 0; j < bytes; ++j) {
        expected += std::popcount(static_cast<uint8_t>(query[1 + j] ^ rows[1 + i * bytes + j]));
      }
      EXPECT_EQ(out[i], static_cast<float>(expected)) << bytes << " " << i;
    }
    EXPECT_EQ(out[kRows], -1.0F);
    const std::vector<uint32_t> picks = {4, 0, 2, 2, 1, 3, 0, 4, 4, 1, 2};
    std::vector<float> picked(picks.size() + 1, -1.0F);
    HammingRows(query.data() + 1, rows.data() + 1, picks.size(), bytes, picked.data(), picks.data());
    for (size_t i = 0; i < picks.size(); ++i) EXPECT_EQ(picked[i], out[picks[i]]) << bytes << " " << i;
    EXPECT_EQ(picked.back(), -1.0F);
  }
}

FEWTER_FOR_EVERY_TARGET(HammingTest);

}  // namespace
}  // namespace fewter::simd
