#include "fewter/cache/tiered_backend.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/query.h"
#include "fewter/cache/serialising_backend.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::Encoded;
using testing::LiveTextKey;
using testing::Text;
using testing::TextKey;

constexpr int64_t kLarge = 1 << 20;

/// A tier below memory: keeps bytes, and tells of each batch that it is asked for.
class LowerTier final : public CacheBackend {
 public:
  std::function<void(size_t)> on_batch = [](size_t) {};
  std::vector<EntryUse> noted;
  int flushes = 0;
  bool remote = false;
  uint64_t encoded = 0;

  std::string_view kind() const override { return "lower"; }
  std::string_view Locate(const EncodedKey& key) const override {
    std::lock_guard lock(mutex_);
    return entries_.contains(key.digest()) ? kind() : std::string_view();
  }
  bool is_remote() const override { return remote; }
  void Flush() override { ++flushes; }
  void NoteUses(std::span<const EntryUse> uses) override { noted.assign(uses.begin(), uses.end()); }

 protected:
  void LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                  std::span<CacheEntry> found) override {
    on_batch(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) found[i] = Find(keys[i], codec, type);
  }
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    on_batch(1);
    return Find(key, codec, type);
  }
  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    if (!codec) return;
    auto bytes = entry.encoded;
    if (bytes == nullptr) bytes = *EncodeEntry(key, codec, entry.value.get());
    std::lock_guard lock(mutex_);
    if (entry.encoded == nullptr) ++encoded;
    entries_[key.digest()] = std::move(bytes);
    counters().Insertion();
  }
  void Invalidate(const CacheNamespace&) override {
    std::lock_guard lock(mutex_);
    entries_.clear();
  }
  Contents Held() const override {
    std::lock_guard lock(mutex_);
    return {.entries = entries_.size()};
  }

 private:
  CacheEntry Find(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key.digest());
    if (found == entries_.end()) return {};
    DecodedEntry decoded = DecodeEntry(key, codec, found->second);
    EXPECT_TRUE(decoded.hit());
    return {.value = std::move(decoded.value), .type = &type, .bytes = found->second->size(), .encoded = found->second};
  }

  mutable std::mutex mutex_;
  std::unordered_map<KeyDigest, std::shared_ptr<arrow::Buffer>, KeyDigestHash> entries_;
};

struct Tiers {
  explicit Tiers(int64_t memory_bytes = kLarge)
      : memory(MakeMemoryBackend(memory_bytes)), cache(MakeTieredBackend({memory, middle, bottom})) {}
  std::shared_ptr<CacheBackend> memory;
  std::shared_ptr<LowerTier> middle = std::make_shared<LowerTier>();
  std::shared_ptr<LowerTier> bottom = std::make_shared<LowerTier>();
  Cache cache;

  bool Holds(CacheBackend& tier, uint64_t number) { return !tier.Locate(*Encoded(TextKey{number})).empty(); }
};

TEST(TieredBackend, OffersWhatIsInsertedToEveryTier) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  EXPECT_TRUE(tiers.Holds(*tiers.memory, 1));
  EXPECT_TRUE(tiers.Holds(*tiers.middle, 1));
  EXPECT_TRUE(tiers.Holds(*tiers.bottom, 1));
  EXPECT_EQ(tiers.cache.Stats().insertions, 1U);
  EXPECT_EQ(tiers.cache.Stats().entries, 1U);
}

TEST(TieredBackend, FindsInTheNearestTierAndPromotesWithoutEncodingAgain) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.memory->Clear();
  tiers.middle->Clear();
  tiers.middle->encoded = 0;
  const auto value = tiers.cache.Get(TextKey{1});
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(value->ToString(), "one");
  EXPECT_EQ(tiers.bottom->Stats().hits, 1U);
  EXPECT_TRUE(tiers.Holds(*tiers.memory, 1));
  EXPECT_TRUE(tiers.Holds(*tiers.middle, 1));
  EXPECT_EQ(tiers.middle->encoded, 0U);
  EXPECT_EQ(tiers.cache.Get(TextKey{1}), value);
  EXPECT_EQ(tiers.bottom->Stats().hits, 1U);
}

TEST(TieredBackend, AsksEachTierOnceForWhatTheNearerOnesLack) {
  Tiers tiers;
  for (uint64_t i = 0; i < 10; ++i) tiers.cache.Insert(TextKey{i}, Text::Make(std::to_string(i)));
  tiers.memory->Clear();
  tiers.middle->Clear();
  tiers.cache.Get(TextKey{3});
  std::vector<size_t> middle;
  std::vector<size_t> bottom;
  tiers.middle->on_batch = [&](size_t keys) { middle.push_back(keys); };
  tiers.bottom->on_batch = [&](size_t keys) { bottom.push_back(keys); };
  std::vector<TextKey> keys;
  for (uint64_t i = 0; i < 12; ++i) keys.push_back({i});
  const auto values = tiers.cache.GetMany<TextKey>(keys);
  for (uint64_t i = 0; i < 10; ++i) EXPECT_EQ(values[i]->ToString(), std::to_string(i));
  EXPECT_EQ(values[10], nullptr);
  EXPECT_EQ(values[11], nullptr);
  EXPECT_EQ(middle, std::vector<size_t>{11});
  EXPECT_EQ(bottom, std::vector<size_t>{11});
  const CacheStats stats = tiers.cache.Stats();
  EXPECT_EQ(stats.hits, 11U);
  EXPECT_EQ(stats.misses, 2U);
}

TEST(TieredBackend, ABatchMayNameAKeyTwice) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.memory->Clear();
  const std::vector<TextKey> keys = {{1}, {2}, {1}, {2}};
  const auto values = tiers.cache.GetMany<TextKey>(keys);
  EXPECT_EQ(values[0]->ToString(), "one");
  EXPECT_EQ(values[2]->ToString(), "one");
  EXPECT_EQ(values[1], nullptr);
  EXPECT_EQ(values[3], nullptr);
}

TEST(TieredBackend, CallersForOneKeyShareOneLookInTheTiersBelow) {
  constexpr int kCallers = 4;
  std::atomic<int> asked{kCallers};
  // A caller that is held up between its miss in memory and the flight comes late, and looks for itself. That this
  // happens again and again is less likely than that the machine breaks.
  for (int round = 0; round < 50 && asked > 1; ++round) {
    Tiers tiers;
    tiers.cache.Insert(TextKey{1}, Text::Make("one"));
    tiers.memory->Clear();
    asked = 0;
    // The first to ask waits until all the others have missed in memory, and so wait for it.
    tiers.middle->on_batch = [&](size_t) {
      ++asked;
      while (tiers.memory->Stats().misses < kCallers) std::this_thread::yield();
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < kCallers; ++i) {
      threads.emplace_back([&] { EXPECT_EQ(tiers.cache.Get(TextKey{1})->ToString(), "one"); });
    }
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(asked, 1);
}

TEST(TieredBackend, EvictionFromMemoryMovesAnEntryDown) {
  Tiers tiers(2000);
  tiers.cache.Insert(TextKey{1}, Text::Make(std::string(300, 'x')));
  tiers.middle->Clear();
  tiers.bottom->Clear();
  for (uint64_t i = 2; tiers.Holds(*tiers.memory, 1); ++i) {
    tiers.cache.Insert(TextKey{i}, Text::Make(std::string(300, 'y')));
  }
  EXPECT_TRUE(tiers.Holds(*tiers.middle, 1));
  EXPECT_FALSE(tiers.Holds(*tiers.bottom, 1));
}

TEST(TieredBackend, EvictionPassesRemoteTiersBy) {
  Tiers tiers(2000);
  tiers.middle->remote = true;
  tiers.cache.Insert(TextKey{1}, Text::Make(std::string(300, 'x')));
  tiers.middle->Clear();
  tiers.bottom->Clear();
  for (uint64_t i = 2; tiers.Holds(*tiers.memory, 1); ++i) {
    tiers.cache.Insert(TextKey{i}, Text::Make(std::string(300, 'y')));
  }
  EXPECT_FALSE(tiers.Holds(*tiers.middle, 1));
  EXPECT_TRUE(tiers.Holds(*tiers.bottom, 1));
}

TEST(TieredBackend, WithoutACodecAnEntryStaysInMemory) {
  Tiers tiers;
  int asked = 0;
  tiers.middle->on_batch = [&](size_t) { ++asked; };
  tiers.cache.Insert(LiveTextKey{1}, Text::Make("live"));
  EXPECT_EQ(tiers.middle->Stats().entries, 0U);
  EXPECT_NE(tiers.cache.Get(LiveTextKey{1}), nullptr);
  tiers.memory->Clear();
  EXPECT_EQ(tiers.cache.Get(LiveTextKey{1}), nullptr);
  EXPECT_EQ(asked, 0);
}

TEST(TieredBackend, LoadsOnceAndKeepsEverywhere) {
  Tiers tiers;
  int batches = 0;
  tiers.bottom->on_batch = [&](size_t) { ++batches; };
  const auto loaded = tiers.cache.GetOrLoad(
      TextKey{1}, []() -> arrow::Result<std::shared_ptr<const Text>> { return Text::Make("loaded"); });
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(tiers.Holds(*tiers.bottom, 1));
  EXPECT_EQ(batches, 1) << "the look before the loader runs must not go down again";
  EXPECT_EQ(tiers.cache.Stats().loads, 1U);
}

TEST(TieredBackend, InvalidatesAllTiers) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.cache.Invalidate();
  EXPECT_EQ(tiers.cache.Get(TextKey{1}), nullptr);
  EXPECT_EQ(tiers.middle->Stats().entries + tiers.bottom->Stats().entries, 0U);
}

TEST(TieredBackend, FlushTellsTheTiersBelowWhatWasUsed) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.cache.Get(TextKey{1});
  tiers.cache.backend()->Flush();
  EXPECT_EQ(tiers.middle->flushes, 1);
  ASSERT_EQ(tiers.bottom->noted.size(), 1U);
  EXPECT_EQ(tiers.bottom->noted[0].key, (*Encoded(TextKey{1})).digest());
  EXPECT_EQ(tiers.bottom->noted[0].uses, 1U);
}

TEST(TieredBackend, ReportsTheWholeAndEachTier) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.cache.Get(TextKey{1});
  tiers.cache.Get(TextKey{2});
  const auto reports = tiers.cache.backend()->Report();
  ASSERT_EQ(reports.size(), 4U);
  EXPECT_EQ(reports[0].kind, "tiered");
  EXPECT_EQ(reports[1].kind, "memory");
  EXPECT_EQ(reports[0].stats.hits, 1U);
  EXPECT_EQ(reports[1].stats.hits, 1U);
  EXPECT_EQ(reports[2].stats.misses, 1U);
}

TEST(TieredBackend, AQuerySeesWhatEachTierDidForIt) {
  Tiers tiers;
  tiers.cache.Insert(TextKey{1}, Text::Make("one"));
  tiers.memory->Clear();
  CacheQuery query;
  {
    const CacheQuery::Scope scope(&query);
    tiers.cache.Get(TextKey{1});
  }
  tiers.cache.Get(TextKey{1});
  uint64_t lower_hits = 0;
  for (const auto& activity : query.Activity()) {
    EXPECT_EQ(activity.type, Text::kCacheTypeId);
    if (activity.tier == "lower") lower_hits += activity.counts.hits;
  }
  EXPECT_EQ(lower_hits, 1U);
}

TEST(TieredBackend, StaysRightUnderManyThreads) {
  Tiers tiers(5000);
  const auto run = [&](uint64_t seed) {
    for (uint64_t step = 0; step < 3000; ++step) {
      const uint64_t number = (step * 7 + seed * 13) % 40;
      if (step % 500 == 499) tiers.cache.Invalidate();
      const auto value = tiers.cache.GetOrLoad(TextKey{number}, [&]() -> arrow::Result<std::shared_ptr<const Text>> {
        return Text::Make(std::to_string(number));
      });
      ASSERT_EQ((*value)->ToString(), std::to_string(number));
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(run, seed);
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace fewter
