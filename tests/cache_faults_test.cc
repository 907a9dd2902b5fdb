/// Whatever happens to a tier of the cache, queries give the answer that they give without it, the tier's report says
/// what was wrong, and it serves again when the fault has gone.

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/faulty_file_system_internal.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/redis/redis_server_internal.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/dataset/dataset.h"
#include "fixtures.h"

namespace fewter {
namespace {

using disk::testing::FaultyFileSystem;
using std::chrono::milliseconds;
using testing::RedisServer;

HealthOptions SoonAgain(int failures_to_bypass) {
  return {.failures_to_bypass = failures_to_bypass, .first_wait = milliseconds(10), .longest_wait = milliseconds(10)};
}

/// Queries over one dataset, and what they must answer.
class CacheFaults : public ::testing::Test {
 protected:
  CacheFaults() : uri_((testing::FixtureFolder("parity") / "large_partitions_ivf_pq" / "dataset.lance").string()) {
    const auto dataset = Open(MakeMemoryBackend(0));
    for (const uint64_t row : {3U, 7777U, 29999U}) {
      requests_.push_back(
          {.column = "vector", .query = dataset->ReadVector("vector", row).ValueOrDie(), .k = 20, .nprobes = 3});
    }
    for (const auto& request : requests_) expected_.push_back(dataset->Search(request).ValueOrDie().rows);
  }

  std::shared_ptr<Dataset> Open(std::shared_ptr<CacheBackend> cache) const {
    return Dataset::Open(uri_, {.version = {}, .session = Session::Make({.cache = std::move(cache)})}).ValueOrDie();
  }

  /// Small memory, so that queries ask the tier below; a new one for each process, as it were.
  std::shared_ptr<CacheBackend> OnDisk() const {
    auto disk = MakeDiskBackend({.directory = folder_.path().string(), .file_system = files_, .health = SoonAgain(3)});
    EXPECT_TRUE(disk.ok()) << disk.status().ToString();
    return MakeTieredBackend({MakeMemoryBackend(10000), *disk});
  }

  /// Everything is answered, rightly. Returns how many requests for index parts that took.
  uint64_t Ask(const std::shared_ptr<CacheBackend>& cache) const {
    const auto dataset = Open(cache);
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto result = dataset->Search(requests_[i]);
      EXPECT_TRUE(result.ok()) << result.status().ToString();
      if (result.ok()) {
        EXPECT_EQ(result->rows, expected_[i]);
      }
    }
    cache->Flush();
    return dataset->io_stats()[lance::IoKind::kIndex].requests;
  }

  /// Asks until nothing is read from the dataset's index files any more.
  void ExpectItHeals(const std::shared_ptr<CacheBackend>& cache) const {
    for (int attempt = 0; attempt < 500; ++attempt) {
      if (Ask(cache) == 0) return;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ADD_FAILURE() << cache->Report().back().health.last_message;
  }

  static uint64_t FaultsOf(const CacheBackend& cache, TierFault fault) {
    return cache.Report().back().health.faults[static_cast<size_t>(fault)];
  }

  /// Entries that the last tier had and did not use.
  static uint64_t RefusedBy(const CacheBackend& cache) {
    const CacheStats stats = cache.Report().back().stats;
    return std::accumulate(stats.rejected.begin(), stats.rejected.end(), uint64_t{0});
  }

  std::vector<std::filesystem::path> Segments() const {
    std::vector<std::filesystem::path> segments;
    for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
      if (file.path().extension() == ".fwseg") segments.push_back(file.path());
    }
    return segments;
  }

  const std::string uri_;
  const testing::TemporaryFolder folder_;
  const std::shared_ptr<FaultyFileSystem> files_ = std::make_shared<FaultyFileSystem>();
  std::vector<SearchRequest> requests_;
  std::vector<std::vector<Neighbor>> expected_;
};

TEST_F(CacheFaults, AFullDiskIsReadAndWrittenAgainWhenThereIsRoom) {
  files_->room = 50'000;
  const auto cache = OnDisk();
  EXPECT_GT(Ask(cache), 0U);
  EXPECT_GE(FaultsOf(*cache, TierFault::kNoSpace), 1U);
  EXPECT_EQ(cache->Report().back().health.state, TierState::kReadOnly);
  files_->room = INT64_MAX;
  std::this_thread::sleep_for(milliseconds(30));
  ExpectItHeals(cache);
  EXPECT_EQ(cache->Report().back().health.state, TierState::kHealthy);
}

TEST_F(CacheFaults, WritesAndSyncsThatFail) {
  for (auto* error : {&files_->write_error, &files_->sync_error, &files_->rename_error}) {
    const auto cache = OnDisk();
    cache->Clear();
    *error = EIO;
    EXPECT_GT(Ask(cache), 0U);
    EXPECT_GE(FaultsOf(*cache, TierFault::kIo), 1U);
    *error = 0;
    std::this_thread::sleep_for(milliseconds(30));
    ExpectItHeals(cache);
  }
}

TEST_F(CacheFaults, ShortWritesLoseNothing) {
  files_->longest_write = 1000;
  EXPECT_GT(Ask(OnDisk()), 0U);
  EXPECT_EQ(Ask(OnDisk()), 0U);
}

TEST_F(CacheFaults, ReadsThatFailAreMissesUntilTheDiskIsWellAgain) {
  EXPECT_GT(Ask(OnDisk()), 0U);
  for (auto* error : {&files_->map_error, &files_->populate_error, &files_->segment_read_error, &files_->list_error}) {
    const auto cache = OnDisk();
    *error = EIO;
    Ask(cache);
    *error = 0;
    ExpectItHeals(cache);
    EXPECT_EQ(cache->Report().back().health.state, TierState::kHealthy);
  }
}

TEST_F(CacheFaults, BytesThatWereNotSyncedWhenThePowerWent) {
  files_->sync_is_a_lie = true;
  EXPECT_GT(Ask(OnDisk()), 0U);
  files_->LosePower();
  files_->sync_is_a_lie = false;
  const auto cache = OnDisk();
  EXPECT_GT(Ask(cache), 0U);
  ExpectItHeals(cache);
}

TEST_F(CacheFaults, ABitThatFlippedAnywhere) {
  Ask(OnDisk());
  std::mt19937 random(1);
  uint64_t refused = 0;
  for (int round = 0; round < 60; ++round) {
    const auto segments = Segments();
    const auto& victim = segments[random() % segments.size()];
    std::string bytes = testing::ReadFile(victim);
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    testing::WriteFile(victim, bytes);
    const auto cache = OnDisk();
    Ask(cache);
    refused += RefusedBy(*cache);
    EXPECT_EQ(Ask(OnDisk()), 0U) << "round " << round;
  }
  EXPECT_GT(refused, 10U);
}

TEST_F(CacheFaults, FilesCutShortOrGone) {
  Ask(OnDisk());
  std::mt19937 random(2);
  for (int round = 0; round < 30; ++round) {
    const auto segments = Segments();
    const auto& victim = segments[random() % segments.size()];
    if (round % 3 == 0) {
      std::filesystem::remove(victim);
    } else {
      std::filesystem::resize_file(victim, random() % std::filesystem::file_size(victim));
    }
    ExpectItHeals(OnDisk());
  }
}

TEST_F(CacheFaults, FilesCutShortUnderAnOpenCache) {
  Ask(OnDisk());
  // Not touched yet in this process: what is gone is found out before anything is scanned.
  const auto cache = OnDisk();
  for (const auto& segment : Segments()) std::filesystem::resize_file(segment, 4096);
  Ask(cache);
  ExpectItHeals(cache);
}

TEST_F(CacheFaults, ADirectoryThatIsRemovedOrCannotBeRead) {
  const auto cache = OnDisk();
  Ask(cache);
  std::filesystem::remove_all(folder_.path());
  Ask(cache);
  ExpectItHeals(cache);
  EXPECT_FALSE(Segments().empty());
  files_->list_error = EACCES;
  Ask(cache);
  files_->list_error = 0;
  ExpectItHeals(cache);
}

// ---- Redis ----

std::shared_ptr<CacheBackend> InRedis(const RedisServer& server) {
  RedisBackendOptions options = ParseRedisUri(server.Uri("?timeout=500ms&connect_timeout=300ms")).ValueOrDie();
  options.health = SoonAgain(1);
  return MakeTieredBackend({MakeMemoryBackend(10000), MakeRedisBackend(std::move(options)).ValueOrDie()});
}

TEST_F(CacheFaults, ARedisThatIsStoppedAndStartedAgain) {
  RedisServer server;
  const auto cache = InRedis(server);
  ExpectItHeals(cache);
  server.Kill();
  EXPECT_GT(Ask(cache), 0U);
  EXPECT_NE(cache->Report().back().health.state, TierState::kHealthy);
  EXPECT_GE(FaultsOf(*cache, TierFault::kUnreachable), 1U);
  server.Start();
  ExpectItHeals(cache);
  server.Restart();
  ExpectItHeals(cache);
}

TEST_F(CacheFaults, ARedisThatDoesNotAnswerCostsNoMoreThanItsAllowance) {
  RedisServer server;
  const auto cache = InRedis(server);
  ExpectItHeals(cache);
  const auto dataset = Open(cache);
  server.Pause();
  const auto start = std::chrono::steady_clock::now();
  const auto result = dataset->Search(requests_[0]);
  const auto took = std::chrono::steady_clock::now() - start;
  server.Resume();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->rows, expected_[0]);
  // Its allowance is CacheQuery::kRemoteAllowance; the rest is for reading the index, on a machine that may be slow.
  EXPECT_LT(took, CacheQuery::kRemoteAllowance + std::chrono::seconds(5));
  EXPECT_GE(FaultsOf(*cache, TierFault::kTimeout), 1U);
  ExpectItHeals(cache);
}

TEST_F(CacheFaults, ARedisThatIsFlushedOrFilledWithGarbage) {
  RedisServer server;
  const auto cache = InRedis(server);
  ExpectItHeals(cache);
  server.Command({"FLUSHALL"});
  EXPECT_GT(Ask(cache), 0U);
  ExpectItHeals(cache);
  // Every value is overwritten with that of another key, or with nonsense.
  const std::string overwritten = server.Command(
      {"EVAL",
       "local keys = redis.call('KEYS', '*') local value = redis.call('GET', keys[2]) for i, key in ipairs(keys) do "
       "redis.call('SET', key, i % 2 == 1 and 'nonsense' or value) end return 'done'",
       "0"});
  ASSERT_EQ(overwritten, "done");
  EXPECT_GT(Ask(cache), 0U);
  EXPECT_GT(RefusedBy(*cache), 0U);
  ExpectItHeals(cache);
}

}  // namespace
}  // namespace fewter
