#include "fewter/cache/cache.h"

#include <chrono>
#include <future>
#include <memory>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/memory_backend.h"
#include "fewter/cache/serialising_backend.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using ::testing::HasSubstr;
using testing::LiveTextKey;
using testing::Numbers;
using testing::NumbersKey;
using testing::Shape;
using testing::ShapeKey;
using testing::Text;
using testing::TextKey;

using TextResult = arrow::Result<std::shared_ptr<const Text>>;

struct Kind {
  const char* name;
  std::shared_ptr<CacheBackend> (*make)();
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

/// What holds for every backend.
class AnyCache : public ::testing::TestWithParam<Kind> {
 protected:
  const Cache cache_{GetParam().make()};
};

INSTANTIATE_TEST_SUITE_P(Backends, AnyCache,
                         ::testing::Values(Kind{"memory", [] { return MakeMemoryBackend(1 << 20); }},
                                           Kind{"serialising", [] { return MakeSerialisingBackend(); }}));

TEST_P(AnyCache, KeepsNamespacesApart) {
  const Cache a = cache_.Child("a");
  const Cache b = cache_.Child("b");
  a.Insert(TextKey{1}, Text::Make("of a"));
  b.Insert(TextKey{1}, Text::Make("of b"));
  EXPECT_EQ(a.Get(TextKey{1})->ToString(), "of a");
  EXPECT_EQ(b.Get(TextKey{1})->ToString(), "of b");
  EXPECT_EQ(cache_.Get(TextKey{1}), nullptr);
  EXPECT_EQ(cache_.Child("a").Get(TextKey{1})->ToString(), "of a");
}

TEST_P(AnyCache, LoadsSeveralWithOneCall) {
  cache_.Insert(TextKey{2}, Text::Make("kept"));
  const std::vector<TextKey> keys = {TextKey{1}, TextKey{2}, TextKey{3}, TextKey{4}};
  int calls = 0;
  const auto load = [&](const std::vector<size_t>& places) {
    ++calls;
    EXPECT_EQ(places, (std::vector<size_t>{0, 2, 3}));
    return std::vector<TextResult>{Text::Make("one"), arrow::Status::IOError("no three"), Text::Make("four")};
  };
  const auto found = cache_.GetOrLoadMany(std::span<const TextKey>(keys), load);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ((*found[0])->ToString(), "one");
  EXPECT_EQ((*found[1])->ToString(), "kept");
  EXPECT_THAT(found[2].status().message(), HasSubstr("no three"));
  EXPECT_EQ((*found[3])->ToString(), "four");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(cache_.Get(TextKey{4})->ToString(), "four");
  // An error is not kept, and a loader that throws fails those that it was called for.
  const auto again = cache_.GetOrLoadMany(
      std::span<const TextKey>(keys),
      [](const std::vector<size_t>&) -> std::vector<TextResult> { throw std::runtime_error("thrown"); });
  EXPECT_EQ((*again[3])->ToString(), "four");
  EXPECT_THAT(again[2].status().message(), HasSubstr("thrown"));
}

TEST_P(AnyCache, WhatAnotherIsLoadingIsWaitedFor) {
  const std::vector<TextKey> keys = {TextKey{1}, TextKey{2}};
  std::vector<TextResult> others;
  std::thread other;
  const auto found = cache_.LoadMany(std::span<const TextKey>(keys), [&](const std::vector<size_t>& places) {
    EXPECT_EQ(places.size(), 2U);
    std::promise<void> asked;
    other = std::thread([&] {
      const std::vector<TextKey> theirs = {TextKey{2}, TextKey{3}};
      others = cache_.LoadMany(std::span<const TextKey>(theirs), [&](const std::vector<size_t>& wanted) {
        EXPECT_EQ(wanted, (std::vector<size_t>{1}));
        asked.set_value();
        return std::vector<TextResult>{Text::Make("three")};
      });
    });
    asked.get_future().wait();
    return std::vector<TextResult>{Text::Make("one"), Text::Make("two")};
  });
  other.join();
  EXPECT_EQ((*found[1])->ToString(), "two");
  EXPECT_EQ((*others[0])->ToString(), "two");
  EXPECT_EQ((*others[1])->ToString(), "three");
}

TEST_P(AnyCache, WhoWaitsForACallerThatGivesUpLoadsForItself) {
  const std::vector<TextKey> keys = {TextKey{1}, TextKey{2}};
  std::vector<TextResult> many;
  TextResult one;
  std::vector<std::thread> others;
  const auto load = [](const std::vector<size_t>& wanted) {
    return std::vector<TextResult>(wanted.size(), Text::Make("theirs"));
  };
  const auto given_up = cache_.LoadMany(std::span<const TextKey>(keys), [&](const std::vector<size_t>&) {
    // Whether they have begun to wait by now or not, the loading below fails without them.
    others.emplace_back([&] { many = cache_.LoadMany(std::span<const TextKey>(keys), load); });
    others.emplace_back([&] { one = cache_.Load(TextKey{2}, [] { return Text::Make("theirs"); }); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::vector<TextResult>(2, CallerLimit(arrow::Status::Cancelled("enough")));
  });
  for (auto& other : others) other.join();
  for (const auto& result : given_up) EXPECT_TRUE(result.status().IsCancelled());
  for (const auto& result : many) EXPECT_EQ((*result)->ToString(), "theirs");
  EXPECT_EQ((*one)->ToString(), "theirs");
}

TEST_P(AnyCache, KeepsTypesOfKeysApart) {
  cache_.Insert(TextKey{1}, Text::Make("a"));
  EXPECT_EQ(cache_.Get(LiveTextKey{1}), nullptr);
}

TEST_P(AnyCache, CountsHitsMissesAndLoads) {
  const auto load = [] { return TextResult(Text::Make("a")); };
  EXPECT_EQ(cache_.Get(TextKey{1}), nullptr);
  EXPECT_EQ((*cache_.GetOrLoad(TextKey{1}, load))->ToString(), "a");
  EXPECT_EQ((*cache_.GetOrLoad(TextKey{1}, load))->ToString(), "a");
  EXPECT_NE(cache_.Get(TextKey{1}), nullptr);
  const CacheStats stats = cache_.Stats();
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_EQ(stats.loads, 1u);
  EXPECT_EQ(stats.load_failures, 0u);
  EXPECT_EQ(stats.insertions, 1u);
}

TEST_P(AnyCache, DoesNotKeepErrors) {
  int calls = 0;
  const auto load = [&]() -> TextResult {
    if (++calls == 1) return arrow::Status::IOError("the store is away");
    return Text::Make("a");
  };
  const auto failed = cache_.GetOrLoad(TextKey{1}, load);
  EXPECT_TRUE(failed.status().IsIOError());
  EXPECT_EQ(failed.status().message(), "the store is away");
  EXPECT_EQ(cache_.Stats().entries, 0u);
  EXPECT_EQ((*cache_.GetOrLoad(TextKey{1}, load))->ToString(), "a");
  EXPECT_EQ(cache_.Stats().loads, 2u);
  EXPECT_EQ(cache_.Stats().load_failures, 1u);
}

TEST_P(AnyCache, TurnsWhatALoaderThrowsIntoAStatus) {
  const auto thrown = cache_.GetOrLoad(TextKey{1}, []() -> TextResult { throw std::runtime_error("out of luck"); });
  EXPECT_TRUE(thrown.status().IsUnknownError());
  EXPECT_THAT(thrown.status().message(), HasSubstr("out of luck"));
  const auto odd = cache_.GetOrLoad(TextKey{1}, []() -> TextResult { throw 7; });
  EXPECT_TRUE(odd.status().IsUnknownError());
  EXPECT_EQ(cache_.Stats().load_failures, 2u);
  EXPECT_TRUE(cache_.GetOrLoad(TextKey{1}, [] { return Text::Make("a"); }).ok());
}

TEST_P(AnyCache, TakesNoNullForAValue) {
  EXPECT_TRUE(cache_.GetOrLoad(TextKey{1}, [] { return TextResult(nullptr); }).status().IsUnknownError());
  cache_.Insert(TextKey{1}, nullptr);
  EXPECT_EQ(cache_.Stats().entries, 0u);
  EXPECT_EQ(cache_.Stats().insertions, 0u);
}

TEST_P(AnyCache, ALoaderMayLoadOtherKeys) {
  const auto value = cache_.GetOrLoad(TextKey{1}, [&]() -> TextResult {
    ARROW_ASSIGN_OR_RAISE(const auto inner, cache_.GetOrLoad(TextKey{2}, [] { return Text::Make("inner"); }));
    return Text::Make(inner->ToString() + " and outer");
  });
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ((*value)->ToString(), "inner and outer");
  EXPECT_EQ(cache_.Get(TextKey{2})->ToString(), "inner");
}

TEST_P(AnyCache, TakesTheSizeOfATypeOneDoesNotOwnFromTheKey) {
  const auto numbers = std::make_shared<const Numbers>(Numbers{1, 2, 3});
  cache_.Insert(NumbersKey{"a"}, numbers);
  EXPECT_EQ(*cache_.Get(NumbersKey{"a"}), *numbers);
  EXPECT_GE(cache_.Stats().bytes, 12);
}

/// Its Shape does not begin where the object does, so that a wrong cast would show.
class Square final : public std::string, public Shape {
 public:
  explicit Square(double side) : std::string("a square"), side_(side) {}
  double Area() const override { return side_ * side_; }
  int64_t SizeInBytes() const override { return sizeof(*this); }

 private:
  double side_;
};

TEST_P(AnyCache, KeepsLiveObjectsOfAnInterface) {
  const auto square = std::make_shared<const Square>(3);
  cache_.Insert(ShapeKey{1}, square);
  const std::shared_ptr<const Shape> shape = cache_.Get(ShapeKey{1});
  ASSERT_NE(shape, nullptr);
  EXPECT_EQ(shape, std::shared_ptr<const Shape>(square));
  EXPECT_EQ(shape->Area(), 9);
  const auto loaded = cache_.GetOrLoad(ShapeKey{2}, [] { return std::make_shared<const Square>(4); });
  EXPECT_EQ((*loaded)->Area(), 16);
}

/// The bytes of a LiveTextKey, but another value: a mistake that two modules could make.
struct ImpostorKey {
  using Value = Numbers;
  static constexpr std::string_view kTypeId = LiveTextKey::kTypeId;
  static int64_t SizeInBytes(const Numbers&) { return 4; }
  uint64_t number;
  void AppendFields(KeyWriter& fields) const { fields.U64(number); }
};

TEST_P(AnyCache, AnEntryOfAnotherTypeIsAMiss) {
  cache_.Insert(LiveTextKey{1}, Text::Make("a"));
  EXPECT_EQ(cache_.Get(ImpostorKey{1}), nullptr);
  EXPECT_EQ(cache_.Stats().misses, 1u);
  EXPECT_EQ(cache_.Stats().rejected[static_cast<size_t>(EnvelopeVerdict::kOtherType)], 1u);
  const auto numbers = cache_.GetOrLoad(ImpostorKey{1}, [] { return std::make_shared<const Numbers>(Numbers{7}); });
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(**numbers, Numbers{7});
}

TEST_P(AnyCache, InvalidateDropsTheNamespace) {
  const Cache index = cache_.Child("dataset").Child("index");
  index.Insert(TextKey{1}, Text::Make("a"));
  cache_.Insert(TextKey{1}, Text::Make("b"));
  cache_.Child("dataset").Invalidate();
  EXPECT_EQ(index.Get(TextKey{1}), nullptr);
  EXPECT_NE(cache_.Get(TextKey{1}), nullptr);
}

TEST_P(AnyCache, ALoaderMayDropTheCache) {
  auto cache = std::make_unique<Cache>(GetParam().make());
  const std::weak_ptr<CacheBackend> backend = cache->backend();
  const auto value = cache->GetOrLoad(TextKey{1}, [&] {
    cache.reset();
    EXPECT_FALSE(backend.expired());
    return Text::Make("a");
  });
  EXPECT_EQ((*value)->ToString(), "a");
  EXPECT_TRUE(backend.expired());
}

TEST_P(AnyCache, WeakCacheIsTheSameCache) {
  const WeakCache weak(cache_.Child("a"));
  EXPECT_EQ(weak.Get(TextKey{1}), nullptr);
  weak.Insert(TextKey{1}, Text::Make("one"));
  EXPECT_EQ(cache_.Child("a").Get(TextKey{1})->ToString(), "one");
  EXPECT_EQ((*weak.GetOrLoad(TextKey{2}, [] { return Text::Make("two"); }))->ToString(), "two");
  EXPECT_EQ(cache_.Child("a").Get(TextKey{2})->ToString(), "two");
  weak.Child("b").Insert(TextKey{3}, Text::Make("three"));
  EXPECT_EQ(cache_.Child("a").Child("b").Get(TextKey{3})->ToString(), "three");
}

TEST(WeakCache, DoesNotKeepTheBackendAlive) {
  auto cache = std::make_unique<Cache>(MakeMemoryBackend(1 << 20));
  const std::weak_ptr<CacheBackend> backend = cache->backend();
  const WeakCache weak(*cache);
  weak.Insert(TextKey{1}, Text::Make("a"));
  EXPECT_NE(weak.Get(TextKey{1}), nullptr);
  cache.reset();
  EXPECT_TRUE(backend.expired());
}

void ExpectCachesNothing(const WeakCache& weak) {
  weak.Insert(TextKey{1}, Text::Make("a"));
  EXPECT_EQ(weak.Get(TextKey{1}), nullptr);
  int calls = 0;
  for (int i = 0; i < 2; ++i) {
    const auto value = weak.GetOrLoad(TextKey{1}, [&] {
      ++calls;
      return Text::Make("loaded");
    });
    EXPECT_EQ((*value)->ToString(), "loaded");
  }
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(weak.GetOrLoad(TextKey{1}, [] { return TextResult(arrow::Status::IOError("no")); }).status().IsIOError());
  EXPECT_TRUE(weak.GetOrLoad(TextKey{1}, [] { return TextResult(nullptr); }).status().IsUnknownError());
  EXPECT_TRUE(weak.GetOrLoad(TextKey{1}, []() -> TextResult { throw std::bad_alloc(); }).status().IsUnknownError());
}

TEST(WeakCache, WithoutABackendRunsLoaders) {
  ExpectCachesNothing(WeakCache());
  const WeakCache weak{Cache(MakeMemoryBackend(1 << 20))};
  ExpectCachesNothing(weak);
  ExpectCachesNothing(weak.Child("a"));
}

/// Looks nothing up.
class Indifferent final : public CacheBackend {
 public:
  std::string_view kind() const override { return "indifferent"; }
  std::string_view Locate(const EncodedKey&) const override { return {}; }

 protected:
  CacheEntry Lookup(const EncodedKey&, const CacheCodec&, const std::type_info&) override { return {}; }
  void LookupMany(std::span<const EncodedKey>, const CacheCodec&, const std::type_info&,
                  std::span<CacheEntry>) override {}
  void Store(const EncodedKey&, const CacheCodec&, CacheEntry) override {}
  void Invalidate(const CacheNamespace&) override {}
  Contents Held() const override { return {}; }
};

TEST(CacheBackend, WhatACallerLeftInThePlacesIsNotAnAnswer) {
  const auto backend = std::make_shared<Indifferent>();
  const testing::Encoded key(TextKey{1});
  std::vector<CacheEntry> places = {{.value = Text::Make("of another key"), .type = &typeid(Text)}};
  const EncodedKey encoded = *key;
  backend->GetMany({&encoded, 1}, TextKey::Codec(), typeid(Text), places);
  EXPECT_FALSE(places[0]);
  EXPECT_EQ(backend->Stats().misses, 1U);
}

}  // namespace
}  // namespace fewter
