/// The same ids and distances as pylance on the same index, for every case that make_parity_fixtures.py wrote, through
/// a cache of live values, one that keeps bytes, and one on disk that another session filled; and the same on datasets
/// of old releases: the few in tests/data, or those that tests/old_releases/run.sh has just made.
///
/// Distances are float32 sums whose order differs between machines, so they are compared with a tolerance, and rows
/// whose distances are within it count as tied: a tied row may stand at another place, or at the end of the list be
/// left out for another. Where Lance breaks a tie by what its heap happened to hold, ours goes to the lower row id.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/serialising_backend.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_filters.h"
#include "fixtures.h"

namespace fewter {
namespace {

using nlohmann::json;

struct Expectation {
  SearchRequest request;
  std::vector<Neighbor> rows;
  /// Of a graph: the exact answer.
  std::set<uint64_t> nearest;
  std::string text;
};

struct Case {
  std::string uri;
  std::string column;
  /// What the order of a sum may change in a distance whose terms cancel.
  float rounding = 0;
  /// And in any other, as a share of it.
  float relative = 0;
  bool walks_a_graph = false;
  /// Of the nearest rows, in all answers together, how many a walk may find fewer than pylance's.
  int64_t may_miss = 0;
  /// What the refusal of its index says; empty if it is searched.
  std::string refused;
  std::vector<Expectation> expected;
};

Expectation ReadExpectation(const json& entry, const json& file) {
  Expectation expectation;
  SearchRequest& request = expectation.request;
  request.column = file["column"];
  request.query = file["queries"][entry["query"].get<size_t>()].get<std::vector<float>>();
  request.k = entry["k"];
  request.nprobes = entry["nprobes"];
  request.indexed_rows_only = entry.value("fast_search", false);
  request.refine_factor = entry.value("refine", 0U);
  request.ef = entry.value("ef", 0U);
  request.max_nprobes = entry.value("max_nprobes", 0U);
  request.use_index = !entry.value("exact", false);
  if (entry.contains("lower")) request.distance_from = entry["lower"].get<float>();
  if (entry.contains("upper")) request.distance_below = entry["upper"].get<float>();
  if (entry.contains("metric")) request.metric = ParseMetric(entry["metric"].get<std::string>()).ValueOrDie();
  if (entry.contains("allowed")) request.prefilter = AllowRows(entry["allowed"].get<std::vector<uint64_t>>());
  // JSON has no infinities, so they are texts.
  for (const auto& row : entry["rows"]) {
    const float distance = row[1].is_string() ? std::stof(row[1].get<std::string>()) : row[1].get<float>();
    expectation.rows.push_back({distance, row[0]});
  }
  if (entry.contains("nearest")) expectation.nearest = entry["nearest"].get<std::set<uint64_t>>();
  json text = entry;
  for (const char* long_one : {"rows", "nearest", "allowed"}) text.erase(long_one);
  expectation.text = text.dump();
  return expectation;
}

Case ReadCase(const std::filesystem::path& folder) {
  const json file = json::parse(testing::ReadFile(folder / "case.json"));
  Case result;
  result.uri = (folder / "dataset.lance").string();
  result.column = file["column"];
  result.rounding = file["rounding"];
  result.relative = file["relative"];
  result.walks_a_graph = file["walks_a_graph"];
  result.may_miss = file.value("may_miss", 0);
  result.refused = file.value("refused", "");
  for (const auto& entry : file["expected"]) result.expected.push_back(ReadExpectation(entry, file));
  return result;
}

void ExpectSameRows(const std::vector<Neighbor>& actual, const std::vector<Neighbor>& expected, const Case& parity) {
  const auto tied = [&parity](float a, float b) {
    if (std::isinf(a) || std::isinf(b)) return a == b;
    return std::abs(a - b) <= parity.rounding + parity.relative * std::max(std::abs(a), std::abs(b));
  };
  ASSERT_EQ(actual.size(), expected.size());
  std::map<uint64_t, float> distance_of;
  for (const auto& row : expected) distance_of[row.row_id] = row.distance;
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(tied(actual[i].distance, expected[i].distance))
        << "at " << i << ": distance " << actual[i].distance << ", pylance " << expected[i].distance;
    const auto found = distance_of.find(actual[i].row_id);
    if (found != distance_of.end()) {
      EXPECT_TRUE(tied(actual[i].distance, found->second)) << "row " << actual[i].row_id;
    } else {
      EXPECT_TRUE(tied(actual[i].distance, expected.back().distance))
          << "row " << actual[i].row_id << " at " << i << " is not among pylance's";
    }
    if (i > 0) {
      EXPECT_TRUE(Nearer(actual[i - 1], actual[i])) << "order at " << i;
    }
  }
}

size_t CountNearest(const std::vector<Neighbor>& rows, const std::set<uint64_t>& nearest) {
  return static_cast<size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const Neighbor& row) { return nearest.contains(row.row_id); }));
}

/// A walk along a graph may find other rows, and a row that both find has one distance. Where a row is farther than
/// pylance's at its place, it must not find fewer of the nearest, all such answers together; of rows that are no
/// farther by their estimates, which of them are truly the nearest is the estimates' luck.
void ExpectAsGoodRows(const std::vector<Neighbor>& actual, const Expectation& expected, float rounding,
                      int64_t* advantage) {
  // Within a range of distances a walk may miss rows, and then there is no other in their place.
  if (expected.request.distance_below) {
    EXPECT_GE(actual.size(), expected.rows.size());
  } else {
    EXPECT_EQ(actual.size(), expected.rows.size());
  }
  std::map<uint64_t, float> distance_of;
  for (const auto& row : expected.rows) distance_of[row.row_id] = row.distance;
  for (const Neighbor& row : actual) {
    const auto found = distance_of.find(row.row_id);
    if (found == distance_of.end()) continue;
    EXPECT_NEAR(row.distance, found->second, rounding + 2e-5F * std::abs(row.distance)) << "row " << row.row_id;
  }
  const auto is_no_farther = [rounding](const Neighbor& ours, const Neighbor& theirs) {
    return ours.distance <= theirs.distance + rounding + 2e-5F * std::abs(theirs.distance);
  };
  if (std::equal(actual.begin(), actual.end(), expected.rows.begin(), expected.rows.end(), is_no_farther)) return;
  *advantage += static_cast<int64_t>(CountNearest(actual, expected.nearest)) -
                static_cast<int64_t>(CountNearest(expected.rows, expected.nearest));
}

void ExpectAllAnswers(const Case& parity, const Dataset& dataset) {
  int64_t advantage = 0;
  for (const auto& expectation : parity.expected) {
    SCOPED_TRACE(expectation.text);
    auto result = dataset.Search(expectation.request);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    if (parity.walks_a_graph) {
      ExpectAsGoodRows(result->rows, expectation, parity.rounding, &advantage);
    } else {
      ExpectSameRows(result->rows, expectation.rows, parity);
    }
    const std::vector<std::vector<float>> twice(2, expectation.request.query);
    const auto batch = dataset.SearchMany(expectation.request, twice);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    for (const auto& one : *batch) EXPECT_EQ(one.rows, result->rows);
  }
  EXPECT_GE(advantage, -parity.may_miss) << "of the nearest rows, fewer were found than by pylance";
}

/// Look-ups of index parts that found nothing, or made it.
uint64_t MissesOfIndexParts(const CacheStats& stats) {
  uint64_t misses = 0;
  for (const auto& [type, counts] : stats.types) {
    if (type.starts_with("fewter.vector.")) misses += counts.misses + counts.loads;
  }
  return misses;
}

class Parity : public ::testing::TestWithParam<std::string> {};

TEST_P(Parity, WithLiveEntries) {
  const Case parity = ReadCase(GetParam());
  ASSERT_FALSE(parity.expected.empty());
  auto dataset = Dataset::Open(parity.uri);
  ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
  ExpectAllAnswers(parity, **dataset);
}

/// Cases whose dataset has an index.
class IndexParity : public ::testing::TestWithParam<std::string> {};

TEST_P(IndexParity, WithSerialisedEntriesAndNoReadsAfterPrewarm) {
  const Case parity = ReadCase(GetParam());
  auto backend = MakeSerialisingBackend();
  {
    auto dataset = Dataset::Open(parity.uri, {.version = {}, .session = Session::Make({.cache = backend})});
    ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
    const auto warmed = (*dataset)->Prewarm(parity.column, "", PrewarmMode::kStrict);
    ASSERT_TRUE(warmed.ok()) << warmed.status().ToString();
    EXPECT_EQ(warmed->loaded, warmed->partitions);
  }
  auto dataset = Dataset::Open(parity.uri, {.version = {}, .session = Session::Make({.cache = backend})});
  ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
  const CacheStats before = backend->Stats();
  ExpectAllAnswers(parity, **dataset);
  EXPECT_EQ((*dataset)->io_stats()[lance::IoKind::kIndex], lance::IoCount());
  const CacheStats after = backend->Stats() - before;
  EXPECT_EQ(MissesOfIndexParts(after), 0U);
  EXPECT_GT(after.hits, 0U);
}

/// Memory over a disk cache in `folder`, as a process that has just started has it.
std::shared_ptr<Session> SessionOnDisk(const std::filesystem::path& folder) {
  auto disk = MakeDiskBackend({.directory = folder.string()}).ValueOrDie();
  return Session::Make({.cache = MakeTieredBackend({MakeMemoryBackend(64 << 20), std::move(disk)})});
}

TEST_P(IndexParity, WithEntriesMappedFromDiskAfterARestart) {
  const Case parity = ReadCase(GetParam());
  const testing::TemporaryFolder folder;
  {
    auto dataset = Dataset::Open(parity.uri, {.version = {}, .session = SessionOnDisk(folder.path())});
    ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
    ASSERT_TRUE((*dataset)->Prewarm(parity.column, "", PrewarmMode::kStrict).ok());
  }
  auto dataset = Dataset::Open(parity.uri, {.version = {}, .session = SessionOnDisk(folder.path())});
  ASSERT_TRUE(dataset.ok()) << dataset.status().ToString();
  ExpectAllAnswers(parity, **dataset);
  EXPECT_EQ((*dataset)->io_stats()[lance::IoKind::kIndex], lance::IoCount());
  const CacheStats stats = (*dataset)->session().cache().Stats();
  EXPECT_EQ(MissesOfIndexParts(stats), 0U);
  EXPECT_GT(stats.mapped_bytes, 0);
}

/// An index that is not read says what can be done, and what it says works.
class Refusal : public ::testing::TestWithParam<std::string> {};

TEST_P(Refusal, NamesTheWayOut) {
  const Case parity = ReadCase(GetParam());
  auto dataset = Dataset::Open(parity.uri).ValueOrDie();
  ASSERT_FALSE(parity.expected.empty());
  SearchRequest request = parity.expected.front().request;
  request.use_index = true;
  const arrow::Status status = dataset->Search(request).status();
  EXPECT_TRUE(status.IsNotImplemented() || status.IsInvalid()) << status.ToString();
  for (const auto& text : {parity.refused, std::string("index.idx"), std::string("use_index = false")}) {
    EXPECT_NE(status.message().find(text), std::string::npos) << status.message() << " lacks " << text;
  }
  ExpectAllAnswers(parity, *dataset);
}

std::filesystem::path OldReleases() {
  const char* made = std::getenv("FEWTER_OLD_RELEASES");
  return made == nullptr ? std::filesystem::path(FEWTER_TEST_DATA) / "old_releases" : std::filesystem::path(made);
}

std::vector<std::string> OldCases(bool refused) {
  std::vector<std::string> cases = testing::CasesIn(OldReleases());
  std::erase_if(cases, [&](const std::string& folder) { return ReadCase(folder).refused.empty() == refused; });
  return cases;
}

/// Those are told by their names, since reading hundreds of files takes its time.
std::vector<std::string> PylanceCases(bool refused) {
  std::vector<std::string> cases = testing::CasesIn(testing::FixtureFolder("parity"));
  std::erase_if(cases, [&](const std::string& folder) {
    return std::filesystem::path(folder).filename().string().starts_with("refused_") != refused;
  });
  return cases;
}

std::vector<std::string> Indexed(std::vector<std::string> cases) {
  std::erase_if(cases, [](const std::string& folder) {
    return !std::filesystem::exists(std::filesystem::path(folder) / "dataset.lance" / "_indices");
  });
  return cases;
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& param_info) {
  std::string name = std::filesystem::path(param_info.param).filename().string();
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pylance, Parity, ::testing::ValuesIn(PylanceCases(false)), NameOf);
INSTANTIATE_TEST_SUITE_P(Pylance, IndexParity, ::testing::ValuesIn(Indexed(PylanceCases(false))), NameOf);
INSTANTIATE_TEST_SUITE_P(Pylance, Refusal, ::testing::ValuesIn(PylanceCases(true)), NameOf);
INSTANTIATE_TEST_SUITE_P(OldReleases, Parity, ::testing::ValuesIn(OldCases(false)), NameOf);
INSTANTIATE_TEST_SUITE_P(OldReleases, IndexParity, ::testing::ValuesIn(Indexed(OldCases(false))), NameOf);
INSTANTIATE_TEST_SUITE_P(OldReleases, Refusal, ::testing::ValuesIn(OldCases(true)), NameOf);

TEST(ParityFixtures, CoverTheGrid) {
  EXPECT_GE(testing::CasesIn(testing::FixtureFolder("parity")).size(), 200U);
}

}  // namespace
}  // namespace fewter
