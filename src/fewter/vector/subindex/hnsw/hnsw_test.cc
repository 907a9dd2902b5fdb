#include "fewter/vector/subindex/hnsw/hnsw.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <queue>

#include <gtest/gtest.h>

#include "fewter/vector/subindex/hnsw/hnsw_test_data_internal.h"
#include "fewter/vector/subindex/hnsw/visited_rows_internal.h"

namespace fewter {
namespace {

using hnsw_test::GraphOf;
using hnsw_test::Links;
using hnsw_test::LinksOver;
using hnsw_test::ModuloFilter;
using hnsw_test::PointScorer;
using hnsw_test::PointStorage;
using hnsw_test::SquaredDistance;
using storage_test::RandomFloats;
using storage_test::RowIdOf;

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kLargest = std::numeric_limits<float>::max();

struct Request {
  size_t k = 10;
  uint32_t ef = 0;
  const RowFilter* filter = nullptr;
  float lower = kLowest;
  float upper = kLargest;

  bool Allows(size_t row) const { return filter == nullptr || filter->Allows(RowIdOf(row)); }
  bool Passes(float distance, size_t row) const { return distance >= lower && distance < upper && Allows(row); }
};

struct Outcome {
  std::vector<Neighbor> neighbors;
  size_t rows_scored = 0;
};

Outcome Search(const SubIndex& graph, const PointStorage& points, const std::vector<float>& query,
               const Request& request) {
  PointScorer scorer(query);
  TopK top_k(request.k, request.filter, request.lower, request.upper);
  graph.Search({.ef = request.ef}, 0, points, &scorer, &top_k);
  return {top_k.Finish(), scorer.rows_scored()};
}

std::vector<float> DistancesOf(const PointStorage& points, const std::vector<float>& query) {
  std::vector<float> distances(points.num_rows());
  for (size_t i = 0; i < distances.size(); ++i) {
    distances[i] = SquaredDistance(query.data(), points.point(i), query.size());
  }
  return distances;
}

std::vector<Neighbor> BruteForce(const std::vector<float>& distances, const Request& request) {
  std::vector<Neighbor> found;
  for (size_t i = 0; i < distances.size(); ++i) {
    if (request.Passes(distances[i], i)) found.push_back({distances[i], RowIdOf(i)});
  }
  std::sort(found.begin(), found.end(), Nearer);
  found.resize(std::min(request.k, found.size()));
  return found;
}

// The search as the paper and Lance have it, one row after another and with nothing left out.
class Reference {
 public:
  Reference(const Links& links, std::vector<float> distances) : links_(links), distances_(std::move(distances)) {}

  std::vector<Neighbor> Search(const Request& request) const {
    size_t passing = 0;
    for (size_t i = 0; i < distances_.size(); ++i) passing += request.Allows(i) ? 1 : 0;
    if (passing < distances_.size() * 10 / 100) return BruteForce(distances_, request);
    auto results = Beam(Greedy(), request, request.ef == 0 ? request.k + request.k / 2 : request.ef);
    std::vector<Neighbor> found;
    for (const auto& [distance, row] : results) found.push_back({distance, RowIdOf(row)});
    std::sort(found.begin(), found.end(), Nearer);
    found.resize(std::min(request.k, found.size()));
    return found;
  }

 private:
  using Row = std::pair<float, uint32_t>;

  uint32_t Greedy() const {
    uint32_t at = links_.entry_point;
    for (size_t level = links_.levels.size(); level-- > 1;) {
      for (bool has_moved = true; has_moved;) {
        has_moved = false;
        const auto node = links_.levels[level].find(at);
        if (node == links_.levels[level].end()) continue;
        float nearest = distances_[at];
        for (uint32_t neighbor : node->second) {
          if (!(distances_[neighbor] < nearest)) continue;
          nearest = distances_[neighbor];
          at = neighbor;
          has_moved = true;
        }
      }
    }
    return at;
  }

  std::vector<Row> Beam(uint32_t start, const Request& request, size_t ef) const {
    std::set<uint32_t> visited = {start};
    std::set<Row> candidates = {{distances_[start], start}}, results;
    if (request.Passes(distances_[start], start)) results = candidates;
    while (!candidates.empty()) {
      const Row candidate = *candidates.begin();
      candidates.erase(candidates.begin());
      if (results.size() == ef && candidate.first > results.rbegin()->first) break;
      for (uint32_t row : links_.levels[0].at(candidate.second)) {
        if (!visited.insert(row).second) continue;
        const float distance = distances_[row];
        if (results.size() == ef && distance > results.rbegin()->first) continue;
        candidates.emplace(distance, row);
        if (!request.Passes(distance, row)) continue;
        if (results.size() == ef) {
          if (!(distance < results.rbegin()->first)) continue;
          results.erase(std::prev(results.end()));
        }
        results.emplace(distance, row);
      }
    }
    return {results.begin(), results.end()};
  }

  const Links& links_;
  std::vector<float> distances_;
};

// Points, a graph over them, and a query.
struct World {
  PointStorage points;
  Links links;
  std::shared_ptr<const SubIndex> graph;
  std::vector<float> query;

  World(size_t num_rows, size_t dimension, uint32_t seed)
      : points(num_rows, dimension, seed),
        links(LinksOver(points, 5, seed)),
        graph(GraphOf(links)),
        query(RandomFloats(dimension, seed + 1000)) {}

  Outcome Search(const Request& request) const { return fewter::Search(*graph, points, query, request); }
  std::vector<Neighbor> Exact(const Request& request) const { return BruteForce(DistancesOf(points, query), request); }
  std::vector<Neighbor> Expected(const Request& request) const {
    return Reference(links, DistancesOf(points, query)).Search(request);
  }
};

TEST(Hnsw, SmallGraphsAreNotWorthAWalk) {
  const World small(300, 2, 1), large(1000, 2, 1);
  const auto is_beaten = [](const World& world, size_t k, uint32_t ef) {
    return world.graph->IsBeatenByScan({.ef = ef}, TopK(k));
  };
  EXPECT_TRUE(is_beaten(small, 1, 0));
  EXPECT_TRUE(is_beaten(small, 10, 10));
  EXPECT_FALSE(is_beaten(large, 10, 0));
  EXPECT_TRUE(is_beaten(large, 10, 100));
  EXPECT_TRUE(is_beaten(large, 100, 0));
  EXPECT_TRUE(is_beaten(large, std::numeric_limits<size_t>::max() / 2, 0));
  EXPECT_TRUE(is_beaten(large, 10, std::numeric_limits<uint32_t>::max()));
}

TEST(Hnsw, FindsWhatTheAlgorithmFinds) {
  size_t exact = 0, searches = 0;
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const World world(600, 12, seed);
    for (size_t k : {1, 2, 10, 40}) {
      for (uint32_t ef : {0u, static_cast<uint32_t>(k), static_cast<uint32_t>(2 * k)}) {
        const Request request{.k = k, .ef = ef};
        const auto found = world.Search(request).neighbors;
        EXPECT_EQ(found, world.Expected(request)) << "seed " << seed << ", k " << k << ", ef " << ef;
        ++searches;
        exact += found == world.Exact(request) ? 1 : 0;
      }
    }
  }
  // Otherwise nothing is told apart from a scan.
  EXPECT_GT(exact, 0u);
  EXPECT_LT(exact, searches);
}

TEST(Hnsw, FindsWhatAScanFindsIfEfIsLarge) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const World world(500, 8, seed);
    for (uint32_t ef : {500u, 4000000000u}) {
      EXPECT_EQ(world.Search({.k = 20, .ef = ef}).neighbors, world.Exact({.k = 20}));
    }
  }
}

TEST(Hnsw, LooksAtFewRowsAndAtNoneTwiceALevel) {
  const World world(2000, 4, 1);
  const auto outcome = world.Search({.k = 10});
  EXPECT_EQ(outcome.neighbors, world.Expected({.k = 10}));
  EXPECT_LT(outcome.rows_scored, 400u);
  // All of them once on level 0, and those on the way through the upper levels once.
  EXPECT_LE(world.Search({.k = 10, .ef = 2000}).rows_scored, 2000u + world.links.levels[1].size());
}

TEST(Hnsw, FiltersLetTheWalkPassOverWhatTheyReject) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const World world(600, 8, seed);
    for (uint64_t percent : {10, 11, 20, 50, 99, 100}) {
      const ModuloFilter filter(100, percent);
      for (uint32_t ef : {0u, 50u, 600u}) {
        const Request request{.k = 10, .ef = ef, .filter = &filter};
        const auto found = world.Search(request).neighbors;
        EXPECT_EQ(found, world.Expected(request)) << "seed " << seed << ", " << percent << " %, ef " << ef;
        if (ef == 600) {
          EXPECT_EQ(found, world.Exact(request));
        }
      }
    }
  }
}

TEST(Hnsw, IfFewRowsPassTheFilterTheyAreComparedOneByOne) {
  const World world(600, 8, 3);
  for (uint64_t modulus : {12, 20, 100, 1000000007}) {
    const ModuloFilter filter(modulus, 1);
    size_t passing = 0;
    for (size_t i = 0; i < 600; ++i) passing += filter.Allows(RowIdOf(i)) ? 1 : 0;
    ASSERT_LT(passing, 60u);
    const Request request{.k = 10, .filter = &filter};
    const auto outcome = world.Search(request);
    EXPECT_EQ(outcome.neighbors, world.Exact(request));
    EXPECT_EQ(outcome.rows_scored, passing);
  }
}

TEST(Hnsw, ManyRowsAreComparedInBatches) {
  const PointStorage points(6000, 2, 3);
  Links links;
  links.levels.resize(1);
  for (uint32_t i = 0; i < 6000; ++i) links.levels[0][i] = {};
  const std::vector<float> query = {0.5F, 0.5F};
  const ModuloFilter filter(11, 1);
  const auto found = Search(*GraphOf(links), points, query, {.k = 700, .filter = &filter}).neighbors;
  EXPECT_EQ(found, BruteForce(DistancesOf(points, query), {.k = 700, .filter = &filter}));
  EXPECT_GT(found.size(), 500u);
}

TEST(Hnsw, ATenthOfTheRowsIsEnoughForAWalk) {
  const World world(600, 8, 3);
  // Rows, by their ids: as many as asked for.
  class FirstRows final : public RowFilter {
   public:
    explicit FirstRows(size_t count) {
      for (size_t i = 0; i < count; ++i) ids_.insert(RowIdOf(i));
    }
    bool Allows(uint64_t row_id) const override { return ids_.contains(row_id); }

   private:
    std::set<uint64_t> ids_;
  };
  const FirstRows fewer(59), enough(60);
  EXPECT_EQ(world.Search({.k = 5, .filter = &fewer}).rows_scored, 59u);
  const auto outcome = world.Search({.k = 5, .filter = &enough});
  EXPECT_NE(outcome.rows_scored, 60u);
  EXPECT_EQ(outcome.neighbors, world.Expected({.k = 5, .filter = &enough}));
}

TEST(Hnsw, BoundsIncludeTheLowerAndExcludeTheUpper) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    const World world(400, 6, seed);
    auto distances = DistancesOf(world.points, world.query);
    std::sort(distances.begin(), distances.end());
    const ModuloFilter half(2, 1);
    for (const RowFilter* filter : {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&half)}) {
      const Request request{.k = 10, .filter = filter, .lower = distances[20], .upper = distances[200]};
      EXPECT_EQ(world.Search(request).neighbors, world.Expected(request));
      const Request all{.k = 400, .filter = filter, .lower = distances[20], .upper = distances[25]};
      EXPECT_EQ(world.Search(all).neighbors, world.Exact(all));
      EXPECT_LE(world.Search(all).neighbors.size(), 5u);
      EXPECT_GE(world.Search(all).neighbors.size(), filter == nullptr ? 5u : 0u);
    }
  }
}

TEST(Hnsw, KAndEfMayBeAnything) {
  const World world(300, 4, 2);
  EXPECT_TRUE(world.Search({.k = 0}).neighbors.empty());
  EXPECT_EQ(world.Search({.k = 0}).rows_scored, 0u);
  for (size_t k : {size_t{300}, size_t{301}, std::numeric_limits<size_t>::max()}) {
    const auto found = world.Search({.k = k}).neighbors;
    EXPECT_EQ(found, world.Exact({.k = k}));
    EXPECT_EQ(found.size(), 300u);
  }
  // As if it were k.
  EXPECT_EQ(world.Search({.k = 50, .ef = 1}).neighbors, world.Expected({.k = 50, .ef = 50}));
  EXPECT_EQ(world.Search({.k = 50, .ef = 1}).neighbors.size(), 50u);
}

TEST(Hnsw, OnlyWhatTheEntryPointLeadsToIsFound) {
  const PointStorage points(40, 3, 5);
  Links links;
  links.levels.resize(1);
  for (uint32_t i = 0; i < 40; ++i) links.levels[0][i] = {(i + 2) % 40, (i + 38) % 40};
  links.entry_point = 4;
  const auto found = Search(*GraphOf(links), points, RandomFloats(3, 9), {.k = 40}).neighbors;
  EXPECT_EQ(found.size(), 20u);
  for (const Neighbor& neighbor : found) {
    for (size_t odd = 1; odd < 40; odd += 2) EXPECT_NE(neighbor.row_id, RowIdOf(odd));
  }
}

TEST(Hnsw, SmallPartitionsWork) {
  for (size_t num_rows : {1, 2, 3, 9, 10}) {
    const World world(num_rows, 4, 6);
    const ModuloFilter none(1, 0), all(1, 1);
    EXPECT_EQ(world.Search({.k = 20}).neighbors, world.Exact({.k = 20}));
    EXPECT_EQ(world.Search({.k = 1, .filter = &all}).neighbors, world.Expected({.k = 1, .filter = &all}));
    EXPECT_TRUE(world.Search({.k = 1, .filter = &none}).neighbors.empty());
  }
  const World empty(0, 4, 6);
  EXPECT_EQ(empty.graph->num_rows(), 0u);
  EXPECT_TRUE(empty.Search({.k = 10}).neighbors.empty());
  const PointStorage points(3, 2, 1);
  const Links no_edges{.levels = {{{0, {}}, {1, {}}, {2, {}}}}, .entry_point = 1};
  const auto found = Search(*GraphOf(no_edges), points, {0, 0}, {.k = 3}).neighbors;
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].row_id, RowIdOf(1));
}

TEST(Hnsw, RowsWithoutADistanceAreOnlyPassedOver) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    World world(300, 6, seed);
    for (size_t row = seed; row < 300; row += 3) world.points.Spoil(row);
    world.points.Spoil(world.links.entry_point);
    const auto found = world.Search({.k = 300}).neighbors;
    EXPECT_EQ(found, world.Exact({.k = 300}));
    EXPECT_GE(found.size(), 199u);
    const auto nearest = world.Search({.k = 5, .ef = 100}).neighbors;
    EXPECT_EQ(nearest, world.Exact({.k = 5}));
    const ModuloFilter few(30, 1);
    EXPECT_EQ(world.Search({.k = 300, .filter = &few}).neighbors, world.Exact({.k = 300, .filter = &few}));
  }
  World spoilt(50, 2, 1);
  for (size_t row = 0; row < 50; ++row) spoilt.points.Spoil(row);
  EXPECT_TRUE(spoilt.Search({.k = 5}).neighbors.empty());
}

TEST(Hnsw, WhatOtherPartitionsBroughtDoesNotEndAWalk) {
  const World world(600, 12, 7);
  const auto alone = world.Search({.k = 10});
  PointScorer scorer(world.query);
  TopK top_k(10);
  // Nearer than all rows but the nearest.
  const float threshold = alone.neighbors[1].distance;
  for (uint64_t id = 0; id < 10; ++id) top_k.Push(std::nextafter(threshold, 0.0F), id);
  world.graph->Search({}, 0, world.points, &scorer, &top_k);
  EXPECT_EQ(scorer.rows_scored(), alone.rows_scored);
  const auto found = top_k.Finish();
  ASSERT_EQ(found.size(), 10u);
  EXPECT_EQ(found[0], alone.neighbors[0]);
}

TEST(Hnsw, SearchesOfOneThreadDoNotSeeEachOther) {
  const World small(50, 4, 1), large(700, 4, 2);
  const auto small_expected = small.Expected({.k = 10}), large_expected = large.Expected({.k = 10});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(small.Search({.k = 10}).neighbors, small_expected);
    EXPECT_EQ(large.Search({.k = 10}).neighbors, large_expected);
  }
}

TEST(VisitedRows, IsEmptyAfterEachBegin) {
  VisitedRows visited;
  // Enough for the epochs to begin again.
  for (int i = 0; i < 70000; ++i) {
    visited.Begin(i < 35000 ? 3 : 5);
    ASSERT_TRUE(visited.Insert(2)) << i;
    ASSERT_FALSE(visited.Insert(2)) << i;
    if (i % 1000 == 0) {
      ASSERT_TRUE(visited.Insert(0)) << i;
    }
  }
}

}  // namespace
}  // namespace fewter
