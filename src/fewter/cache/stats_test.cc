#include "fewter/cache/stats.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/query.h"
#include "fewter/cache/serialising_backend.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::Text;
using testing::TextKey;

const EntryType kText{&typeid(std::string), "text"};
const EntryType kNumber{&typeid(int), "number"};

/// Counters after `n` of the first kind, n + 1 of the second, and so on.
CacheStats Counted(uint64_t n) {
  CacheCounters counters;
  const auto times = [](uint64_t count, auto&& event) {
    for (uint64_t i = 0; i < count; ++i) event();
  };
  counters.Looked(kText, {.hits = n, .misses = n + 1, .loads = n + 2, .hit_bytes = 100});
  times(n + 3, [&] { counters.LoadFailure(); });
  times(n + 4, [&] { counters.Insertion(); });
  counters.Evictions(n + 5);
  times(n + 6, [&] { counters.EncodeFailure(); });
  for (uint64_t i = 1; i < kEnvelopeVerdicts; ++i) {
    times(n + 6 + i, [&] { counters.Rejected(static_cast<EnvelopeVerdict>(i)); });
  }
  return counters.Snapshot();
}

TEST(CacheStats, CountsEachEventApart) {
  const CacheStats stats = Counted(1);
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_EQ(stats.loads, 3u);
  EXPECT_EQ(stats.load_failures, 4u);
  EXPECT_EQ(stats.insertions, 5u);
  EXPECT_EQ(stats.evictions, 6u);
  EXPECT_EQ(stats.encode_failures, 7u);
  EXPECT_EQ(stats.rejected, (std::array<uint64_t, kEnvelopeVerdicts>{0, 8, 9, 10, 11, 12, 13}));
}

TEST(CacheStats, SubtractsCountsButNotWhatIsHeld) {
  CacheStats later = Counted(11);
  later.entries = 3;
  later.bytes = 300;
  CacheStats earlier = Counted(1);
  earlier.entries = 5;
  earlier.bytes = 500;
  const CacheStats between = later - earlier;
  EXPECT_EQ(between.hits, 10u);
  EXPECT_EQ(between.misses, 10u);
  EXPECT_EQ(between.loads, 10u);
  EXPECT_EQ(between.load_failures, 10u);
  EXPECT_EQ(between.insertions, 10u);
  EXPECT_EQ(between.evictions, 10u);
  EXPECT_EQ(between.encode_failures, 10u);
  EXPECT_EQ(between.rejected, (std::array<uint64_t, kEnvelopeVerdicts>{0, 10, 10, 10, 10, 10, 10}));
  EXPECT_EQ(between.entries, 3u);
  EXPECT_EQ(between.bytes, 300);
}

TEST(CacheStats, HasALineForPeople) {
  CacheStats stats;
  stats.hits = 2;
  stats.entries = 1;
  stats.bytes = 640;
  EXPECT_EQ(stats.ToString(), "1 entries, 640 bytes; 2 hits, 0 misses, 0 loads, 0 insertions, 0 evictions");
  stats.load_failures = 3;
  stats.encode_failures = 4;
  stats.rejected[static_cast<size_t>(EnvelopeVerdict::kCorrupt)] = 5;
  EXPECT_EQ(stats.ToString(),
            "1 entries, 640 bytes; 2 hits, 0 misses, 0 loads, 0 insertions, 0 evictions, 3 loads failed, "
            "4 could not be encoded, 5 rejected (corrupt)");
}

TEST(CacheStats, CountsTypesApartAndTogether) {
  CacheCounters counters;
  counters.Looked(kText, {.hits = 2, .hit_bytes = 20});
  counters.Looked(kNumber, {.misses = 1});
  counters.Looked(kText, {.hits = 1, .hit_bytes = 10});
  const CacheStats stats = counters.Snapshot();
  EXPECT_EQ(stats.hits, 3U);
  EXPECT_EQ(stats.misses, 1U);
  ASSERT_EQ(stats.types.size(), 2U);
  EXPECT_EQ(stats.types[0].type, "text");
  EXPECT_EQ(stats.types[0].counts.hit_bytes, 30);
  EXPECT_EQ(stats.types[1].type, "number");
  EXPECT_EQ(stats.types[1].counts.misses, 1U);
  counters.Looked(kNumber, {.misses = 4});
  EXPECT_EQ((counters.Snapshot() - stats).types[1].counts.misses, 4U);
}

template <size_t n>
struct Kind {};

template <size_t... n>
void LookEach(CacheCounters* counters, std::index_sequence<n...>) {
  (counters->Looked({&typeid(Kind<n>), "kind"}, {.hits = 1}), ...);
}

TEST(CacheStats, TypesBeyondTheLastPlaceShareIt) {
  CacheCounters counters;
  LookEach(&counters, std::make_index_sequence<CacheCounters::kTypes + 5>());
  const CacheStats stats = counters.Snapshot();
  EXPECT_EQ(stats.hits, CacheCounters::kTypes + 5);
  ASSERT_EQ(stats.types.size(), CacheCounters::kTypes);
  EXPECT_EQ(stats.types.back().type, "other");
  EXPECT_EQ(stats.types.back().counts.hits, 6U);
}

TEST(CacheStats, NothingIsLostBetweenThreads) {
  CacheCounters counters;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10000; ++n) counters.Looked(n % 2 == 0 ? kText : kNumber, {.hits = 1});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counters.Snapshot().hits, 40000U);
}

TEST(CacheQuery, CountsWhatHappensInItsScopeOnly) {
  const Cache memory(MakeMemoryBackend(1 << 20));
  const Cache bytes(MakeSerialisingBackend());
  memory.Insert(TextKey{1}, Text::Make("x"));
  CacheQuery query;
  {
    CacheQuery::Scope scope(&query);
    memory.Get(TextKey{1});
    bytes.GetMany<TextKey>(std::vector<TextKey>{{1}, {2}});
    {
      CacheQuery::Scope none(nullptr);
      memory.Get(TextKey{1});
    }
    memory.Get(TextKey{1});
  }
  memory.Get(TextKey{1});
  const auto activity = query.Activity();
  ASSERT_EQ(activity.size(), 2U);
  EXPECT_EQ(activity[0].tier, "memory");
  EXPECT_EQ(activity[0].counts.hits, 2U);
  EXPECT_EQ(activity[1].tier, bytes.backend()->kind());
  EXPECT_EQ(activity[1].counts.misses, 2U);
}

TEST(CacheQuery, RemoteTimeIsSpentOnce) {
  CacheQuery query(std::chrono::milliseconds(10));
  query.SpendRemote(std::chrono::milliseconds(4));
  EXPECT_EQ(query.remote_left(), std::chrono::milliseconds(6));
  query.SpendRemote(std::chrono::milliseconds(40));
  EXPECT_EQ(query.remote_left(), std::chrono::nanoseconds(0));
}

}  // namespace
}  // namespace fewter
