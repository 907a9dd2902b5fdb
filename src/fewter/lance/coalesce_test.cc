#include "fewter/lance/coalesce_internal.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter::lance {
namespace {

using ::testing::ElementsAre;

std::vector<std::pair<uint64_t, uint64_t>> Ends(const std::vector<RangeRequest>& requests) {
  std::vector<std::pair<uint64_t, uint64_t>> ends;
  for (const RangeRequest& request : requests) ends.emplace_back(request.range.offset, request.range.end());
  return ends;
}

TEST(Coalesce, NeighboursAreOneRequest) {
  const CoalesceLimits limits{.gap = 10, .enough = 100, .widest_gap = 1000, .longest = 50};
  EXPECT_TRUE(Coalesce({}, limits).empty());
  EXPECT_TRUE(Coalesce({{5, 0}}, limits).empty());
  const auto requests = Coalesce({{30, 5}, {0, 5}, {15, 5}, {46, 5}}, limits);
  EXPECT_THAT(Ends(requests), ElementsAre(std::pair(0, 35), std::pair(46, 51)));
  EXPECT_THAT(requests[0].members, ElementsAre(1, 2, 0));
  // Together they would be too long; what overlaps is not asked about that.
  EXPECT_THAT(Ends(Coalesce({{0, 40}, {41, 40}}, limits)), ElementsAre(std::pair(0, 40), std::pair(41, 81)));
  EXPECT_THAT(Ends(Coalesce({{0, 40}, {39, 40}}, limits)), ElementsAre(std::pair(0, 79)));
}

TEST(Coalesce, TheSmallestGapsAreClosedUntilThereAreFewEnough) {
  const std::vector<ByteRange> ranges = {{0, 10}, {40, 10}, {70, 10}, {90, 10}, {200, 10}};
  const auto ends = [&](size_t enough, uint64_t widest, uint64_t longest) {
    return Ends(Coalesce(ranges, {.gap = 5, .enough = enough, .widest_gap = widest, .longest = longest}));
  };
  EXPECT_EQ(ends(5, 1000, 1000).size(), 5U);
  EXPECT_THAT(ends(4, 1000, 1000),
              ElementsAre(std::pair(0, 10), std::pair(40, 50), std::pair(70, 100), std::pair(200, 210)));
  EXPECT_THAT(ends(2, 1000, 1000), ElementsAre(std::pair(0, 100), std::pair(200, 210)));
  EXPECT_THAT(ends(1, 1000, 1000), ElementsAre(std::pair(0, 210)));
  EXPECT_THAT(ends(1, 99, 1000), ElementsAre(std::pair(0, 100), std::pair(200, 210)));
  EXPECT_THAT(ends(1, 1000, 60), ElementsAre(std::pair(0, 10), std::pair(40, 100), std::pair(200, 210)));
}

TEST(Coalesce, EveryRangeLiesInOneRequest) {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<ByteRange> ranges(random() % 40);
    for (ByteRange& range : ranges) range = {random() % 1000, random() % 20};
    const CoalesceLimits limits{
        .gap = random() % 20, .enough = random() % 10, .widest_gap = random() % 200, .longest = random() % 300};
    std::vector<size_t> seen(ranges.size(), 0);
    uint64_t before = 0;
    for (const RangeRequest& request : Coalesce(ranges, limits)) {
      EXPECT_GE(request.range.offset, before);
      before = request.range.end();
      for (const size_t member : request.members) {
        ++seen[member];
        EXPECT_GE(ranges[member].offset, request.range.offset);
        EXPECT_LE(ranges[member].end(), request.range.end());
      }
    }
    for (size_t i = 0; i < ranges.size(); ++i) EXPECT_EQ(seen[i], ranges[i].length == 0 ? 0U : 1U);
  }
}

}  // namespace
}  // namespace fewter::lance
