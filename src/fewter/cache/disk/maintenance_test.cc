#include "fewter/cache/disk/maintenance.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <arrow/util/thread_pool.h>
#include <gtest/gtest.h>

#include "fewter/cache/disk/disk_test_internal.h"
#include "fewter/cache/disk/inspect.h"

/// Eviction, merging, invalidation and heat, seen from outside.

namespace fewter::disk {
namespace {

using testing::FilesOf;
using testing::Find;
using testing::Open;
using testing::Put;
using testing::TemporaryDirectory;
using testing::TextKey;

int64_t BytesOnDisk(const std::string& directory) {
  return SummariseDiskCache(directory)->allocated_bytes;
}

/// Puts and seals one entry at a time.
void Seal(const std::shared_ptr<CacheBackend>& backend, uint64_t number, const std::string& text) {
  Put(Cache(backend), number, text);
  backend->Flush();
}

TEST(Eviction, KeepsTheCapacityAndWhatIsHot) {
  const TemporaryDirectory directory;
  constexpr int64_t kCapacity = 2'000'000;
  const auto backend = Open({.directory = directory.path(), .capacity_bytes = kCapacity, .large_entry_bytes = 50'000});
  const std::string value(100'000, 'x');
  const Cache cache(backend);
  for (uint64_t i = 0; i < 60; ++i) {
    Seal(backend, i, value);
    EXPECT_EQ(Find(cache, 1).has_value(), i >= 1) << i;
    EXPECT_LE(BytesOnDisk(directory.path()), kCapacity + 50'000) << i;
  }
  EXPECT_EQ(Find(cache, 59), value);
  EXPECT_EQ(Find(cache, 2), std::nullopt);
  EXPECT_GE(backend->Stats().evictions, 40u);
  EXPECT_EQ(backend->Stats().evictions + backend->Stats().entries, 60u);
}

TEST(Eviction, WritesHotEntriesOfAColdSegmentAgain) {
  const TemporaryDirectory directory;
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  const auto backend = Open({.directory = directory.path(), .capacity_bytes = 1'000'000, .io_executor = pool.get()});
  const Cache cache(backend);
  const auto fill = [&](uint64_t from) {
    for (uint64_t i = 0; i < 30; ++i) Put(cache, from + i, std::string(20'000, static_cast<char>('a' + from / 100)));
    backend->Flush();
  };
  fill(0);
  const auto held = cache.Get(TextKey{7});
  for (int i = 0; i < 10; ++i) Find(cache, 7);
  fill(100);
  fill(200);
  EXPECT_EQ(Find(cache, 7), std::string(20'000, 'a'));
  EXPECT_NE(cache.Get(TextKey{7}), held);
  EXPECT_EQ(held->ToString(), std::string(20'000, 'a')) << "what was handed out stays";
  EXPECT_LE(BytesOnDisk(directory.path()), 1'000'000);
  EXPECT_GE(backend->Stats().evictions, 30u);
  EXPECT_GT(backend->Stats().pinned_bytes, 0);
}

TEST(Eviction, LeavesSegmentsInUseBeyondThePinnedBytes) {
  const TemporaryDirectory directory;
  // Without threads of its own: a task that has given its entry out, and not ended yet, would count as one more user.
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  const auto backend = Open({.directory = directory.path(),
                             .capacity_bytes = 500'000,
                             .large_entry_bytes = 50'000,
                             .max_pinned_bytes = 250'000,
                             .io_executor = pool.get()});
  const Cache cache(backend);
  std::vector<std::shared_ptr<const testing::Text>> held;
  for (uint64_t i = 0; i < 12; ++i) {
    Put(cache, i, std::string(100'000, 'x'));
    // What comes later is hotter than what is held.
    for (uint64_t use = 0; use < i; ++use) Find(cache, i);
    backend->Flush();
    if (i < 4) held.push_back(cache.Get(TextKey{i}));
    EXPECT_LE(backend->Stats().pinned_bytes, 250'000);
  }
  EXPECT_GT(backend->Stats().pinned_bytes, 0);
  int found = 0;
  for (uint64_t i = 0; i < 4; ++i) found += Find(cache, i).has_value() ? 1 : 0;
  EXPECT_EQ(found, 2) << "they would not free anything";
  held.clear();
  Seal(backend, 20, std::string(100'000, 'x'));
  EXPECT_EQ(backend->Stats().pinned_bytes, 0);
  EXPECT_LE(BytesOnDisk(directory.path()), 550'000);
}

TEST(Eviction, HappensAtOpeningWithASmallerCapacity) {
  const TemporaryDirectory directory;
  {
    const Cache cache(Open({.directory = directory.path(), .large_entry_bytes = 50'000}));
    for (uint64_t i = 0; i < 20; ++i) Put(cache, i, std::string(100'000, 'x'));
  }
  EXPECT_GT(BytesOnDisk(directory.path()), 2'000'000);
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  const auto backend = Open({.directory = directory.path(), .capacity_bytes = 1'000'000, .io_executor = pool.get()});
  pool->WaitForIdle();
  EXPECT_LE(BytesOnDisk(directory.path()), 1'000'000);
}

TEST(Eviction, IsLeftToWhoHoldsTheLock) {
  const TemporaryDirectory directory;
  const auto backend = Open({.directory = directory.path(), .capacity_bytes = 500'000, .large_entry_bytes = 50'000});
  {
    const auto lock = *LocalFileSystem()->TryLock(directory.path() + "/LOCK");
    ASSERT_NE(lock, nullptr);
    for (uint64_t i = 0; i < 10; ++i) Seal(backend, i, std::string(100'000, 'x'));
    EXPECT_EQ(FilesOf(directory.path()).size(), 10u);
  }
  Seal(backend, 10, std::string(100'000, 'x'));
  EXPECT_LE(BytesOnDisk(directory.path()), 500'000);
}

TEST(Merging, BoundsTheNumberOfSmallSegments) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  for (uint64_t i = 0; i < 100; ++i) {
    Seal(backend, i, std::to_string(i));
    EXPECT_LE(FilesOf(directory.path()).size(), 17u) << i;
  }
  EXPECT_EQ(backend->Stats().evictions, 0u);
  EXPECT_EQ(backend->Stats().entries, 100u);
  const Cache reopened(Open(directory));
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(Find(reopened, i), std::to_string(i));
}

TEST(Merging, LeavesOutWhatIsDamaged) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  for (uint64_t i = 0; i < 16; ++i) Seal(backend, i, std::string(1000, 'x'));
  std::fstream(FilesOf(directory.path())[3], std::ios::in | std::ios::out | std::ios::binary).seekp(700).put('y');
  Seal(backend, 16, "one more");
  EXPECT_EQ(FilesOf(directory.path()).size(), 1u);
  for (uint64_t i = 0; i < 16; ++i) EXPECT_EQ(Find(Cache(backend), i).has_value(), i != 3) << i;
  EXPECT_TRUE(VerifyDiskCache(directory.path())->problems.empty());
}

TEST(Invalidation, RemovesANamespaceAndWhatIsBelowIt) {
  const TemporaryDirectory directory;
  {
    const auto pool = *arrow::internal::ThreadPool::Make(1);
    ASSERT_TRUE(pool->Shutdown().ok());
    const auto backend = Open({.directory = directory.path(), .io_executor = pool.get()});
    const Cache a = Cache(backend).Child("a");
    const Cache b = Cache(backend).Child("ab");
    Put(a, 1, "one");
    Put(a.Child("below"), 2, "two");
    Put(b, 3, "three");
    backend->Flush();
    Put(a, 4, "four");
    backend->Flush();
    Put(a, 5, "pending");
    Put(b, 6, "pending, too");
    a.Invalidate();
    EXPECT_EQ(Find(a, 1), std::nullopt);
    EXPECT_EQ(Find(a, 5), std::nullopt);
    EXPECT_EQ(Find(b, 3), "three");
    EXPECT_EQ(Find(b, 6), "pending, too");
    EXPECT_EQ(FilesOf(directory.path()).size(), 1u) << "the mixed segment, without what was invalidated";
  }
  const auto backend = Open(directory);
  const Cache a = Cache(backend).Child("a");
  for (const uint64_t i : {1U, 4U, 5U}) EXPECT_EQ(Find(a, i), std::nullopt) << i;
  EXPECT_EQ(Find(a.Child("below"), 2), std::nullopt);
  EXPECT_EQ(Find(Cache(backend).Child("ab"), 3), "three");
  EXPECT_EQ(Find(Cache(backend).Child("ab"), 6), "pending, too");
  backend->Clear();
  EXPECT_TRUE(FilesOf(directory.path()).empty());
  EXPECT_EQ(backend->Stats().entries, 0u);
  Seal(backend, 1, "again");
  EXPECT_EQ(Find(Cache(backend), 1), "again");
}

TEST(Invalidation, OfTheDiskComesLaterIfAnotherHoldsTheLock) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  Seal(backend, 1, "one");
  {
    const auto lock = *LocalFileSystem()->TryLock(directory.path() + "/LOCK");
    backend->Clear();
    EXPECT_EQ(Find(Cache(backend), 1), std::nullopt);
    EXPECT_EQ(FilesOf(directory.path()).size(), 1u);
    // On disk before the lock is free: a task may make up for the invalidation as soon as it is.
    Seal(backend, 2, "two");
  }
  backend->Flush();
  EXPECT_EQ(VerifyDiskCache(directory.path())->intact_entries, 0u) << "with what came into it meanwhile";
}

TEST(Heat, KeepsItsOrderOverARestart) {
  const TemporaryDirectory directory;
  std::vector<EntryUse> before;
  {
    const auto backend = Open(directory);
    for (uint64_t i = 0; i < 5; ++i) Seal(backend, i, "x");
    for (uint64_t i = 0; i < 5; ++i) {
      for (uint64_t use = 0; use < 3 * ((i * 2) % 5); ++use) Find(Cache(backend), i);
    }
    // A tier above tells what it had itself.
    const EntryUse absorbed{.key = (*fewter::testing::Encoded(TextKey{0})).digest(), .uses = 100};
    backend->NoteUses({&absorbed, 1});
    before = backend->Uses();
  }
  ASSERT_EQ(before.size(), 5u);
  const auto backend = Open(directory);
  const auto after = backend->Uses();
  ASSERT_EQ(after.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    const uint64_t expected[] = {0, 2, 4, 1, 3};
    EXPECT_EQ(before[i].key, (*fewter::testing::Encoded(TextKey{expected[i]})).digest()) << i;
    EXPECT_EQ(after[i].key, before[i].key) << i;
    EXPECT_EQ(after[i].uses, before[i].uses) << i;
  }
  EXPECT_EQ(after[0].uses, 101u);
}

TEST(Heat, OfTwoProcessesAddsUp) {
  const TemporaryDirectory directory;
  {
    const auto a = Open(directory);
    const auto b = Open(directory);
    Seal(a, 1, "x");
    for (int i = 0; i < 4; ++i) Find(Cache(a), 1);
    for (int i = 0; i < 7; ++i) Find(Cache(b), 1);
  }
  EXPECT_EQ(Open(directory)->Uses()[0].uses, 12u);
}

TEST(Heat, OfADamagedFileIsIgnored) {
  const TemporaryDirectory directory;
  {
    const auto backend = Open(directory);
    Seal(backend, 1, "x");
    Find(Cache(backend), 1);
  }
  std::ofstream(directory.path() + "/heat", std::ios::binary) << "FWHEAT, more or less";
  {
    const auto backend = Open(directory);
    EXPECT_EQ(DiskActivityOf(*backend).heat_files_rejected, 1u);
    EXPECT_EQ(backend->Uses()[0].uses, 1u) << "the footer knows how it was when it was sealed";
    Find(Cache(backend), 1);
  }
  EXPECT_EQ(DiskActivityOf(*Open(directory)).heat_files_rejected, 0u) << "it was written again";
}

TEST(Inspection, ListsSummarisesAndVerifies) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(ListDiskCache(directory.path()).ok()) << "an empty directory is no cache";
  EXPECT_FALSE(SummariseDiskCache(directory.path() + "/missing").ok());
  {
    const auto backend = Open(directory);
    Put(Cache(backend).Child("index").Child("6a1f"), 1, std::string(1000, 'x'));
    Seal(backend, 2, std::string(1000, 'x'));
    for (int i = 0; i < 3; ++i) Find(Cache(backend).Child("index").Child("6a1f"), 1);
  }
  const auto entries = *ListDiskCache(directory.path());
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name_space, "index / 6a1f");
  EXPECT_EQ(entries[0].type_id, "fewter.testing.Text");
  EXPECT_GE(entries[0].bytes, 1000);
  EXPECT_GT(entries[0].heat, entries[1].heat);
  EXPECT_EQ(SummariseDiskCache(directory.path())->entries, 2u);
  EXPECT_EQ(VerifyDiskCache(directory.path())->intact_entries, 2u);

  std::fstream(directory.path() + "/" + entries[0].segment, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(entries[0].offset) + 600)
      .put('y');
  const auto damaged = *VerifyDiskCache(directory.path());
  EXPECT_EQ(damaged.intact_entries, 1u);
  EXPECT_EQ(damaged.corrupt_entries, 1u);
  ASSERT_EQ(damaged.problems.size(), 1u);
  EXPECT_EQ(damaged.problems[0].file, entries[0].segment);
  EXPECT_EQ(damaged.problems[0].offset, entries[0].offset);
  std::filesystem::resize_file(directory.path() + "/" + entries[0].segment, 100);
  EXPECT_EQ(SummariseDiskCache(directory.path())->unreadable_segments, 1u);
  EXPECT_FALSE(VerifyDiskCache(directory.path())->problems.empty());
}

}  // namespace
}  // namespace fewter::disk
