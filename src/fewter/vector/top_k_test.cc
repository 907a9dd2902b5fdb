#include "fewter/vector/top_k.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class EvenRows : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id % 2 == 0; }
};

std::vector<Neighbor> RandomRows(size_t n, int different_distances, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distance(0, different_distances - 1);
  std::vector<Neighbor> rows(n);
  for (size_t i = 0; i < n; ++i) rows[i] = {static_cast<float>(distance(generator)), i};
  std::shuffle(rows.begin(), rows.end(), generator);
  return rows;
}

std::vector<Neighbor> SortedFirst(std::vector<Neighbor> rows, size_t k) {
  std::sort(rows.begin(), rows.end(), Nearer);
  rows.resize(std::min(k, rows.size()));
  return rows;
}

void PushAsBlock(const std::vector<Neighbor>& rows, TopK* top_k) {
  std::vector<float> distances;
  std::vector<uint64_t> row_ids;
  for (const Neighbor& row : rows) {
    distances.push_back(row.distance);
    row_ids.push_back(row.row_id);
  }
  top_k->PushBlock(distances.data(), row_ids.data(), rows.size());
}

TEST(TopK, KeepsWhatSortingKeepsInAnyOrderAndWithTies) {
  for (size_t n : {0, 1, 2, 9, 255, 256, 257, 1000}) {
    for (int different : {1, 3, 1000000}) {
      const std::vector<Neighbor> rows = RandomRows(n, different, static_cast<uint32_t>(n));
      for (size_t k : {0, 1, 2, 3, 10, 100, 5000}) {
        TopK one_by_one(k);
        for (const Neighbor& row : rows) one_by_one.Push(row.distance, row.row_id);
        EXPECT_EQ(one_by_one.size(), std::min(n, k));
        EXPECT_EQ(one_by_one.Finish(), SortedFirst(rows, k)) << n << " rows, k " << k;
        TopK block(k);
        PushAsBlock(rows, &block);
        EXPECT_EQ(block.Finish(), SortedFirst(rows, k)) << n << " rows, k " << k;
      }
    }
  }
}

TEST(TopK, ThresholdIsTheFarthestKeptAndATieWithALowerIdEnters) {
  TopK top_k(2);
  EXPECT_LT(top_k.threshold(), std::numeric_limits<float>::max());
  EXPECT_GT(top_k.threshold(), 1e38f);
  top_k.Push(5, 10);
  top_k.Push(3, 11);
  EXPECT_EQ(top_k.threshold(), 5);
  top_k.Push(5, 12);
  top_k.Push(5, 9);
  EXPECT_THAT(top_k.Finish(), ElementsAre(Neighbor{3, 11}, Neighbor{5, 9}));
}

TEST(TopK, FilterAndBoundsAreObeyed) {
  const EvenRows filter;
  const std::vector<Neighbor> rows = RandomRows(500, 20, 4);
  std::vector<Neighbor> allowed;
  for (const Neighbor& row : rows) {
    if (row.row_id % 2 == 0 && row.distance >= 3 && row.distance < 7) allowed.push_back(row);
  }
  for (size_t k : {1, 10, 400}) {
    TopK top_k(k, &filter, 3, 7);
    PushAsBlock(rows, &top_k);
    EXPECT_EQ(top_k.Finish(), SortedFirst(allowed, k));
  }
}

TEST(TopK, LowerBoundIsInclusiveAndUpperExclusive) {
  TopK top_k(10, nullptr, 1, 2);
  for (float distance : {std::nextafter(1.0f, 0.0f), 1.0f, std::nextafter(2.0f, 0.0f), 2.0f}) top_k.Push(distance, 0);
  EXPECT_THAT(top_k.Finish(), ElementsAre(Neighbor{1, 0}, Neighbor{std::nextafter(2.0f, 0.0f), 0}));
}

TEST(TopK, DefaultBoundsExcludeWhatIsNotADistance) {
  const float largest = std::numeric_limits<float>::max();
  TopK top_k(10);
  PushAsBlock({{std::nanf(""), 1}, {kInfinity, 2}, {-kInfinity, 3}, {largest, 4}, {-largest, 5}, {0, 6}}, &top_k);
  EXPECT_THAT(top_k.Finish(), ElementsAre(Neighbor{-largest, 5}, Neighbor{0, 6}));
  TopK wide(10, nullptr, -kInfinity, kInfinity);
  PushAsBlock({{std::nanf(""), 1}, {kInfinity, 2}, {-kInfinity, 3}, {largest, 4}}, &wide);
  EXPECT_THAT(wide.Finish(), ElementsAre(Neighbor{-kInfinity, 3}, Neighbor{largest, 4}));
}

TEST(TopK, WithoutAnUpperBoundInfinityIsADistance) {
  TopK top_k(10, nullptr, -kInfinity, std::nullopt);
  PushAsBlock({{std::nanf(""), 1}, {kInfinity, 3}, {kInfinity, 2}, {-kInfinity, 4}, {1, 5}}, &top_k);
  top_k.Push(std::nanf(""), 6);
  EXPECT_THAT(top_k.Finish(),
              ElementsAre(Neighbor{-kInfinity, 4}, Neighbor{1, 5}, Neighbor{kInfinity, 2}, Neighbor{kInfinity, 3}));
}

TEST(TopK, BoundsThatAllowNothing) {
  const std::vector<Neighbor> rows = {{1, 1}, {-kInfinity, 2}, {std::nanf(""), 3}};
  for (auto [lower, upper] :
       {std::pair{2.0f, 2.0f}, {3.0f, 1.0f}, {-kInfinity, -kInfinity}, {std::nanf(""), 9.0f}, {0.0f, std::nanf("")}}) {
    TopK top_k(5, nullptr, lower, upper);
    PushAsBlock(rows, &top_k);
    for (const Neighbor& row : rows) top_k.Push(row.distance, row.row_id);
    EXPECT_THAT(top_k.Finish(), IsEmpty()) << lower << " to " << upper;
  }
}

TEST(TopK, SeveralWithASharedBoundHoldTheNearestOfAll) {
  const std::vector<Neighbor> rows = RandomRows(3000, 50, 5);
  for (size_t k : {1, 10, 500}) {
    SharedBound shared;
    std::vector<TopK> parts(3, TopK(k, nullptr, 2, 40, &shared));
    for (size_t i = 0; i < rows.size(); ++i) parts[i % 3].Push(rows[i].distance, rows[i].row_id);
    // What is farther than k rows of another is not looked at; what is as far may have a lower id.
    TopK late(k, nullptr, 2, 40, &shared);
    late.TakeSharedBound();
    EXPECT_EQ(late.threshold(), std::min(shared.distance(), TopK(k, nullptr, 2, 40).threshold()));
    TopK all(k);
    for (TopK& part : parts) {
      for (const Neighbor& row : part.Finish()) all.Push(row.distance, row.row_id);
    }
    std::vector<Neighbor> expected;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(expected),
                 [](const Neighbor& row) { return row.distance >= 2 && row.distance < 40; });
    EXPECT_EQ(all.Finish(), SortedFirst(expected, k));
  }
}

TEST(TopK, CanBeUsedAgainAfterFinish) {
  TopK top_k(1);
  top_k.Push(1, 1);
  EXPECT_THAT(top_k.Finish(), ElementsAre(Neighbor{1, 1}));
  EXPECT_EQ(top_k.size(), 0u);
  top_k.Push(2, 2);
  EXPECT_THAT(top_k.Finish(), ElementsAre(Neighbor{2, 2}));
}

}  // namespace
}  // namespace fewter
