#include "fewter/cache/eviction_queue.h"

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace fewter {
namespace {

TEST(EvictionQueue, TheLargestOfUnusedEntriesGoesFirst) {
  EvictionQueue queue;
  std::deque<EvictionNode> nodes;
  for (const int64_t size : {300, 100, 500, 200, 400}) queue.Add(&nodes.emplace_back(size));
  for (const int64_t size : {500, 400, 300, 200, 100}) EXPECT_EQ(queue.Evict()->charge, size);
  EXPECT_EQ(queue.Evict(), nullptr);
}

TEST(EvictionQueue, AmongEqualsTheFirstInGoesFirst) {
  EvictionQueue queue;
  std::deque<EvictionNode> nodes;
  for (int i = 0; i < 20; ++i) queue.Add(&nodes.emplace_back(7));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(queue.Evict(), &nodes[static_cast<size_t>(i)]);
}

TEST(EvictionQueue, UsesMakeUpForSize) {
  EvictionQueue queue;
  EvictionNode small(100);
  EvictionNode large(300);
  queue.Add(&small);
  queue.Add(&large);
  for (int i = 0; i < 3; ++i) large.Touch();
  EXPECT_EQ(queue.Evict(), &small);
}

TEST(EvictionQueue, WhatIsNoLongerUsedAges) {
  EvictionQueue queue;
  EvictionNode once_hot(100);
  queue.Add(&once_hot);
  for (int i = 0; i < 3; ++i) once_hot.Touch();
  std::deque<EvictionNode> others;
  for (int i = 0; i < 1000; ++i) {
    queue.Add(&others.emplace_back(100));
    queue.Add(&others.emplace_back(100));
    if (queue.Evict() == &once_hot) {
      EXPECT_GE(i, 3);
      return;
    }
  }
  FAIL() << "it stays for ever";
}

TEST(EvictionQueue, ACounterStopsAtItsLimit) {
  EvictionNode node(1);
  for (int i = 0; i < 1000; ++i) node.Touch();
  EXPECT_EQ(node.uses.load(), EvictionNode::kMostUses);
}

TEST(EvictionQueue, EntriesThatAreHitAllTheWhileStillMakeRoom) {
  EvictionQueue queue;
  std::deque<EvictionNode> nodes;
  for (int i = 0; i < 50; ++i) queue.Add(&nodes.emplace_back(10 + i));
  for (int round = 0; round < 50; ++round) {
    for (auto& node : nodes) node.Touch();
    EXPECT_NE(queue.Evict(), nullptr);
  }
  EXPECT_EQ(queue.Evict(), nullptr);
}

TEST(EvictionQueue, AlwaysTakesTheLowestPriority) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    EvictionQueue queue;
    std::deque<EvictionNode> nodes;
    std::set<EvictionNode*> queued;
    for (int step = 0; step < 3000; ++step) {
      const auto action = random() % 10;
      if (action < 5 || queued.empty()) {
        EvictionNode* node = &nodes.emplace_back(static_cast<int64_t>(random() % 1000));
        queue.Add(node);
        queued.insert(node);
        continue;
      }
      auto any = queued.begin();
      std::advance(any, static_cast<ptrdiff_t>(random() % queued.size()));
      if (action < 7) {
        (*any)->Touch();
      } else if (action == 7) {
        queue.Remove(*any);
        queued.erase(any);
      } else {
        EvictionNode* victim = queue.Evict();
        ASSERT_EQ(queued.erase(victim), 1U);
        for (const EvictionNode* other : queued) ASSERT_GE(other->priority, victim->priority);
      }
    }
  }
}

}  // namespace
}  // namespace fewter
