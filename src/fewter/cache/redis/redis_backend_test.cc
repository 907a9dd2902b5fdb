#include "fewter/cache/redis/redis_backend.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/query.h"
#include "fewter/cache/redis/redis_server_internal.h"
#include "fewter/cache/redis/redis_test_internal.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/bytes.h"

namespace fewter::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RedisBackend, AnEntryComesBack) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  EXPECT_EQ(TextAt(cache, 1), "miss");
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
  const CacheStats stats = cache.Stats();
  EXPECT_EQ(stats.hits, 1);
  EXPECT_EQ(stats.misses, 1);
  EXPECT_EQ(stats.insertions, 1);
  EXPECT_EQ(server.Command({"KEYS", "*"}), RedisKey(1));
}

TEST(RedisBackend, SizesAroundTheChunksComeBackAligned) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  const size_t chunk = static_cast<size_t>(redis::kChunkBytes);
  for (const size_t size : {size_t{0}, chunk - 1000, chunk - 128, chunk, chunk + 1, 2 * chunk, 5 * 1000 * 1000UL}) {
    const std::string text = LongText(size);
    InsertAndFlush(cache, size, text);
    const auto found = cache.Get(TextKey{size});
    ASSERT_NE(found, nullptr) << size;
    EXPECT_TRUE(found->ToString() == text) << size;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(found->bytes()->data()) % kBufferAlignment, 0U);
  }
  EXPECT_THAT(cache.Stats().rejected, ::testing::Each(0));
}

TEST(RedisBackend, ABatchFindsWhatIsThere) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  std::vector<TextKey> keys;
  for (uint64_t i = 0; i < 60; ++i) {
    keys.push_back({i});
    if (i % 3 == 0) cache.Insert(TextKey{i}, Text::Make(i % 20 == 0 ? LongText(700000 + i) : std::to_string(i)));
  }
  cache.backend()->Flush();
  const auto found = cache.GetMany(std::span<const TextKey>(keys));
  for (uint64_t i = 0; i < 60; ++i) {
    if (i % 3 != 0) {
      EXPECT_EQ(found[i], nullptr) << i;
      continue;
    }
    ASSERT_NE(found[i], nullptr) << i;
    EXPECT_TRUE(found[i]->ToString() == (i % 20 == 0 ? LongText(700000 + i) : std::to_string(i))) << i;
  }
}

TEST(RedisBackend, AnotherProcessReadsWhatOneHasWritten) {
  RedisServer server;
  InsertAndFlush(OpenCache(server.Uri()), 1, "from elsewhere");
  EXPECT_EQ(TextAt(OpenCache(server.Uri()), 1), "from elsewhere");
}

TEST(RedisBackend, BytesOfAnotherTierAreWrittenAsTheyAre) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  const CacheEntry entry = cache.backend()->Get(*Encoded(TextKey{1}), TextKey::Codec(), typeid(Text));
  ASSERT_NE(entry.encoded, nullptr);
  server.Command({"FLUSHALL"});
  cache.backend()->Insert(*Encoded(TextKey{1}), TextKey::Codec(), entry);
  cache.backend()->Flush();
  EXPECT_EQ(TextAt(cache, 1), "one");
}

TEST(RedisBackend, EntriesExpireAboutWhenTheyShould) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri("?ttl=10h"));
  std::set<int64_t> ttls;
  for (uint64_t i = 0; i < 30; ++i) InsertAndFlush(cache, i, "x");
  for (uint64_t i = 0; i < 30; ++i) {
    const int64_t ttl = std::stoll(server.Command({"PTTL", RedisKey(i)}));
    EXPECT_GT(ttl, 9 * 3600 * 1000 - 60000);
    EXPECT_LE(ttl, 11 * 3600 * 1000);
    ttls.insert(ttl / 60000);
  }
  EXPECT_GT(ttls.size(), 5U) << "they should not all expire together";
}

TEST(RedisBackend, ChunksOutliveTheirHead) {
  RedisServer server;
  InsertAndFlush(OpenCache(server.Uri("?ttl=1h")), 1, LongText(1200000));
  std::istringstream keys(server.Command({"KEYS", "*"}));
  const int64_t head = std::stoll(server.Command({"PTTL", RedisKey(1)}));
  int chunks = 0;
  for (std::string key; std::getline(keys, key);) {
    if (key == RedisKey(1)) continue;
    ++chunks;
    EXPECT_GT(std::stoll(server.Command({"PTTL", key})), head + 30000);
  }
  EXPECT_EQ(chunks, 2);
}

TEST(RedisBackend, WithoutATtlEntriesStay) {
  RedisServer server;
  InsertAndFlush(OpenCache(server.Uri("?ttl=0s")), 1, LongText(600000));
  EXPECT_EQ(server.Command({"DBSIZE"}), "2");
  EXPECT_EQ(server.Command({"PTTL", RedisKey(1)}), "-1");
}

TEST(RedisBackend, WritingAnEntryAgainLeavesNoChunksBehind) {
  RedisServer server;
  for (int i = 0; i < 3; ++i) InsertAndFlush(OpenCache(server.Uri()), 1, LongText(1200000));
  EXPECT_EQ(server.Command({"DBSIZE"}), "3");
}

TEST(RedisBackend, APasswordOpensTheServer) {
  RedisServer server({.password = "open sesame"});
  const std::string at = "@127.0.0.1:" + std::to_string(server.port());
  const Cache right = OpenCache("redis://:open%20sesame" + at);
  InsertAndFlush(right, 1, "one");
  EXPECT_EQ(TextAt(right, 1), "one");
  EXPECT_EQ(TextAt(OpenCache("redis://default:open%20sesame" + at), 1), "one");

  for (const char* credentials : {"redis://:wrong", "redis://nobody:wrong"}) {
    const Cache wrong = OpenCache(credentials + at);
    EXPECT_EQ(TextAt(wrong, 1), "miss");
    EXPECT_EQ(Faults(wrong, TierFault::kRefused), 1) << credentials;
    EXPECT_THAT(wrong.backend()->Report()[0].health.last_message, ::testing::HasSubstr("WRONGPASS"));
  }
  const Cache none = OpenCache(server.Uri());
  EXPECT_EQ(TextAt(none, 1), "miss");
  EXPECT_EQ(Faults(none, TierFault::kRefused), 1);
}

TEST(RedisBackend, ADatabaseIsSelected) {
  RedisServer server;
  InsertAndFlush(OpenCache(server.Uri("/3")), 1, "in three");
  EXPECT_EQ(TextAt(OpenCache(server.Uri()), 1), "miss");
  EXPECT_EQ(TextAt(OpenCache(server.Uri("?db=3")), 1), "in three");
  const Cache absent = OpenCache(server.Uri("/99"));
  EXPECT_EQ(TextAt(absent, 1), "miss");
  EXPECT_EQ(Faults(absent, TierFault::kRefused), 1);
}

TEST(RedisBackend, AUnixSocketWorks) {
  RedisServer server;
  const Cache cache = OpenCache("redis+unix://" + server.socket_path() + "?db=1");
  InsertAndFlush(cache, 1, LongText(3000000));
  EXPECT_EQ(TextAt(cache, 1).size(), 3000000U);
}

TEST(RedisBackend, ANameIsResolved) {
  RedisServer server;
  const Cache cache = OpenCache("redis://localhost:" + std::to_string(server.port()));
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
  const Cache nowhere = OpenCache("redis://no-such-host.invalid");
  EXPECT_EQ(TextAt(nowhere, 1), "miss");
  EXPECT_EQ(Faults(nowhere, TierFault::kUnreachable), 1);
}

TEST(RedisBackend, AnEntryWithoutACodecIsDeclined) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  cache.Insert(LiveTextKey{1}, Text::Make("live"));
  cache.backend()->Flush();
  EXPECT_EQ(cache.Get(LiveTextKey{1}), nullptr);
  EXPECT_EQ(server.Command({"DBSIZE"}), "0");
  EXPECT_EQ(cache.Stats().insertions, 0);
}

TEST(RedisBackend, AnEntryThatIsTooLargeIsDeclined) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri("?max_entry=1MiB"));
  InsertAndFlush(cache, 1, LongText(1 << 21));
  EXPECT_EQ(server.Command({"DBSIZE"}), "0");
  InsertAndFlush(OpenCache(server.Uri()), 1, LongText(1 << 21));
  EXPECT_EQ(TextAt(cache, 1), "miss");
}

TEST(RedisBackend, LocateAsksTheServer) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  EXPECT_TRUE(cache.Locate(TextKey{1}).empty());
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(cache.Locate(TextKey{1}), std::vector<std::string_view>{"redis"});
}

TEST(RedisBackend, InvalidatingANamespaceLeavesTheOthers) {
  RedisServer server;
  const Cache root = OpenCache(server.Uri());
  for (const char* name : {"a", "b", "ab"}) {
    InsertAndFlush(root.Child(name), 1, "short");
    InsertAndFlush(root.Child(name).Child("below"), 2, LongText(1200000));
  }
  server.Command({"SET", "somebody else's", "value"});
  root.Child("a").Invalidate();
  EXPECT_EQ(TextAt(root.Child("a"), 1), "miss");
  EXPECT_EQ(TextAt(root.Child("a").Child("below"), 2), "miss");
  for (const char* name : {"b", "ab"}) {
    EXPECT_EQ(TextAt(root.Child(name), 1), "short");
    EXPECT_EQ(TextAt(root.Child(name).Child("below"), 2).size(), 1200000U);
  }
  EXPECT_EQ(server.Command({"DBSIZE"}), "9") << "two entries of one and of three keys each, and one of somebody else";
  root.Invalidate();
  EXPECT_EQ(server.Command({"KEYS", "*"}), "somebody else's");
}

TEST(RedisBackend, PrefixesKeepCachesApart) {
  RedisServer server;
  const Cache ours = OpenCache(server.Uri("?prefix=a*:"));
  const Cache theirs = OpenCache(server.Uri("?prefix=ab:"));
  InsertAndFlush(ours, 1, "ours");
  InsertAndFlush(theirs, 1, "theirs");
  EXPECT_EQ(TextAt(ours, 1), "ours");
  ours.Invalidate();
  EXPECT_EQ(TextAt(ours, 1), "miss");
  EXPECT_EQ(TextAt(theirs, 1), "theirs");
}

/// An executor of one thread that does nothing until it is let go.
class HeldExecutor {
 public:
  HeldExecutor() : pool_(*arrow::internal::ThreadPool::Make(1)), gate_(arrow::Future<>::Make()) {
    EXPECT_TRUE(pool_->Spawn([gate = gate_] { gate.Wait(); }).ok());
  }
  ~HeldExecutor() { Release(); }
  arrow::internal::Executor* get() const { return pool_.get(); }
  void Release() {
    if (!std::exchange(released_, true)) gate_.MarkFinished();
  }

 private:
  std::shared_ptr<arrow::internal::ThreadPool> pool_;
  arrow::Future<> gate_;
  bool released_ = false;
};

TEST(RedisBackend, TheQueueOfInsertionsIsBounded) {
  RedisServer server;
  HeldExecutor executor;
  RedisBackendOptions options = PatientOptions(server.Uri());
  options.executor = executor.get();
  options.max_queue_bytes = 1000;
  options.max_queue_entries = 5;
  const Cache cache = OpenCache(options);
  for (uint64_t i = 0; i < 8; ++i) cache.Insert(TextKey{i}, Text::Make("short"));
  EXPECT_EQ(cache.Stats().evictions, 3) << "no more entries than that";
  executor.Release();
  cache.backend()->Flush();
  EXPECT_EQ(server.Command({"DBSIZE"}), "5");
  cache.Insert(TextKey{9}, Text::Make(LongText(1001)));
  EXPECT_EQ(cache.Stats().evictions, 4) << "no more bytes than that";
}

TEST(RedisBackend, TheDestructorDropsWhatIsQueued) {
  RedisServer server;
  HeldExecutor executor;
  RedisBackendOptions options = PatientOptions(server.Uri());
  options.executor = executor.get();
  auto cache = std::make_unique<Cache>(OpenCache(options));
  cache->Insert(TextKey{1}, Text::Make("short"));
  cache = nullptr;
  executor.Release();
  EXPECT_EQ(server.Command({"DBSIZE"}), "0");
}

TEST(RedisBackend, TheDestructorDoesNotWaitForAServerThatIsStuck) {
  RedisServer server;
  auto cache = std::make_unique<Cache>(OpenCache(server.Uri()));
  InsertAndFlush(*cache, 1, "one");
  server.Pause();
  for (uint64_t i = 0; i < 10; ++i) cache->Insert(TextKey{i}, Text::Make(LongText(3000000)));
  EXPECT_LT(TimeOf([&] { cache = nullptr; }), seconds(8)) << "a write may take ten seconds here";
}

TEST(RedisBackend, AQueryPaysFromItsAllowance) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  CacheQuery query(seconds(5));
  {
    const CacheQuery::Scope scope(&query);
    EXPECT_EQ(TextAt(cache, 1), "one");
  }
  EXPECT_LT(query.remote_left(), seconds(5));
  CacheQuery poor(milliseconds(0));
  const CacheQuery::Scope scope(&poor);
  EXPECT_EQ(TextAt(cache, 1), "miss");
  EXPECT_TRUE(cache.Locate(TextKey{1}).empty());
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
}

TEST(RedisBackend, ManyThreadsShareAFewConnections) {
  RedisServer server;
  RedisBackendOptions options = PatientOptions(server.Uri());
  options.connections = 2;
  const Cache cache = OpenCache(options);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 40; ++i) {
        const uint64_t number = (t * 7 + i) % 20;
        const std::string text = number == 13 ? LongText(800000) : std::to_string(number);
        const auto found = cache.GetOrLoad(TextKey{number}, [&] { return Text::Make(text); });
        if (!found.ok() || (*found)->ToString() != text) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  cache.backend()->Flush();
  EXPECT_EQ(server.Command({"DBSIZE"}), "21");
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
  const std::string info = server.Command({"INFO", "stats"});
  const size_t at = info.find("total_connections_received:");
  // Two to read, one to write, and the test's own two.
  EXPECT_LE(std::stoi(info.substr(info.find(':', at) + 1)), 12);
}

TEST(RedisBackend, AForkedChildHasConnectionsOfItsOwn) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
  const pid_t child = fork();
  if (child == 0) {
    // Answers on a connection that is shared with the parent would be mixed up.
    bool right = true;
    for (int i = 0; i < 50; ++i) right = right && TextAt(cache, 1) == "one";
    _exit(right ? 0 : 1);
  }
  for (uint64_t i = 2; i < 50; ++i) EXPECT_EQ(TextAt(cache, i), "miss");
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(TextAt(cache, 1), "one");
}

TEST(RedisBackend, OptionsThatContradictEachOtherAreRefused) {
  const RedisBackendOptions good = PatientOptions("redis://localhost");
  const auto refused = [&](auto change, const char* why) {
    RedisBackendOptions options = good;
    change(&options);
    const auto made = MakeRedisBackend(options);
    EXPECT_TRUE(IsArgumentError(made.status())) << made.status();
    EXPECT_THAT(made.status().message(), ::testing::HasSubstr(why));
  };
  ASSERT_TRUE(MakeRedisBackend(good).ok());
  refused([](auto* o) { o->servers.clear(); }, "either servers or a Unix socket");
  refused([](auto* o) { o->servers.push_back({"other", 1}); }, "several servers need a cluster");
  refused([](auto* o) { o->cluster = true, o->database = 1; }, "only database 0");
  refused([](auto* o) { o->prefix = "a{b"; }, "braces");
  refused([](auto* o) { o->timeout = milliseconds(0); }, "longer than 0");
  refused([](auto* o) { o->tls = true, o->tls_ca = "/no/such/file"; }, "/no/such/file");
  refused([](auto* o) { o->tls = true, o->tls_cert = "a.pem"; }, "both, or neither");
}

}  // namespace
}  // namespace fewter::testing
