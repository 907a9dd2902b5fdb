/// What is cached for an index is enough to make it anew: no footer, no metadata, no partition is read again.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/serialising_backend.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/index_files.h"
#include "fewter/dataset/index_state_reader.h"
#include "fixtures.h"

namespace fewter {
namespace {

const char* const kCases[] = {"large_partitions_ivf_pq",      "large_partitions_ivf_flat",   "kind_ivf_flat_cosine_f16",
                              "kind_ivf_sq_l2_f32",           "kind_ivf_rq5_l2_f32",         "kind_ivf_rq1_dot_f32",
                              "kind_ivf_hnsw_flat_l2_f32",    "kind_ivf_hnsw_pq_cosine_f32", "kind_ivf_hnsw_sq_dot_f64",
                              "kind_ivf_hnsw_flat_hamming_96"};

std::string UriOf(const std::string& name) {
  return (testing::FixtureFolder("parity") / name / "dataset.lance").string();
}

std::shared_ptr<Dataset> OpenWith(const std::string& name, const std::shared_ptr<CacheBackend>& backend) {
  return Dataset::Open(UriOf(name), {.version = {}, .session = Session::Make({.cache = backend})}).ValueOrDie();
}

SearchRequest RequestOf(const Dataset& dataset, uint64_t row, uint32_t nprobes) {
  return {.column = "vector", .query = dataset.ReadVector("vector", row).ValueOrDie(), .k = 10, .nprobes = nprobes};
}

class Restart : public ::testing::TestWithParam<const char*> {};

TEST_P(Restart, LiveIndexIsMadeFromDecodedStateWithoutIo) {
  auto backend = MakeSerialisingBackend();
  auto first = OpenWith(GetParam(), backend);
  const auto described = first->DescribeIndex("vector_idx").ValueOrDie();
  EXPECT_GT(first->io_stats()[lance::IoKind::kIndex].requests, 0U);

  auto second = OpenWith(GetParam(), backend);
  const auto before = second->io_stats();
  const auto again = second->DescribeIndex("vector_idx").ValueOrDie();
  EXPECT_EQ((second->io_stats() - before)[lance::IoKind::kIndex], lance::IoCount());
  ASSERT_EQ(again.size(), described.size());
  EXPECT_EQ(again[0].uuid, described[0].uuid);
  EXPECT_EQ(again[0].num_rows, described[0].num_rows);
  EXPECT_EQ(again[0].storage, described[0].storage);
  EXPECT_EQ(again[0].storage_file, described[0].storage_file);
}

TEST_P(Restart, OpeningTheFilesAgainReadsNoFooter) {
  auto backend = MakeSerialisingBackend();
  auto first = OpenWith(GetParam(), backend);
  ASSERT_TRUE(first->DescribeIndex("vector_idx").ok());
  const auto& metadata = first->manifest().indices.at(0);
  auto store = lance::ObjectStore::Open(UriOf(GetParam())).ValueOrDie();
  const WeakCache cache(SegmentCache(Cache(backend), metadata));
  for (const char* name : {"/index.idx", "/auxiliary.idx"}) {
    auto reader = OpenLanceFile(*store, cache, {IndexFolder(metadata) + name, 0}, lance::IoKind::kIndex).ValueOrDie();
    EXPECT_FALSE(reader->metadata().global_buffers().empty());
  }
  EXPECT_EQ(store->counter()->Snapshot().total(), lance::IoCount());
}

TEST_P(Restart, AMissAfterRestartReadsOnlyThePartition) {
  auto backend = MakeSerialisingBackend();
  auto first = OpenWith(GetParam(), backend);
  const SearchRequest narrow = RequestOf(*first, 7, 1);
  ASSERT_TRUE(first->Search(narrow).ok());
  auto second = OpenWith(GetParam(), backend);
  SearchRequest wide = narrow;
  wide.nprobes = 3;
  const CacheStats before = backend->Stats();
  const auto result = second->Search(wide).ValueOrDie();
  EXPECT_EQ(result.rows.size(), 10U);
  EXPECT_EQ(result.counts.partitions_searched, 3U);
  EXPECT_EQ((backend->Stats() - before).loads, 2U);
  EXPECT_GT(second->io_stats()[lance::IoKind::kIndex].requests, 0U);
}

TEST_P(Restart, ConcurrentQueriesReadEachPartitionOnce) {
  auto backend = MakeSerialisingBackend();
  auto dataset = OpenWith(GetParam(), backend);
  const SearchRequest request = RequestOf(*dataset, 11, 3);
  ASSERT_TRUE(dataset->DescribeIndex("vector_idx").ok());
  const CacheStats before = backend->Stats();
  std::vector<std::vector<Neighbor>> answers(8);
  std::vector<std::thread> threads;
  for (auto& answer : answers) {
    threads.emplace_back([&] { answer = dataset->Search(request).ValueOrDie().rows; });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& answer : answers) EXPECT_EQ(answer, answers[0]);
  EXPECT_EQ((backend->Stats() - before).loads, 3U);
}

INSTANTIATE_TEST_SUITE_P(Indexes, Restart, ::testing::ValuesIn(kCases),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace fewter
