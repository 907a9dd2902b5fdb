#include "fewter/cache/serialising_backend.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::Encoded;
using testing::LiveTextKey;
using testing::Numbers;
using testing::NumbersKey;
using testing::ReadNumbers;
using testing::Text;
using testing::TextKey;
using testing::WriteNumbers;

uint64_t Rejected(const CacheBackend& backend, EnvelopeVerdict verdict) {
  return backend.Stats().rejected[static_cast<size_t>(verdict)];
}

TEST(SerialisingBackend, DecodesEachTime) {
  const Cache cache(MakeSerialisingBackend());
  const auto value = Text::Make("hello");
  cache.Insert(TextKey{1}, value);
  const auto first = cache.Get(TextKey{1});
  const auto second = cache.Get(TextKey{1});
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(first->ToString(), "hello");
  EXPECT_NE(first, value);
  EXPECT_NE(first, second);
  EXPECT_EQ(first->bytes()->data(), second->bytes()->data()) << "both point into the bytes that are kept";
  EXPECT_EQ(cache.backend()->kind(), "serialising");
}

TEST(SerialisingBackend, TakesCodecsOfTypesOneDoesNotOwn) {
  const Cache cache(MakeSerialisingBackend());
  cache.Insert(NumbersKey{"a"}, std::make_shared<const Numbers>(Numbers{1, 2, 3}));
  const auto numbers = cache.Get(NumbersKey{"a"});
  ASSERT_NE(numbers, nullptr);
  EXPECT_EQ(*numbers, (Numbers{1, 2, 3}));
}

TEST(SerialisingBackend, KeepsOthersAliveAsTheyAre) {
  const Cache cache(MakeSerialisingBackend());
  const auto value = Text::Make("hello");
  cache.Insert(LiveTextKey{1}, value);
  EXPECT_EQ(cache.Get(LiveTextKey{1}), value);
}

TEST(SerialisingBackend, ReplacesInvalidatesAndCounts) {
  const Cache cache(MakeSerialisingBackend());
  cache.Insert(TextKey{1}, Text::Make("a"));
  cache.Insert(TextKey{1}, Text::Make("b"));
  cache.Child("x").Insert(TextKey{1}, Text::Make("c"));
  cache.Child("x").Insert(LiveTextKey{1}, Text::Make("0123456789"));
  EXPECT_EQ(cache.Get(TextKey{1})->ToString(), "b");
  EXPECT_EQ(cache.Stats().entries, 3u);
  EXPECT_EQ(cache.Stats().insertions, 4u);
  EXPECT_EQ(cache.Stats().bytes % 64, 10);
  cache.Child("x").Invalidate();
  EXPECT_EQ(cache.Stats().entries, 1u);
  EXPECT_NE(cache.Get(TextKey{1}), nullptr);
  EXPECT_EQ(cache.Child("x").Get(TextKey{1}), nullptr);
  cache.backend()->Clear();
  EXPECT_EQ(cache.Stats().entries, 0u);
  EXPECT_EQ(cache.Stats().bytes, 0);
}

TEST(SerialisingBackend, CountsWhyItRefusesAnEntry) {
  const auto backend = MakeSerialisingBackend();
  const Encoded key(TextKey{1});
  const auto text = Text::Make("hell");
  backend->Insert(*key, CacheCodec::For<Text>(), {text, &typeid(Text), 4});
  const auto get_as = [&](std::string_view type_id, uint32_t version) {
    const auto codec = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>(type_id, version);
    return backend->Get(*key, codec, typeid(Numbers)).value;
  };
  EXPECT_EQ(get_as("fewter.testing.Numbers", 1), nullptr);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kOtherType), 1u);
  EXPECT_EQ(get_as("fewter.testing.Text", 2), nullptr);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kTooNew), 1u);
  EXPECT_EQ(get_as("fewter.testing.Text", 4), nullptr);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kTooOld), 1u);
  EXPECT_EQ(backend->Get(*key, CacheCodec(), typeid(Text)).value, nullptr);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kOtherType), 2u);
  EXPECT_EQ(backend->Stats().misses, 4u);
  EXPECT_NE(backend->Get(*key, CacheCodec::For<Text>(), typeid(Text)).value, nullptr);
  EXPECT_EQ(backend->Stats().hits, 1u);
}

TEST(SerialisingBackend, CountsWhatItsCodecCannotRead) {
  const auto backend = MakeSerialisingBackend();
  const Encoded key(NumbersKey{"a"});
  const auto text = Text::Make("hello");
  const CacheCodec writes_text(
      "fewter.testing.Numbers", 1,
      [](const void* value, arrow::io::OutputStream* out) { return static_cast<const Text*>(value)->Serialize(out); },
      nullptr);
  backend->Insert(*key, writes_text, {text, &typeid(Text), 5});
  EXPECT_EQ(backend->Get(*key, NumbersKey::Codec(), typeid(Numbers)).value, nullptr);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kCorrupt), 1u);
}

TEST(SerialisingBackend, CountsWhatItsCodecCannotWrite) {
  const auto backend = MakeSerialisingBackend();
  const CacheCodec broken(
      "t", 1, [](const void*, arrow::io::OutputStream*) { return arrow::Status::IOError("no"); }, nullptr);
  backend->Insert(*Encoded(TextKey{1}), broken, {Text::Make("a"), &typeid(Text), 1});
  EXPECT_EQ(backend->Stats().encode_failures, 1u);
  EXPECT_EQ(backend->Stats().insertions, 0u);
  EXPECT_EQ(backend->Stats().entries, 0u);
}

TEST(SerialisingBackend, StaysRightUnderManyThreads) {
  const Cache cache(MakeSerialisingBackend());
  const auto run = [&](uint64_t seed) {
    for (uint64_t step = 0; step < 1000; ++step) {
      const uint64_t key = (step * 7 + seed) % 20;
      if (step % 3 == 0) cache.Insert(TextKey{key}, Text::Make(std::to_string(key)));
      if (step % 200 == 0) cache.Invalidate();
      const auto value = cache.Get(TextKey{key});
      if (value != nullptr) {
        EXPECT_EQ(value->ToString(), std::to_string(key));
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(run, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.Stats().hits + cache.Stats().misses, 4000u);
  for (const uint64_t count : cache.Stats().rejected) EXPECT_EQ(count, 0u);
}

}  // namespace
}  // namespace fewter
