#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/disk_test_internal.h"
#include "fewter/cache/disk/inspect.h"

/// Everything at once; most of what it finds, ThreadSanitizer finds.

namespace fewter::disk {
namespace {

using testing::Find;
using testing::Open;
using testing::Put;
using testing::TemporaryDirectory;
using testing::Text;
using testing::TextKey;

std::string ValueOf(uint64_t number) {
  return std::string(100 + number * 37, static_cast<char>('a' + number % 26));
}

/// What one thread does to one of several backends on the same directory.
class Visitor {
 public:
  Visitor(std::shared_ptr<CacheBackend> backend, unsigned seed) : backend_(std::move(backend)), random_(seed) {}

  void Visit() {
    const uint64_t number = random_() % 200;
    const Cache cache = Cache(backend_).Child(number % 3 == 0 ? "a" : "b");
    switch (random_() % 64) {
      case 0:
        return backend_->InvalidatePrefix(*CacheNamespace::Root()->Child("a"));
      case 1:
        return backend_->Flush();
      case 2:
        return Summarise();
      case 3:
        return GetSome(cache);
      default:
        break;
    }
    const auto found = cache.GetOrLoad(
        TextKey{number}, [&]() -> arrow::Result<std::shared_ptr<const Text>> { return Text::Make(ValueOf(number)); });
    ASSERT_TRUE(found.ok());
    ASSERT_EQ((*found)->ToString(), ValueOf(number));
    held_[number % held_.size()] = *found;
  }

 private:
  void Summarise() {
    const auto uses = backend_->Uses();
    backend_->NoteUses(uses);
    EXPECT_GE(backend_->Stats().mapped_bytes, 0);
  }

  void GetSome(const Cache& cache) {
    std::vector<TextKey> keys;
    for (uint64_t i = 0; i < 20; ++i) keys.push_back({i});
    const auto found = cache.GetMany<TextKey>(keys);
    for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(!found[i] || found[i]->ToString() == ValueOf(i));
  }

  const std::shared_ptr<CacheBackend> backend_;
  std::minstd_rand random_;
  /// Values that outlive their segments.
  std::vector<std::shared_ptr<const Text>> held_{16};
};

TEST(ConcurrentUse, OfOneDirectoryByThreadsOfSeveralBackends) {
  const TemporaryDirectory directory;
  const DiskBackendOptions options{.directory = directory.path(),
                                   .capacity_bytes = 400'000,
                                   .segment_bytes = 20'000,
                                   .large_entry_bytes = 6'000,
                                   .max_pinned_bytes = 100'000};
  {
    const std::vector<std::shared_ptr<CacheBackend>> backends = {Open(options), Open(options)};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        Visitor visitor(backends[i % 2], i + 1);
        for (int visit = 0; visit < 400; ++visit) visitor.Visit();
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& backend : backends) {
      for (const uint64_t rejected : backend->Stats().rejected) EXPECT_EQ(rejected, 0u);
      EXPECT_EQ(backend->Report()[0].health.state, TierState::kHealthy) << backend->Report()[0].health.last_message;
    }
  }
  EXPECT_TRUE(VerifyDiskCache(directory.path())->problems.empty());
  const Cache cache(Open(options));
  EXPECT_EQ(cache.Stats().pinned_bytes, 0);
}

TEST(ConcurrentUse, ABackendMayGoWhileItsTaskRuns) {
  const TemporaryDirectory directory;
  for (uint64_t i = 0; i < 30; ++i) {
    auto backend = Open(directory);
    Put(Cache(backend), i, ValueOf(i));
    std::thread other([backend] { backend->Flush(); });
    backend.reset();
    other.join();
    EXPECT_EQ(Find(Cache(Open(directory)), i), ValueOf(i));
  }
}

}  // namespace
}  // namespace fewter::disk
