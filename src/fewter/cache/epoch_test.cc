#include "fewter/cache/epoch_internal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/concurrent_index_internal.h"

namespace fewter::internal {
namespace {

TEST(Epoch, AReaderHoldsBackItsEpochAndLaterOnes) {
  uint64_t retired = 0;
  {
    const EpochGuard guard;
    retired = RetiredEpoch();
    std::thread([&] { EXPECT_LE(OldestReader(), retired); }).join();
  }
  EXPECT_GT(OldestReader(), retired);
}

TEST(Epoch, AReaderThatCameLaterDoesNotHoldBackAnEarlierOne) {
  const uint64_t retired = RetiredEpoch();
  const EpochGuard guard;
  EXPECT_GT(OldestReader(), retired);
}

TEST(Epoch, AForkedChildForgetsTheReadersOfItsParent) {
  std::atomic<bool> reads{false};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    const EpochGuard guard;
    reads = true;
    while (!done) std::this_thread::yield();
  });
  while (!reads) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    const uint64_t retired = RetiredEpoch();
    const bool free_to_go = OldestReader() > retired;
    const EpochGuard guard;
    _exit(free_to_go && OldestReader() <= RetiredEpoch() ? 0 : 1);
  }
  EXPECT_LE(OldestReader(), RetiredEpoch()) << "the parent does not";
  done = true;
  reader.join();
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// Uses the cache's records while a thread's objects are being destroyed.
struct LateReader {
  ~LateReader() { const EpochGuard guard; }
};

TEST(Epoch, AThreadThatReadsAtItsVeryEndGivesItsRecordBack) {
  size_t highest = 0;
  for (int i = 0; i < 50; ++i) {
    std::thread([&] {
      // Destroyed after what the first use of a record leaves behind.
      thread_local const LateReader late;
      (void)late;
      highest = std::max(highest, ThreadNumber());
    }).join();
  }
  EXPECT_LT(highest, 20U);
}

struct Number {
  KeyDigest digest;
  /// Cleared when it is freed.
  std::atomic<uint64_t> value;
};

TEST(ConcurrentIndex, FindsWhatWasPutThroughGrowthAndRemoval) {
  ConcurrentIndex<Number> index;
  std::vector<std::unique_ptr<Number>> numbers;
  const auto ignore = [](auto) {};
  for (uint64_t i = 0; i < 5000; ++i) {
    numbers.push_back(std::make_unique<Number>(KeyDigest{i, i * 0x9E3779B97F4A7C15U}, i));
    EXPECT_EQ(index.Put(numbers.back().get(), ignore), nullptr);
    if (i % 3 == 2) index.Remove(*numbers[i - 1]);
  }
  for (uint64_t i = 0; i < 5000; ++i) {
    const Number* found = index.Find(numbers[i]->digest);
    EXPECT_EQ(found, i % 3 == 1 && i < 4999 ? nullptr : numbers[i].get()) << i;
  }
  Number other{numbers[0]->digest, 7};
  EXPECT_EQ(index.Put(&other, ignore), numbers[0].get());
  EXPECT_EQ(index.Find(other.digest), &other);
}

TEST(ConcurrentIndex, ReadersNeverSeeWhatWasFreed) {
  constexpr uint64_t kKeys = 100;
  ConcurrentIndex<Number> index;
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  std::atomic<uint64_t> found{0};
  for (uint32_t seed = 0; seed < 2; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!done.load()) {
        const uint64_t key = random() % kKeys;
        const EpochGuard guard;
        const Number* number = index.Find({key, key});
        if (number == nullptr) continue;
        EXPECT_EQ(number->value.load(), key);
        found.fetch_add(1);
      }
    });
  }
  using Slots = ConcurrentIndex<Number>::Slots;
  std::vector<std::pair<uint64_t, std::unique_ptr<Number>>> retired;
  std::vector<std::pair<uint64_t, std::unique_ptr<Slots>>> retired_slots;
  std::mt19937_64 random(9);
  for (int step = 0; step < 30000 || found.load() == 0; ++step) {
    const uint64_t key = random() % kKeys;
    Number* old = nullptr;
    if (random() % 2 == 0) {
      old = index.Put(new Number{{key, key}, key},
                      [&](auto slots) { retired_slots.emplace_back(RetiredEpoch(), std::move(slots)); });
    } else if ((old = index.Find({key, key})) != nullptr) {
      index.Remove(*old);
    }
    if (old != nullptr) retired.emplace_back(RetiredEpoch(), old);
    const uint64_t oldest = OldestReader();
    while (!retired.empty() && retired.back().first < oldest) {
      retired.back().second->value = kKeys;
      retired.pop_back();
    }
    while (!retired_slots.empty() && retired_slots.back().first < oldest) retired_slots.pop_back();
  }
  done = true;
  for (auto& reader : readers) reader.join();
  index.ForEach([](Number* number) { delete number; });
}

}  // namespace
}  // namespace fewter::internal
