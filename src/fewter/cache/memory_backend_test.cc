#include "fewter/cache/memory_backend.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/eviction_queue.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::Encoded;
using testing::Text;
using testing::TextKey;

constexpr int64_t kLarge = 1 << 20;

/// What an entry costs beyond its value: its key, and the backend's record of it.
int64_t KeyBytes() {
  static const int64_t bytes = [] {
    const Cache cache(MakeMemoryBackend(kLarge));
    cache.Insert(TextKey{0}, Text::Make(""));
    return cache.Stats().bytes;
  }();
  return bytes;
}

/// A budget for this many entries of ten bytes each.
int64_t RoomFor(int64_t entries) {
  return entries * (KeyBytes() + 10);
}

std::shared_ptr<const Text> TenBytes() {
  return Text::Make("0123456789");
}

TEST(MemoryBackend, ReturnsTheLiveValue) {
  const Cache cache(MakeMemoryBackend(kLarge));
  const auto value = TenBytes();
  EXPECT_EQ(cache.Get(TextKey{1}), nullptr);
  cache.Insert(TextKey{1}, value);
  EXPECT_EQ(cache.Get(TextKey{1}), value);
  EXPECT_EQ(cache.Get(TextKey{2}), nullptr);
  EXPECT_EQ(cache.backend()->kind(), "memory");
}

TEST(MemoryBackend, ChargesEntriesAndKeys) {
  const Cache cache(MakeMemoryBackend(kLarge));
  cache.Insert(TextKey{1}, TenBytes());
  EXPECT_EQ(cache.Stats().entries, 1u);
  EXPECT_EQ(cache.Stats().bytes, RoomFor(1));
  cache.Child("a").Insert(TextKey{1}, TenBytes());
  EXPECT_EQ(cache.Stats().bytes, RoomFor(2) + 5);
}

TEST(MemoryBackend, ReplacesAndAdjustsTheBytes) {
  const Cache cache(MakeMemoryBackend(kLarge));
  cache.Insert(TextKey{1}, TenBytes());
  const auto longer = Text::Make(std::string(100, 'x'));
  cache.Insert(TextKey{1}, longer);
  EXPECT_EQ(cache.Get(TextKey{1}), longer);
  EXPECT_EQ(cache.Stats().entries, 1u);
  EXPECT_EQ(cache.Stats().bytes, KeyBytes() + 100);
  cache.Insert(TextKey{1}, TenBytes());
  EXPECT_EQ(cache.Stats().bytes, RoomFor(1));
  EXPECT_EQ(cache.Stats().insertions, 3u);
  EXPECT_EQ(cache.Stats().evictions, 0u);
}

TEST(MemoryBackend, AScanDoesNotDriveOutWhatIsUsed) {
  const Cache cache(MakeMemoryBackend(RoomFor(10)));
  for (uint64_t i = 0; i < 100; ++i) {
    cache.Insert(TextKey{i}, TenBytes());
    EXPECT_NE(cache.Get(TextKey{0}), nullptr) << i;
  }
  EXPECT_EQ(cache.Get(TextKey{1}), nullptr);
  EXPECT_EQ(cache.Stats().evictions, 90u);
  EXPECT_EQ(cache.Stats().bytes, RoomFor(10));
}

TEST(MemoryBackend, KeepsAnEntryAsLargeAsHalfOfTheBudget) {
  const Cache cache(MakeMemoryBackend(kLarge));
  for (uint64_t i = 1; i < 200; ++i) cache.Insert(TextKey{i}, Text::Make(std::string(4096, 'y')));
  cache.Insert(TextKey{0}, Text::Make(std::string(kLarge / 2, 'x')));
  EXPECT_NE(cache.Get(TextKey{0}), nullptr);
  // Beside it there is room for the other half.
  EXPECT_GT(cache.Stats().entries, 50U);
  EXPECT_LE(cache.Stats().bytes, kLarge);
}

TEST(MemoryBackend, TellsOfWhatItEvictsIfThatHasACodec) {
  std::vector<std::string> told;
  const Cache cache(MakeMemoryBackend(RoomFor(2)));
  cache.backend()->TellEvictionsTo([&](const EncodedKey&, const CacheCodec& codec, const CacheEntry& entry) {
    EXPECT_EQ(codec.type_id(), Text::kCacheTypeId);
    told.push_back(static_cast<const Text*>(entry.value.get())->ToString());
  });
  cache.Insert(testing::LiveTextKey{1}, TenBytes());
  cache.Insert(TextKey{1}, Text::Make("first"));
  cache.Insert(TextKey{2}, Text::Make("second"));
  cache.Insert(TextKey{3}, Text::Make("third"));
  EXPECT_EQ(told, std::vector<std::string>{"first"});
  cache.Invalidate();
  EXPECT_EQ(told.size(), 1U);
}

TEST(MemoryBackend, RemembersUses) {
  const Cache cache(MakeMemoryBackend(kLarge));
  for (uint64_t i = 0; i < 3; ++i) cache.Insert(TextKey{i}, TenBytes());
  for (int use = 0; use < 100; ++use) cache.Get(TextKey{1});
  cache.Get(TextKey{2});
  const auto uses = cache.backend()->Uses();
  ASSERT_EQ(uses.size(), 3U);
  EXPECT_EQ(uses[0].key, (*Encoded(TextKey{1})).digest());
  EXPECT_EQ(uses[0].uses, EvictionNode::kMostUses);
  EXPECT_EQ(uses[1].uses, 1U);
  EXPECT_EQ(uses[2].uses, 0U);
}

/// A value that says which memory it lies in.
class Slice {
 public:
  static constexpr std::string_view kCacheTypeId = "fewter.testing.Slice";
  static constexpr uint32_t kCacheTypeVersion = 1;
  explicit Slice(std::shared_ptr<arrow::Buffer> bytes) : bytes_(std::move(bytes)) {}
  arrow::Status Serialize(arrow::io::OutputStream* out) const { return out->Write(bytes_->data(), bytes_->size()); }
  static arrow::Result<std::shared_ptr<const Slice>> Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
    return std::make_shared<const Slice>(body);
  }
  int64_t SizeInBytes() const { return bytes_->size(); }
  void AppendBuffers(BufferList* buffers) const { buffers->push_back(bytes_); }
  const std::shared_ptr<arrow::Buffer>& bytes() const { return bytes_; }

 private:
  std::shared_ptr<arrow::Buffer> bytes_;
};

struct SliceKey {
  using Value = Slice;
  static constexpr std::string_view kTypeId = "fewter.testing.SliceKey";
  static CacheCodec Codec() { return CacheCodec::For<Slice>(); }
  uint64_t number;
  void AppendFields(KeyWriter& fields) const { fields.U64(number); }
};

TEST(MemoryBackend, ChargesSharedMemoryOnce) {
  const Cache cache(MakeMemoryBackend(kLarge));
  const std::shared_ptr<arrow::Buffer> memory = arrow::Buffer::FromString(std::string(100000, 'x'));
  cache.Insert(SliceKey{1}, std::make_shared<Slice>(memory));
  const int64_t one = cache.Stats().bytes;
  EXPECT_GE(one, 100000);
  cache.Insert(SliceKey{2}, std::make_shared<Slice>(arrow::SliceBuffer(memory, 0, 99999)));
  EXPECT_LT(cache.Stats().bytes - one, 2000);
  // Whichever goes, the other still keeps the memory.
  cache.Insert(SliceKey{1}, std::make_shared<Slice>(arrow::Buffer::FromString("y")));
  EXPECT_GE(cache.Stats().bytes, 100000);
  cache.Insert(SliceKey{2}, std::make_shared<Slice>(arrow::Buffer::FromString("y")));
  EXPECT_LT(cache.Stats().bytes, 5000);
}

TEST(MemoryBackend, CopiesASliceThatKeepsMuchMoreAlive) {
  const Cache cache(MakeMemoryBackend(kLarge));
  std::shared_ptr<arrow::Buffer> memory = arrow::Buffer::FromString(std::string(100000, 'x'));
  const std::weak_ptr<arrow::Buffer> watch = memory;
  cache.Insert(SliceKey{1}, std::make_shared<Slice>(arrow::SliceBuffer(memory, 50, 10000)));
  memory.reset();
  EXPECT_TRUE(watch.expired()) << "the cache keeps the whole alive";
  EXPECT_LT(cache.Stats().bytes, 20000);
  const auto slice = cache.Get(SliceKey{1});
  ASSERT_NE(slice, nullptr);
  EXPECT_EQ(slice->bytes()->ToString(), std::string(10000, 'x'));
}

TEST(MemoryBackend, EvictsAsManyAsItMust) {
  const Cache cache(MakeMemoryBackend(RoomFor(4)));
  for (uint64_t i = 0; i < 4; ++i) cache.Insert(TextKey{i}, TenBytes());
  cache.Insert(TextKey{9}, Text::Make(std::string(static_cast<size_t>(RoomFor(3) - KeyBytes()), 'x')));
  EXPECT_EQ(cache.Stats().entries, 2u);
  EXPECT_EQ(cache.Stats().evictions, 3u);
  EXPECT_NE(cache.Get(TextKey{3}), nullptr);
  EXPECT_NE(cache.Get(TextKey{9}), nullptr);
}

TEST(MemoryBackend, MakesNoRoomForWhatItReplaces) {
  const Cache cache(MakeMemoryBackend(RoomFor(2)));
  cache.Insert(TextKey{0}, TenBytes());
  cache.Insert(TextKey{1}, TenBytes());
  cache.Insert(TextKey{0}, TenBytes());
  EXPECT_EQ(cache.Stats().entries, 2u);
  EXPECT_EQ(cache.Stats().evictions, 0u);
}

TEST(MemoryBackend, RefusesWhatIsLargerThanTheBudget) {
  const Cache cache(MakeMemoryBackend(RoomFor(3)));
  for (uint64_t i = 0; i < 3; ++i) cache.Insert(TextKey{i}, TenBytes());
  const std::string exact(static_cast<size_t>(RoomFor(3) - KeyBytes()), 'x');
  cache.Insert(TextKey{9}, Text::Make(exact + "x"));
  EXPECT_EQ(cache.Get(TextKey{9}), nullptr);
  EXPECT_EQ(cache.Stats().entries, 3u);
  EXPECT_EQ(cache.Stats().insertions, 3u);
  EXPECT_EQ(cache.Stats().evictions, 0u);
  cache.Insert(TextKey{9}, Text::Make(exact));
  EXPECT_NE(cache.Get(TextKey{9}), nullptr);
  EXPECT_EQ(cache.Stats().entries, 1u);
}

TEST(MemoryBackend, WithoutABudgetKeepsNothing) {
  for (const int64_t budget : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min() + 1000}) {
    const Cache cache(MakeMemoryBackend(budget));
    cache.Insert(TextKey{1}, TenBytes());
    EXPECT_EQ(cache.Stats().entries, 0u);
  }
}

TEST(MemoryBackend, CountsASizeThatMakesNoSenseAsNone) {
  const auto backend = MakeMemoryBackend(kLarge);
  const auto insert = [&](uint64_t number, int64_t bytes) {
    backend->Insert(*Encoded(TextKey{number}), CacheCodec(), {TenBytes(), &typeid(Text), bytes});
  };
  insert(1, -1000);
  EXPECT_EQ(backend->Stats().bytes, KeyBytes());
  insert(2, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(backend->Stats().entries, 1u);
}

TEST(MemoryBackend, InvalidatesByNamespace) {
  const Cache root(MakeMemoryBackend(kLarge));
  const Cache a = root.Child("a");
  const Cache ab = a.Child("b");
  const Cache other = root.Child("ab");
  for (const Cache& cache : {root, a, ab, other}) cache.Insert(TextKey{1}, TenBytes());
  const int64_t before = root.Stats().bytes;
  a.Invalidate();
  EXPECT_EQ(a.Get(TextKey{1}), nullptr);
  EXPECT_EQ(ab.Get(TextKey{1}), nullptr);
  EXPECT_NE(root.Get(TextKey{1}), nullptr);
  EXPECT_NE(other.Get(TextKey{1}), nullptr);
  EXPECT_EQ(root.Stats().entries, 2u);
  EXPECT_EQ(root.Stats().bytes, before - 2 * RoomFor(1) - 5 - 10);
  root.backend()->Clear();
  EXPECT_EQ(root.Stats().entries, 0u);
  EXPECT_EQ(root.Stats().bytes, 0);
  EXPECT_EQ(root.Stats().evictions, 0u);
}

/// A value that uses the cache when it goes, as a live object that owns others may.
class UsesTheCache {
 public:
  explicit UsesTheCache(std::function<void()> use) : use_(std::move(use)) {}
  ~UsesTheCache() { use_(); }
  int64_t SizeInBytes() const { return 10; }

 private:
  std::function<void()> use_;
};

struct UserKey {
  using Value = UsesTheCache;
  static constexpr std::string_view kTypeId = "fewter.testing.UserKey";
  uint64_t number;
  void AppendFields(KeyWriter& fields) const { fields.U64(number); }
};

TEST(MemoryBackend, DestroysValuesOutsideOfItsLock) {
  const Cache cache(MakeMemoryBackend(RoomFor(3)));
  int destroyed = 0;
  const auto make = [&] {
    return std::make_shared<const UsesTheCache>([&cache, &destroyed] {
      cache.Get(TextKey{1});  // hangs if the lock is held
      ++destroyed;
    });
  };
  cache.Insert(UserKey{1}, make());
  cache.Insert(UserKey{1}, make());
  EXPECT_EQ(destroyed, 1) << "replaced";
  for (uint64_t i = 2; i < 10; ++i) cache.Insert(TextKey{i}, TenBytes());
  EXPECT_EQ(destroyed, 2) << "evicted";
  cache.Insert(UserKey{1}, make());
  cache.Invalidate();
  EXPECT_EQ(destroyed, 3) << "invalidated";
}

TEST(MemoryBackend, HoldsWhatItSaysAndOnlyWhatWasPutThere) {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    std::mt19937 random(seed);
    const int64_t capacity = RoomFor(20);
    const Cache cache(MakeMemoryBackend(capacity));
    std::map<uint64_t, std::shared_ptr<const Text>> latest;
    for (int step = 0; step < 3000; ++step) {
      const uint64_t key = random() % 60;
      const auto action = random() % 1000;
      if (action == 0) {
        cache.Invalidate();
        latest.clear();
      } else if (action < 500) {
        const auto value = cache.Get(TextKey{key});
        if (value != nullptr) {
          ASSERT_EQ(value, latest[key]) << "seed " << seed << " step " << step;
        }
      } else {
        const size_t size = random() % 50 == 0 ? random() % (2 * static_cast<size_t>(capacity)) : random() % 100;
        const auto value = Text::Make(std::string(size, 'x'));
        cache.Insert(TextKey{key}, value);
        if (cache.Get(TextKey{key}) == value) latest[key] = value;
      }
      ASSERT_LE(cache.Stats().bytes, capacity);
      if (step % 100 != 0) continue;
      CacheStats counted;
      for (const auto& [number, value] : latest) {
        if (cache.Get(TextKey{number}) != value) continue;
        counted.bytes += value->SizeInBytes() + KeyBytes();
        ++counted.entries;
      }
      ASSERT_EQ(cache.Stats().entries, counted.entries) << "seed " << seed << " step " << step;
      ASSERT_EQ(cache.Stats().bytes, counted.bytes) << "seed " << seed << " step " << step;
    }
  }
}

TEST(MemoryBackend, StaysRightUnderManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kSteps = 4000;
  const int64_t capacity = RoomFor(30);
  const Cache cache(MakeMemoryBackend(capacity));
  const std::array<Cache, 2> spaces = {cache.Child("a"), cache.Child("b")};
  std::atomic<uint64_t> gets{0};
  std::atomic<uint64_t> inserts{0};
  const auto run = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int step = 0; step < kSteps; ++step) {
      const uint64_t key = random() % 60;
      const Cache& space = spaces[random() % 2];
      const auto action = random() % 1000;
      if (action < 5) {
        space.Invalidate();
      } else if (action < 600) {
        const auto value = space.Get(TextKey{key});
        gets.fetch_add(1);
        // What comes back is what belongs to this key, whoever put it there.
        if (value != nullptr) {
          EXPECT_EQ(value->ToString(), std::to_string(key));
        }
      } else {
        space.Insert(TextKey{key}, Text::Make(std::to_string(key)));
        inserts.fetch_add(1);
      }
      if (action % 50 == 0) {
        EXPECT_LE(cache.Stats().bytes, capacity);
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < kThreads; ++seed) threads.emplace_back(run, seed);
  for (std::thread& thread : threads) thread.join();

  const CacheStats stats = cache.Stats();
  EXPECT_EQ(stats.hits + stats.misses, gets.load());
  EXPECT_EQ(stats.insertions, inserts.load());
  int64_t bytes = 0;
  uint64_t entries = 0;
  for (const Cache& space : spaces) {
    for (uint64_t key = 0; key < 60; ++key) {
      const auto value = space.Get(TextKey{key});
      if (value == nullptr) continue;
      ++entries;
      bytes += value->SizeInBytes() + KeyBytes() + 5;
    }
  }
  EXPECT_EQ(entries, stats.entries);
  EXPECT_EQ(bytes, stats.bytes);
}

}  // namespace
}  // namespace fewter
