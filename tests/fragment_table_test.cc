#include "fewter/dataset/fragment_table.h"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace fewter {
namespace {

TEST(FragmentTable, FindsFragmentsWhateverTheirNumbers) {
  const std::vector<uint64_t> numbers = {7, 3, 4, 1'000'000, 5, std::numeric_limits<uint64_t>::max()};
  std::vector<std::pair<uint64_t, uint64_t>> fragments;
  for (const uint64_t number : numbers) fragments.emplace_back(number, number * 2);
  const FragmentTable<uint64_t> table(fragments);
  for (const uint64_t number : numbers) {
    ASSERT_NE(table.Find(number), nullptr) << number;
    EXPECT_EQ(*table.Find(number), number * 2);
  }
  for (const uint64_t absent : {uint64_t{0}, uint64_t{2}, uint64_t{6}, uint64_t{8}, uint64_t{1'000'001}}) {
    EXPECT_EQ(table.Find(absent), nullptr) << absent;
  }
  EXPECT_EQ(FragmentTable<int>().Find(0), nullptr);
}

}  // namespace
}  // namespace fewter
