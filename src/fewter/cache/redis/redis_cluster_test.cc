#include <algorithm>
#include <array>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/redis/redis_server_internal.h"
#include "fewter/cache/redis/redis_test_internal.h"

namespace fewter::testing {
namespace {

using std::chrono::milliseconds;

/// Three masters without replicas, each with a third of the slots.
class RedisCluster : public ::testing::Test {
 protected:
  static constexpr int kNodes = 3;

  // A cluster takes seconds to come up, so there is one for all tests.
  static void SetUpTestSuite() {
    for (int i = 0; i < kNodes; ++i) {
      nodes_[i] = std::make_unique<RedisServer>(RedisServer::Options{.cluster = true});
      ids_[i] = nodes_[i]->Command({"CLUSTER", "MYID"});
      EXPECT_EQ(nodes_[i]->Command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}), "OK");
      EXPECT_EQ(nodes_[i]->Command(
                    {"CLUSTER", "ADDSLOTSRANGE", std::to_string(FirstSlot(i)), std::to_string(FirstSlot(i + 1) - 1)}),
                "OK");
    }
    for (int i = 1; i < kNodes; ++i) {
      EXPECT_EQ(nodes_[0]->Command({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port()), BusPort(i)}),
                "OK");
    }
  }
  static void TearDownTestSuite() { nodes_ = {}; }

  void SetUp() override {
    ASSERT_TRUE(Eventually([&] {
      return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
        const std::string info = node->Command({"CLUSTER", "INFO"});
        return info.find("cluster_state:ok") != std::string::npos &&
               info.find("cluster_slots_ok:16384") != std::string::npos;
      });
    }));
    for (const auto& node : nodes_) ASSERT_EQ(node->Command({"FLUSHALL"}), "OK");
  }

  static int FirstSlot(int node) { return redis::kSlots * node / kNodes; }
  static int SlotOf(uint64_t number) { return redis::KeySlot(RedisKey(number)); }
  static int NodeOf(uint64_t number) {
    int node = 0;
    while (SlotOf(number) >= FirstSlot(node + 1)) ++node;
    return node;
  }

  static std::string BusPort(int i) {
    const std::string port = nodes_[i]->Command({"CONFIG", "GET", "cluster-port"});
    return port.substr(port.find('\n') + 1);
  }

  static RedisBackendOptions Options() {
    return PatientOptions("redis://127.0.0.1:" + std::to_string(nodes_[0]->port()) +
                          ",127.0.0.1:" + std::to_string(nodes_[1]->port()) + "?cluster=true");
  }

  /// Inserts entries 0 … 29, every fifth in chunks.
  static std::string TextOf(uint64_t i) { return i % 5 == 0 ? LongText(600000 + i) : std::to_string(i); }
  static void Fill(const Cache& cache) {
    for (uint64_t i = 0; i < 30; ++i) cache.Insert(TextKey{i}, Text::Make(TextOf(i)));
    cache.backend()->Flush();
  }
  /// How many of them each node answers, all asked at once.
  static std::array<int, kNodes> Found(const Cache& cache) {
    std::vector<TextKey> keys;
    for (uint64_t i = 0; i < 30; ++i) keys.push_back({i});
    const auto found = cache.GetMany(std::span<const TextKey>(keys));
    std::array<int, kNodes> counts{};
    for (uint64_t i = 0; i < 30; ++i) {
      if (found[i] == nullptr) continue;
      EXPECT_TRUE(found[i]->ToString() == TextOf(i)) << i;
      ++counts[NodeOf(i)];
    }
    return counts;
  }
  static std::array<int, kNodes> Expected() {
    std::array<int, kNodes> counts{};
    for (uint64_t i = 0; i < 30; ++i) ++counts[NodeOf(i)];
    return counts;
  }

  static std::array<std::unique_ptr<RedisServer>, kNodes> nodes_;
  static std::array<std::string, kNodes> ids_;
};

std::array<std::unique_ptr<RedisServer>, RedisCluster::kNodes> RedisCluster::nodes_;
std::array<std::string, RedisCluster::kNodes> RedisCluster::ids_;

TEST_F(RedisCluster, EntriesAreSpreadAndFound) {
  const Cache cache = OpenCache(Options());
  Fill(cache);
  EXPECT_EQ(Found(cache), Expected());
  for (const auto& node : nodes_) EXPECT_NE(node->Command({"DBSIZE"}), "0");
  EXPECT_EQ(cache.Stats().insertions, 30);
  EXPECT_EQ(TextAt(cache, 7), "7");
  EXPECT_EQ(cache.Locate(TextKey{7}), std::vector<std::string_view>{"redis"});
  cache.Invalidate();
  for (const auto& node : nodes_) EXPECT_EQ(node->Command({"DBSIZE"}), "0");
}

TEST_F(RedisCluster, AMovedSlotIsFollowed) {
  const Cache cache = OpenCache(Options());
  Fill(cache);
  const uint64_t number = 5;
  const int from = NodeOf(number);
  const int to = (from + 1) % kNodes;
  const std::string slot = std::to_string(SlotOf(number));
  const auto everywhere = [&](const std::vector<std::string>& command) {
    for (const auto& node : nodes_) ASSERT_EQ(node->Command(command), "OK");
  };
  // On the way: the old node sends those who ask for what it does not have any more to the new one, once (ASK).
  ASSERT_EQ(nodes_[to]->Command({"CLUSTER", "SETSLOT", slot, "IMPORTING", ids_[from]}), "OK");
  ASSERT_EQ(nodes_[from]->Command({"CLUSTER", "SETSLOT", slot, "MIGRATING", ids_[to]}), "OK");
  std::istringstream keys(nodes_[from]->Command({"CLUSTER", "GETKEYSINSLOT", slot, "100"}));
  for (std::string key; std::getline(keys, key);) {
    ASSERT_EQ(nodes_[from]->Command({"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), key, "0", "5000"}),
              "OK");
  }
  EXPECT_EQ(Found(cache), Expected());
  // Arrived: the old node says where it is now (MOVED).
  everywhere({"CLUSTER", "SETSLOT", slot, "NODE", ids_[to]});
  EXPECT_EQ(Found(cache), Expected());
  nodes_[to]->Command({"FLUSHALL"});
  InsertAndFlush(cache, number, TextOf(number));
  EXPECT_TRUE(TextAt(cache, number) == TextOf(number));
  EXPECT_NE(nodes_[to]->Command({"DBSIZE"}), "0");
  EXPECT_THAT(cache.backend()->Report()[0].health.faults, ::testing::Each(0));
  nodes_[to]->Command({"FLUSHALL"});
  everywhere({"CLUSTER", "SETSLOT", slot, "NODE", ids_[from]});
}

TEST_F(RedisCluster, APausedNodeDoesNotKeepTheOthersFromAnswering) {
  RedisBackendOptions options = Options();
  options.timeout = milliseconds(500);
  options.health.first_wait = options.health.longest_wait = std::chrono::seconds(60);
  const Cache cache = OpenCache(options);
  Fill(cache);
  ASSERT_EQ(Found(cache), Expected());
  nodes_[1]->Pause();
  std::array<int, kNodes> expected = Expected();
  expected[1] = 0;
  EXPECT_LT(TimeOf([&] {
              const auto found = Found(cache);
              EXPECT_EQ(found[1], 0);
              // Entries in chunks need a second round trip, for which the paused node has left no time.
              EXPECT_GT(found[0], 0);
              EXPECT_GT(found[2], 0);
            }),
            std::chrono::seconds(5));
  EXPECT_EQ(Found(cache), expected) << "from now on the paused node is left out";
  nodes_[1]->Resume();
}

TEST_F(RedisCluster, WithoutBeingToldThatItIsOneItIsLeftAlone) {
  const Cache cache = OpenCache(nodes_[0]->Uri());
  for (uint64_t i = 0; i < 10; ++i) TextAt(cache, i);
  EXPECT_THAT(cache.backend()->Report()[0].health.last_message, ::testing::HasSubstr("MOVED"));
}

TEST_F(RedisCluster, WithoutANodeTheOthersAnswer) {
  const Cache cache = OpenCache(Options());
  Fill(cache);
  nodes_[0]->Kill();
  std::array<int, kNodes> expected = Expected();
  expected[0] = 0;
  EXPECT_EQ(Found(cache), expected);
  EXPECT_EQ(Found(cache), expected);
  // Who comes new learns of the others from the second node that it was told of.
  const Cache another = OpenCache(Options());
  EXPECT_TRUE(Eventually([&] { return Found(another) == expected; }));
  nodes_[0]->Start();
}

TEST(RedisNoCluster, AServerThatIsNoneIsLeftAlone) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri("?cluster=true"));
  EXPECT_EQ(TextAt(cache, 1), "miss");
  EXPECT_THAT(cache.backend()->Report()[0].health.last_message, ::testing::HasSubstr("cluster support disabled"));
}

}  // namespace
}  // namespace fewter::testing
