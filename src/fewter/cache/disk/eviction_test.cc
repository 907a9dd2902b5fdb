#include "fewter/cache/disk/eviction.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter::disk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(PlanEviction, LeavesADirectoryThatIsNotFull) {
  EXPECT_TRUE(PlanEviction({{.bytes = 100}}, {{.segment = 0, .bytes = 100}}, 100).empty());
  EXPECT_TRUE(PlanEviction({}, {}, 0).empty());
}

TEST(PlanEviction, DropsTheColdestSegment) {
  const std::vector<EvictionSegment> segments(3, {.bytes = 40});
  const auto plan = PlanEviction(segments,
                                 {{.segment = 0, .bytes = 40, .heat = 5},
                                  {.segment = 1, .bytes = 40, .heat = 1},
                                  {.segment = 2, .bytes = 40, .heat = 3}},
                                 100);
  EXPECT_THAT(plan.segments, ElementsAre(1));
  EXPECT_THAT(plan.survivors, IsEmpty());
}

TEST(PlanEviction, OfTheSameHeatTheOlderGoes) {
  const std::vector<EvictionSegment> segments(3, {.bytes = 40});
  const auto plan = PlanEviction(segments,
                                 {{.segment = 0, .bytes = 40, .heat = 1, .last_use = 30},
                                  {.segment = 1, .bytes = 40, .heat = 1, .last_use = 20},
                                  {.segment = 2, .bytes = 40, .heat = 1, .last_use = 10}},
                                 100);
  EXPECT_THAT(plan.segments, ElementsAre(2));
}

TEST(PlanEviction, GivesWhatIsNewATenthOfTheRoom) {
  const std::vector<EvictionSegment> segments(24, {.bytes = 10});
  std::vector<EvictionEntry> entries;
  for (size_t i = 0; i < 24; ++i) {
    entries.push_back({.segment = i, .bytes = 10, .heat = 100 + static_cast<float>(i), .last_use = 10});
  }
  entries[12].heat = 1;
  EXPECT_THAT(PlanEviction(segments, entries, 230).segments, ElementsAre(0, 1, 2, 12));
  entries[12].last_use = 1000;
  EXPECT_THAT(PlanEviction(segments, entries, 230).segments, ElementsAre(0, 1, 2, 3));
}

TEST(PlanEviction, HeatCountsByTheByte) {
  // Eight small entries asked for once are worth more than a large one asked for twice.
  std::vector<EvictionEntry> entries = {{.segment = 0, .bytes = 80, .heat = 2}};
  for (int i = 0; i < 8; ++i) entries.push_back({.segment = 1, .bytes = 10, .heat = 1});
  EXPECT_THAT(PlanEviction({{.bytes = 80}, {.bytes = 80}}, entries, 100).segments, ElementsAre(0));
}

TEST(PlanEviction, WritesTheHotPartOfAColdSegmentAgain) {
  const auto plan = PlanEviction({{.bytes = 100}, {.bytes = 100}},
                                 {{.segment = 0, .bytes = 90, .heat = 1},
                                  {.segment = 0, .bytes = 10, .heat = 10},
                                  {.segment = 1, .bytes = 100, .heat = 50}},
                                 150);
  EXPECT_THAT(plan.segments, ElementsAre(0));
  EXPECT_THAT(plan.survivors, ElementsAre(1));
}

TEST(PlanEviction, DeadBytesGoFirst) {
  // Segment 0 is full of copies that newer segments replace.
  const auto plan = PlanEviction({{.bytes = 100}, {.bytes = 100}}, {{.segment = 1, .bytes = 100, .heat = 0}}, 120);
  EXPECT_THAT(plan.segments, ElementsAre(0));
}

TEST(PlanEviction, NeverCopiesMoreThanHalfOfASegment) {
  // Ten segments of which each has nine entries to stay and one to go.
  std::vector<EvictionSegment> segments(10, {.bytes = 100});
  std::vector<EvictionEntry> entries;
  for (size_t i = 0; i < 100; ++i) {
    entries.push_back({.segment = i / 10, .bytes = 10, .heat = i % 10 == 0 ? 1.0F : 2.0F + static_cast<float>(i)});
  }
  const auto plan = PlanEviction(segments, entries, 999);
  EXPECT_LE(plan.survivors.size(), plan.segments.size() * 5);
  EXPECT_THAT(plan.segments, SizeIs(testing::Le(3)));
  const int64_t left =
      1000 - static_cast<int64_t>(plan.segments.size()) * 100 + static_cast<int64_t>(plan.survivors.size()) * 10;
  EXPECT_LE(left, 900);
  EXPECT_GE(left, 750);
}

TEST(PlanEviction, LeavesSegmentsThatMayNotGo) {
  const auto plan = PlanEviction({{.bytes = 80, .may_go = false}, {.bytes = 80}},
                                 {{.segment = 0, .bytes = 80, .heat = 0}, {.segment = 1, .bytes = 80, .heat = 9}}, 100);
  EXPECT_THAT(plan.segments, ElementsAre(1));
  EXPECT_TRUE(PlanEviction({{.bytes = 80, .may_go = false}}, {{.segment = 0, .bytes = 80}}, 10).empty());
}

TEST(PlanMerge, MergesAllSmallSegmentsOnceThereAreMany) {
  std::vector<EvictionSegment> segments(5, {.bytes = 10});
  segments[1].bytes = 1000;
  segments[3].may_go = false;
  std::vector<EvictionEntry> entries;
  for (size_t i = 0; i < 5; ++i) entries.push_back({.segment = i, .bytes = 10});
  EXPECT_TRUE(PlanMerge(segments, entries, 100, 3).empty());
  const auto plan = PlanMerge(segments, entries, 100, 2);
  EXPECT_THAT(plan.segments, ElementsAre(0, 2, 4));
  EXPECT_THAT(plan.survivors, ElementsAre(0, 2, 4));
}

}  // namespace
}  // namespace fewter::disk
