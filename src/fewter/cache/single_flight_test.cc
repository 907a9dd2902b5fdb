#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/test_values_internal.h"

/// Callers who want the same absent entry at the same time run one loader between them.

namespace fewter {
namespace {

using testing::Encoded;
using ::testing::HasSubstr;
using testing::Numbers;
using testing::Text;
using testing::TextKey;

using EntryFuture = arrow::Future<CacheEntry>;
using TextResult = arrow::Result<std::shared_ptr<const Text>>;

CacheEntry EntryOf(std::string_view text) {
  return {Text::Make(text), &typeid(Text), 1};
}

/// A memory backend that tells of each look-up after it has missed.
class ObservedBackend final : public CacheBackend {
 public:
  std::string_view Locate(const EncodedKey&) const override { return {}; }
  std::string_view kind() const override { return "observed"; }
  std::function<void()> after_miss;

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec&, const std::type_info&) override {
    {
      std::lock_guard lock(mutex_);
      const auto found = entries_.find(key.digest());
      if (found != entries_.end()) return found->second;
    }
    if (after_miss) after_miss();
    return {};
  }
  void Store(const EncodedKey& key, const CacheCodec&, CacheEntry entry) override {
    std::lock_guard lock(mutex_);
    entries_[key.digest()] = std::move(entry);
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
  mutable std::mutex mutex_;
  std::unordered_map<KeyDigest, CacheEntry, KeyDigestHash> entries_;
};

TEST(SingleFlight, FindsAValueInsertedBetweenTheMissAndTheFlight) {
  const auto backend = std::make_shared<ObservedBackend>();
  const Cache cache(backend);
  const auto inserted = Text::Make("inserted");
  backend->after_miss = [&] { cache.Insert(TextKey{1}, inserted); };
  const auto value = cache.GetOrLoad(TextKey{1}, []() -> TextResult {
    ADD_FAILURE() << "the loader ran";
    return arrow::Status::Invalid("");
  });
  EXPECT_EQ(*value, inserted);
  EXPECT_EQ(cache.Stats().misses, 1u);
  EXPECT_EQ(cache.Stats().hits, 0u) << "the second look is not counted";
  EXPECT_EQ(cache.Stats().loads, 0u);
}

/// Runs GetOrLoad of one key on many threads at once; the loader does not return before all of them have missed.
std::vector<TextResult> LoadTogether(int callers, const std::function<TextResult()>& load, CacheStats* stats) {
  const auto backend = std::make_shared<ObservedBackend>();
  const Cache cache(backend);
  std::atomic<int> misses{0};
  backend->after_miss = [&] { ++misses; };
  std::vector<TextResult> results(static_cast<size_t>(callers), arrow::Status::UnknownError("did not run"));
  std::vector<std::thread> threads;
  for (TextResult& result : results) {
    threads.emplace_back([&] {
      result = cache.GetOrLoad(TextKey{1}, [&] {
        // The leader looks twice.
        while (misses < callers + 1) std::this_thread::yield();
        return load();
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  *stats = cache.Stats();
  return results;
}

TEST(SingleFlight, CallersShareOneLoad) {
  CacheStats stats;
  std::atomic<int> calls{0};
  const auto results = LoadTogether(
      8,
      [&] {
        ++calls;
        return TextResult(Text::Make("loaded"));
      },
      &stats);
  // A caller may come after the flight has landed; it then finds the entry. So there is exactly one load in any case.
  EXPECT_EQ(calls, 1);
  for (const auto& result : results) EXPECT_EQ(*result, *results[0]);
  EXPECT_EQ(stats.loads, 1u);
  EXPECT_EQ(stats.misses, 8u);
  EXPECT_EQ(stats.insertions, 1u);
}

/// A load whose future the test finishes when it likes.
struct PendingLoad {
  EntryFuture loading = EntryFuture::Make();
  int calls = 0;
  CacheLoader loader = [this] {
    ++calls;
    return loading;
  };
};

EntryFuture Load(CacheBackend& backend, uint64_t number, const CacheLoader& loader) {
  return backend.Load(*Encoded(TextKey{number}), CacheCodec(), typeid(Text), loader);
}

CacheEntry Get(CacheBackend& backend, uint64_t number) {
  return backend.Get(*Encoded(TextKey{number}), CacheCodec(), typeid(Text));
}

TEST(SingleFlight, WaitersShareALoadThatTakesItsTime) {
  const auto backend = MakeMemoryBackend(1 << 20);
  PendingLoad load;
  const auto leader = Load(*backend, 1, load.loader);
  const auto waiter = Load(*backend, 1, load.loader);
  EXPECT_EQ(load.calls, 1);
  EXPECT_FALSE(leader.is_finished());
  EXPECT_FALSE(waiter.is_finished());
  EXPECT_FALSE(Get(*backend, 1));
  load.loading.MarkFinished(EntryOf("loaded"));
  ASSERT_TRUE(leader.is_finished());
  ASSERT_TRUE(waiter.is_finished());
  EXPECT_EQ(leader.result()->value, waiter.result()->value);
  EXPECT_EQ(Get(*backend, 1).value, leader.result()->value);
  EXPECT_EQ(backend->Stats().loads, 1u);
  EXPECT_EQ(backend->Stats().insertions, 1u);
}

TEST(SingleFlight, AllWaitersGetTheSameError) {
  const auto backend = MakeMemoryBackend(1 << 20);
  PendingLoad load;
  const auto leader = Load(*backend, 1, load.loader);
  const auto waiter = Load(*backend, 1, load.loader);
  load.loading.MarkFinished(arrow::Status::IOError("the store is away"));
  EXPECT_EQ(leader.status(), arrow::Status::IOError("the store is away"));
  EXPECT_EQ(waiter.status(), leader.status());
  EXPECT_FALSE(Get(*backend, 1));
  EXPECT_EQ(backend->Stats().load_failures, 1u);
  // The next caller starts anew.
  const auto again = Load(*backend, 1, [] { return EntryFuture(EntryOf("loaded")); });
  EXPECT_TRUE(again.status().ok());
  EXPECT_TRUE(Get(*backend, 1));
  EXPECT_EQ(backend->Stats().loads, 2u);
}

TEST(SingleFlight, BlockedCallersGetTheErrorOfALoaderThatThrows) {
  CacheStats stats;
  const auto results = LoadTogether(
      4, []() -> TextResult { throw std::runtime_error("out of luck"); }, &stats);
  for (const auto& result : results) {
    EXPECT_TRUE(result.status().IsUnknownError());
    EXPECT_THAT(result.status().message(), HasSubstr("out of luck"));
  }
  // Who comes late may run its own loader, with the same end.
  EXPECT_GE(stats.loads, 1u);
  EXPECT_EQ(stats.load_failures, stats.loads);
  EXPECT_EQ(stats.entries, 0u);
}

TEST(SingleFlight, AnAbandonedLoadFailsItsWaiters) {
  const auto backend = MakeMemoryBackend(1 << 20);
  auto load = std::make_optional<PendingLoad>();
  const auto leader = Load(*backend, 1, load->loader);
  const auto waiter = Load(*backend, 1, load->loader);
  EXPECT_FALSE(waiter.is_finished());
  load.reset();
  ASSERT_TRUE(leader.is_finished());
  EXPECT_TRUE(leader.status().IsUnknownError());
  EXPECT_EQ(waiter.status(), leader.status());
  EXPECT_EQ(backend->Stats().load_failures, 1u);
  EXPECT_TRUE(Load(*backend, 1, [] { return EntryFuture(EntryOf("loaded")); }).status().ok());
}

TEST(SingleFlight, ALoaderWithoutAFutureFails) {
  const auto backend = MakeMemoryBackend(1 << 20);
  EXPECT_TRUE(Load(*backend, 1, [] { return EntryFuture(); }).status().IsUnknownError());
  EXPECT_TRUE(Load(*backend, 1, [] { return EntryFuture(CacheEntry()); }).status().IsUnknownError());
  EXPECT_TRUE(Load(*backend, 1, CacheLoader()).status().IsUnknownError());
  EXPECT_EQ(backend->Stats().load_failures, 3u);
}

TEST(SingleFlight, ALoaderOfAnotherTypeFails) {
  const auto backend = MakeMemoryBackend(1 << 20);
  const CacheEntry numbers{std::make_shared<const Numbers>(), &typeid(Numbers), 0};
  EXPECT_TRUE(Load(*backend, 1, [&] { return EntryFuture(numbers); }).status().IsTypeError());
  const CacheEntry untyped{Text::Make("a"), nullptr, 0};
  EXPECT_TRUE(Load(*backend, 1, [&] { return EntryFuture(untyped); }).status().IsTypeError());
  EXPECT_EQ(backend->Stats().entries, 0u);
}

TEST(SingleFlight, CallersOfDifferentTypesDoNotShare) {
  const auto backend = MakeMemoryBackend(1 << 20);
  PendingLoad load;
  const auto text = Load(*backend, 1, load.loader);
  const CacheEntry numbers{std::make_shared<const Numbers>(), &typeid(Numbers), 0};
  const auto other =
      backend->Load(*Encoded(TextKey{1}), CacheCodec(), typeid(Numbers), [&] { return EntryFuture(numbers); });
  ASSERT_TRUE(other.is_finished());
  EXPECT_EQ(other.result()->value, numbers.value);
  EXPECT_FALSE(text.is_finished());
  load.loading.MarkFinished(EntryOf("text"));
  EXPECT_EQ(*text.result()->type, typeid(Text));
}

TEST(SingleFlight, DifferentKeysDoNotWaitForEachOther) {
  const auto backend = MakeMemoryBackend(1 << 20);
  const Cache cache(backend);
  PendingLoad load;
  const auto stuck = Load(*backend, 1, load.loader);
  EXPECT_TRUE(cache.GetOrLoad(TextKey{2}, [] { return Text::Make("b"); }).ok());
  EXPECT_TRUE(cache.Child("a").GetOrLoad(TextKey{1}, [] { return Text::Make("c"); }).ok());
  cache.Insert(TextKey{3}, Text::Make("d"));
  EXPECT_NE(cache.Get(TextKey{3}), nullptr);
  cache.Invalidate();
  EXPECT_FALSE(stuck.is_finished());
  load.loading.MarkFinished(EntryOf("a"));
  EXPECT_TRUE(stuck.is_finished());
}

TEST(SingleFlight, WaitersOutliveTheBackend) {
  auto backend = MakeMemoryBackend(1 << 20);
  const std::weak_ptr<CacheBackend> watch = backend;
  PendingLoad load;
  const auto leader = Load(*backend, 1, load.loader);
  const auto waiter = Load(*backend, 1, load.loader);
  backend.reset();
  EXPECT_TRUE(watch.expired()) << "a load does not keep the backend";
  load.loading.MarkFinished(EntryOf("loaded"));
  ASSERT_TRUE(leader.is_finished());
  EXPECT_TRUE(leader.status().ok());
  EXPECT_EQ(waiter.result()->value, leader.result()->value);
}

TEST(SingleFlight, BlockedCallersOutliveTheOwnersReference) {
  auto backend = std::make_shared<ObservedBackend>();
  std::latch in_loader(1);
  std::latch dropped(1);
  std::vector<std::thread> threads;
  std::vector<TextResult> results(3, arrow::Status::UnknownError("did not run"));
  for (TextResult& result : results) {
    threads.emplace_back([&result, &in_loader, &dropped, cache = Cache(backend)] {
      result = cache.GetOrLoad(TextKey{1}, [&] {
        in_loader.count_down();
        dropped.wait();
        return Text::Make("loaded");
      });
    });
  }
  in_loader.wait();
  backend.reset();
  dropped.count_down();
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ((*result)->ToString(), "loaded");
}

TEST(SingleFlight, AWaiterMayCallTheCacheWhenItIsTold) {
  const auto backend = MakeMemoryBackend(1 << 20);
  PendingLoad load;
  const auto leader = Load(*backend, 1, load.loader);
  bool found = false;
  leader.AddCallback([&](const arrow::Result<CacheEntry>&) { found = static_cast<bool>(Get(*backend, 1)); });
  load.loading.MarkFinished(EntryOf("loaded"));
  EXPECT_TRUE(found);
}

TEST(SingleFlight, LoadsFinishedByOtherThreadsMeetTheirWaiters) {
  const auto backend = MakeMemoryBackend(1 << 20);
  for (uint64_t number = 0; number < 200; ++number) {
    PendingLoad load;
    const auto leader = Load(*backend, number, load.loader);
    std::thread waiter([&] { EXPECT_TRUE(Load(*backend, number, load.loader).status().ok()); });
    std::thread producer([loading = load.loading]() mutable { loading.MarkFinished(EntryOf("loaded")); });
    EXPECT_TRUE(leader.status().ok());
    waiter.join();
    producer.join();
    EXPECT_EQ(load.calls, 1);
  }
}

TEST(SingleFlight, EveryCallerGetsTheValueOfItsKeyUnderManyThreads) {
  constexpr uint64_t kKeys = 10;
  const Cache cache(MakeMemoryBackend(1 << 20));
  std::array<std::atomic<int>, kKeys> under_way{};
  std::atomic<uint64_t> loads{0};
  std::atomic<uint64_t> gets{0};
  const auto load = [&](uint64_t key, bool fails) -> TextResult {
    EXPECT_EQ(under_way[key].fetch_add(1), 0) << "two loaders of one key at once";
    loads.fetch_add(1);
    std::this_thread::yield();
    under_way[key].fetch_sub(1);
    if (fails) return arrow::Status::IOError(key);
    return Text::Make(std::to_string(key));
  };
  const auto run = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int step = 0; step < 3000; ++step) {
      const uint64_t key = random() % kKeys;
      const bool fails = random() % 4 == 0;
      if (random() % 20 == 0) cache.Invalidate();
      const auto value = cache.GetOrLoad(TextKey{key}, [&] { return load(key, fails); });
      gets.fetch_add(1);
      const std::string expected = std::to_string(key);
      EXPECT_EQ(value.ok() ? (*value)->ToString() : value.status().message(), expected);
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) threads.emplace_back(run, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.Stats().loads, loads.load());
  EXPECT_EQ(cache.Stats().hits + cache.Stats().misses, gets.load());
}

}  // namespace
}  // namespace fewter
