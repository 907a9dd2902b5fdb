/// Random operations on tiers, beside a model that is plainly right: with room enough, what was put in is found, what
/// was invalidated is not, and what has a codec is there after a restart.

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/test_values_internal.h"
#include "fewter/cache/tiered_backend.h"

namespace fewter {
namespace {

using testing::LiveTextKey;
using testing::Text;
using testing::TextKey;
using TextResult = arrow::Result<std::shared_ptr<const Text>>;

constexpr uint64_t kKeys = 40;
constexpr uint64_t kSpaces = 3;

class TiersModel : public ::testing::TestWithParam<int64_t> {
 protected:
  TiersModel() {
    std::string name = (std::filesystem::temp_directory_path() / "fewter_tiers_XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~TiersModel() override { std::filesystem::remove_all(folder_); }

  /// Two memories, the upper one small, over a disk.
  Cache Open(int64_t disk_bytes = int64_t{1} << 30) const {
    auto disk = MakeDiskBackend({.directory = folder_.string(),
                                 .capacity_bytes = disk_bytes,
                                 .segment_bytes = 64 << 10,
                                 .large_entry_bytes = 16 << 10})
                    .ValueOrDie();
    return Cache(MakeTieredBackend({MakeMemoryBackend(GetParam()), std::move(disk)}));
  }

  std::filesystem::path folder_;
};

std::string ValueOf(uint64_t space, uint64_t key) {
  return std::to_string(space) + "/" + std::to_string(key) + std::string(key * key * 20, 'x');
}

TEST_P(TiersModel, OneThreadSeesExactlyWhatTheModelSays) {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    std::filesystem::remove_all(folder_);
    Cache cache = Open();
    std::map<std::pair<uint64_t, uint64_t>, std::string> kept;
    for (int step = 0; step < 600; ++step) {
      const uint64_t space = random() % kSpaces;
      const uint64_t key = random() % kKeys;
      const auto action = random() % 100;
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
      if (action >= 97) {
        // Nobody else holds the old one: it writes what is pending before the new one opens.
        cache = Cache(MakeMemoryBackend(0));
        cache = Open();
        continue;
      }
      const Cache child = cache.Child("space " + std::to_string(space));
      if (action < 30) {
        child.Insert(TextKey{key}, Text::Make(ValueOf(space, key)));
        kept[{space, key}] = ValueOf(space, key);
      } else if (action < 40) {
        const TextResult loaded =
            child.GetOrLoad(TextKey{key}, [&]() -> TextResult { return Text::Make(ValueOf(space, key)); });
        ASSERT_EQ((*loaded)->ToString(), ValueOf(space, key));
        kept[{space, key}] = ValueOf(space, key);
      } else if (action < 90) {
        const std::vector<TextKey> keys = {{key}, {(key + 1) % kKeys}, {key}};
        const auto found = child.GetMany<TextKey>(keys);
        for (size_t i = 0; i < keys.size(); ++i) {
          const auto expected = kept.find({space, keys[i].number});
          ASSERT_EQ(found[i] != nullptr, expected != kept.end()) << keys[i].number;
          if (found[i] != nullptr) {
            ASSERT_EQ(found[i]->ToString(), expected->second);
          }
        }
      } else if (action < 93) {
        child.Invalidate();
        std::erase_if(kept, [&](const auto& entry) { return entry.first.first == space; });
      } else if (action < 94) {
        cache.backend()->Clear();
        kept.clear();
      } else {
        cache.backend()->Flush();
      }
    }
  }
}

TEST_P(TiersModel, ALiveValueIsThereUntilMemoryNeedsTheRoomAndNeverAfterARestart) {
  {
    const Cache cache = Open();
    cache.Insert(LiveTextKey{1}, Text::Make("live"));
    cache.backend()->Flush();
  }
  EXPECT_EQ(Open().Get(LiveTextKey{1}), nullptr);
}

/// Several threads on small tiers that evict all the while, and two caches on one directory: whatever is found is
/// right.
TEST_P(TiersModel, ManyThreadsOnlyEverSeeRightValues) {
  const std::vector<Cache> caches = {Open(200'000), Open(200'000)};
  const auto run = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int step = 0; step < 400; ++step) {
      const uint64_t space = random() % kSpaces;
      const uint64_t key = random() % kKeys;
      const Cache child = caches[random() % 2].Child("space " + std::to_string(space));
      const auto action = random() % 100;
      if (action < 60) {
        const std::vector<TextKey> keys = {{key}, {(key + 1) % kKeys}};
        const auto found = child.GetMany<TextKey>(keys);
        for (size_t i = 0; i < keys.size(); ++i) {
          if (found[i] != nullptr) {
            ASSERT_EQ(found[i]->ToString(), ValueOf(space, keys[i].number));
          }
        }
      } else if (action < 97) {
        const TextResult loaded =
            child.GetOrLoad(TextKey{key}, [&]() -> TextResult { return Text::Make(ValueOf(space, key)); });
        ASSERT_EQ((*loaded)->ToString(), ValueOf(space, key));
      } else if (action < 99) {
        child.Invalidate();
      } else {
        child.backend()->Flush();
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) threads.emplace_back(run, seed);
  for (auto& thread : threads) thread.join();
  for (const Cache& cache : caches) {
    const CacheStats disk = cache.backend()->Report()[2].stats;
    for (const uint64_t refused : disk.rejected) EXPECT_EQ(refused, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(MemoryBytes, TiersModel, ::testing::Values(0, 20'000, 1 << 20));

}  // namespace
}  // namespace fewter
