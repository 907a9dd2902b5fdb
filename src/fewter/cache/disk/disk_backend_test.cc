#include "fewter/cache/disk/disk_backend.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/disk/disk_test_internal.h"
#include "fewter/cache/disk/faulty_file_system_internal.h"
#include "fewter/cache/disk/inspect.h"
#include "fewter/cache/serialising_backend.h"

namespace fewter::disk {
namespace {

using fewter::testing::LiveTextKey;
using ::testing::AllOf;
using testing::FaultyFileSystem;
using testing::FilesOf;
using testing::Find;
using ::testing::HasSubstr;
using testing::Open;
using testing::Put;
using testing::TemporaryDirectory;
using testing::Text;
using testing::TextKey;

uint64_t Rejected(const CacheBackend& backend, EnvelopeVerdict verdict) {
  return backend.Stats().rejected[static_cast<size_t>(verdict)];
}

TEST(DiskBackend, ADirectoryThatLostItsMarkerIsStillACache) {
  const TemporaryDirectory directory;
  Put(Cache(Open(directory)), 1, "kept");
  for (const bool is_empty : {false, true}) {
    const std::string marker = directory.path() + "/FEWTER_CACHE";
    std::filesystem::remove(marker);
    if (is_empty) std::ofstream(marker).flush();
    EXPECT_EQ(Find(Cache(Open(directory)), 1), "kept");
    EXPECT_GT(std::filesystem::file_size(marker), 0U);
  }
}

TEST(DiskBackend, AnEntrySurvivesARestart) {
  const TemporaryDirectory directory;
  for (uint64_t i = 0; i < 100; ++i) Put(Cache(Open(directory)), i, "value " + std::to_string(i));
  const Cache cache(Open(directory));
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(Find(cache, i), "value " + std::to_string(i));
  EXPECT_EQ(Find(cache, 100), std::nullopt);
  EXPECT_EQ(cache.Stats().entries, 100u);
  EXPECT_EQ(cache.Stats().hits, 100u);
}

TEST(DiskBackend, FindsAnEntryBeforeItIsSealed) {
  const TemporaryDirectory directory;
  // A pool that does nothing.
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  const auto backend = Open(DiskBackendOptions{.directory = directory.path(), .io_executor = pool.get()});
  const Cache cache(backend);
  const auto value = Text::Make("hello");
  cache.Insert(TextKey{1}, value);
  EXPECT_EQ(cache.Get(TextKey{1}), value);
  EXPECT_EQ(cache.Locate(TextKey{1}), std::vector<std::string_view>{"disk"});
  EXPECT_TRUE(FilesOf(directory.path()).empty());
  backend->Flush();
  EXPECT_EQ(FilesOf(directory.path()).size(), 1u);
  EXPECT_NE(cache.Get(TextKey{1}), value);
  EXPECT_EQ(Find(cache, 1), "hello");
  EXPECT_EQ(cache.Locate(TextKey{1}), std::vector<std::string_view>{"disk"});
  EXPECT_TRUE(cache.Locate(TextKey{2}).empty());
}

TEST(DiskBackend, AHitPointsIntoTheMappedFile) {
  const TemporaryDirectory directory;
  const auto files = std::make_shared<FaultyFileSystem>();
  Put(Cache(Open(directory)), 1, std::string(100'000, 'x'));
  const auto backend = Open(DiskBackendOptions{.directory = directory.path(), .file_system = files});
  const Cache cache(backend);
  const auto first = cache.Get(TextKey{1});
  const auto second = cache.Get(TextKey{1});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->bytes()->data(), second->bytes()->data());
  EXPECT_EQ(first->bytes()->address() % 64, 0u);
  EXPECT_EQ(files->populates, 1) << "only the first touch brings it into memory";
  EXPECT_GE(backend->Stats().mapped_bytes, 100'000);
  const auto entry = backend->Get(*fewter::testing::Encoded(TextKey{1}), TextKey::Codec(), typeid(Text));
  EXPECT_EQ(entry.bytes, kMappedValueBytes);
  EXPECT_GE(entry.mapped_bytes, 100'000);
  ASSERT_NE(entry.encoded, nullptr);
  EXPECT_GT(first->bytes()->data(), entry.encoded->data());
}

TEST(DiskBackend, HandsOutCopiesWhereFilesMayChange) {
  const TemporaryDirectory directory;
  const auto backend = Open(DiskBackendOptions{.directory = directory.path(), .copy = true});
  const Cache cache(backend);
  Put(cache, 1, "hello");
  backend->Flush();
  const auto first = cache.Get(TextKey{1});
  ASSERT_NE(first, nullptr);
  EXPECT_NE(first->bytes()->data(), cache.Get(TextKey{1})->bytes()->data());
  EXPECT_EQ(backend->Stats().mapped_bytes, 0);
  EXPECT_EQ(DiskActivityOf(*backend).entries_copied, 2u);
  std::filesystem::resize_file(FilesOf(directory.path())[0], 0);
  EXPECT_EQ(first->ToString(), "hello");
  EXPECT_EQ(Find(cache, 1), std::nullopt);
}

TEST(DiskBackend, GetManyTouchesSideBySide) {
  const TemporaryDirectory directory;
  {
    const Cache cache(Open(directory));
    for (uint64_t i = 0; i < 20; i += 2) Put(cache, i, std::to_string(i));
  }
  const auto backend = Open(directory);
  const Cache cache(backend);
  Put(cache, 1, "pending");
  std::vector<TextKey> keys;
  for (uint64_t i = 0; i < 20; ++i) keys.push_back({i});
  for (int round = 0; round < 2; ++round) {
    const auto found = cache.GetMany<TextKey>(keys);
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_EQ(found[i] != nullptr, i % 2 == 0 || i == 1) << i;
      if (found[i] != nullptr) {
        EXPECT_EQ(found[i]->ToString(), i == 1 ? "pending" : std::to_string(i));
      }
    }
  }
  EXPECT_EQ(backend->Stats().hits, 22u);
  EXPECT_EQ(backend->Stats().misses, 18u);
}

TEST(DiskBackend, LargeEntriesHaveSegmentsOfTheirOwn) {
  const TemporaryDirectory directory;
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  {
    const Cache cache(Open({.directory = directory.path(), .large_entry_bytes = 10'000, .io_executor = pool.get()}));
    for (uint64_t i = 0; i < 10; ++i) Put(cache, i, std::string(i == 3 || i == 7 ? 10'000 : 100, 'x'));
  }
  EXPECT_EQ(FilesOf(directory.path()).size(), 3u);
  const Cache cache(Open(directory));
  const auto large = cache.backend()->Get(*fewter::testing::Encoded(TextKey{3}), TextKey::Codec(), typeid(Text));
  EXPECT_EQ(large.encoded->address() % 4096, 0u);
  EXPECT_EQ(Find(cache, 4), std::string(100, 'x'));
}

TEST(DiskBackend, DeclinesWhatHasNoCodecOrNoRoom) {
  const TemporaryDirectory directory;
  const auto backend = Open({.directory = directory.path(), .capacity_bytes = 100'000, .max_pending_bytes = 50'000});
  const Cache cache(backend);
  cache.Insert(LiveTextKey{1}, Text::Make("live"));
  EXPECT_EQ(cache.Get(LiveTextKey{1}), nullptr);
  Put(cache, 1, std::string(60'000, 'x'));
  Put(cache, 2, std::string(200'000, 'x'));
  EXPECT_EQ(Find(cache, 1), std::nullopt);
  EXPECT_EQ(Find(cache, 2), std::nullopt);
  EXPECT_EQ(DiskActivityOf(*backend).entries_declined, 2u);
  EXPECT_EQ(backend->Stats().insertions, 0u);
}

TEST(DiskBackend, WritesAnEntryOnce) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  const Cache cache(backend);
  for (int i = 0; i < 3; ++i) {
    Put(cache, 1, "hello");
    backend->Flush();
  }
  EXPECT_EQ(DiskActivityOf(*backend).segments_written, 1u);
}

TEST(DiskBackend, KeepsTheBytesThatAnotherTierHas) {
  const TemporaryDirectory directory;
  const auto other = MakeSerialisingBackend();
  Put(Cache(other), 1, "hello");
  const fewter::testing::Encoded key(TextKey{1});
  const auto backend = Open(directory);
  // The live value is not what is written: its bytes are there already.
  auto entry = other->Get(*key, TextKey::Codec(), typeid(Text));
  entry.value = Text::Make("not serialised");
  backend->Insert(*key, TextKey::Codec(), entry);
  backend->Flush();
  EXPECT_EQ(Find(Cache(backend), 1), "hello");
}

TEST(DiskBackend, CountsACodecThatFails) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  const CacheCodec codec(
      "t", 1, [](const void*, arrow::io::OutputStream*) { return arrow::Status::IOError("no"); }, nullptr);
  backend->Insert(*fewter::testing::Encoded(TextKey{1}), codec,
                  {.value = Text::Make("x"), .type = &typeid(Text), .bytes = 1});
  backend->Flush();
  EXPECT_EQ(backend->Stats().encode_failures, 1u);
  EXPECT_TRUE(FilesOf(directory.path()).empty());
}

TEST(DiskBackend, AnotherTypeOrVersionIsAMiss) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  Put(Cache(backend), 1, "hello");
  backend->Flush();
  const fewter::testing::Encoded key(TextKey{1});
  const CacheCodec text = TextKey::Codec();
  const auto get = [&](std::string_view type_id, uint32_t version) {
    const CacheCodec codec(
        type_id, version, [](const void*, arrow::io::OutputStream*) { return arrow::Status::OK(); },
        [](const std::shared_ptr<arrow::Buffer>&) -> arrow::Result<std::shared_ptr<const void>> {
          return arrow::Status::Invalid("not reached");
        });
    return static_cast<bool>(backend->Get(*key, codec, typeid(Text)));
  };
  EXPECT_FALSE(get("other", 1));
  EXPECT_FALSE(get(text.type_id(), text.type_version() - 1));
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kOtherType), 1u);
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kTooNew), 1u);
  EXPECT_EQ(Find(Cache(backend), 1), "hello") << "it was left for those who can read it";
  EXPECT_FALSE(get(text.type_id(), text.type_version() + 1));
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kTooOld), 1u);
  EXPECT_EQ(Find(Cache(backend), 1), std::nullopt) << "an old one makes room for the new one";
}

TEST(DiskBackend, ABadEntryIsForgottenAndWrittenAfresh) {
  const TemporaryDirectory directory;
  Put(Cache(Open(directory)), 1, std::string(1000, 'x'));
  const auto file = FilesOf(directory.path())[0];
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(700).put('y');
  {
    const auto backend = Open(directory);
    const Cache cache(backend);
    EXPECT_EQ(Find(cache, 1), std::nullopt);
    EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kCorrupt), 1u);
    EXPECT_TRUE(cache.Locate(TextKey{1}).empty());
    Put(cache, 1, std::string(1000, 'x'));
    backend->Flush();
    EXPECT_EQ(Find(cache, 1), std::string(1000, 'x'));
  }
  const auto backend = Open(directory);
  EXPECT_EQ(Find(Cache(backend), 1), std::string(1000, 'x')) << "the newer copy is the one that is found";
  EXPECT_EQ(Rejected(*backend, EnvelopeVerdict::kCorrupt), 0u);
}

TEST(DiskBackend, TasksOfAFullPoolAreDoneByWhoWaits) {
  const TemporaryDirectory directory;
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  bool found = false;
  // Closes a backend on the only thread that could run its task.
  ASSERT_TRUE(pool->Spawn([&] {
                    Put(Cache(Open(DiskBackendOptions{.directory = directory.path(), .io_executor = pool.get()})), 1,
                        "hello");
                    found = FilesOf(directory.path()).size() == 1;
                  })
                  .ok());
  pool->WaitForIdle();
  EXPECT_TRUE(found);
}

TEST(DiskBackend, FlushDoesNotWaitForWhatComesLater) {
  const TemporaryDirectory directory;
  const auto backend = Open(DiskBackendOptions{.directory = directory.path(), .max_pending_bytes = 1 << 20});
  std::atomic<bool> stop{false};
  std::thread inserter([&] {
    for (uint64_t i = 0; !stop; ++i) Put(Cache(backend), i, "x");
  });
  for (int i = 0; i < 3; ++i) {
    // There may be no room for it at first.
    const Cache mine = Cache(backend).Child("mine");
    while (mine.Locate(TextKey{static_cast<uint64_t>(i)}).empty()) Put(mine, static_cast<uint64_t>(i), "y");
    backend->Flush();
    const auto listed = *ListDiskCache(directory.path());
    const auto is_mine = [](const DiskCacheEntry& entry) { return entry.name_space == "mine"; };
    EXPECT_EQ(std::count_if(listed.begin(), listed.end(), is_mine), i + 1);
  }
  stop = true;
  inserter.join();
}

TEST(DiskBackend, AForkedChildWaitsForNothing) {
  const TemporaryDirectory directory;
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  auto backend = Open(DiskBackendOptions{.directory = directory.path(), .io_executor = pool.get()});
  Put(Cache(backend), 1, "sealed");
  backend->Flush();
  const auto value = Cache(backend).Get(TextKey{1});
  Put(Cache(backend), 2, "pending");
  const pid_t child = ::fork();
  if (child == 0) {
    const Cache cache(backend);
    bool good = Find(cache, 1) == std::nullopt && Find(cache, 2) == std::nullopt && value->ToString() == "sealed";
    Put(cache, 3, "declined");
    cache.Invalidate();
    backend->Flush();
    good = good && Find(cache, 3) == std::nullopt && cache.Locate(TextKey{1}).empty();
    backend.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(Find(Cache(backend), 2), "pending");
  EXPECT_EQ(Find(Cache(backend), 1), "sealed");
  EXPECT_EQ(FilesOf(directory.path()).size(), 1u) << "the child sealed nothing";
}

TEST(DiskDirectory, IsMadeForItsOwnerOnly) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/a/b";
  ASSERT_TRUE(MakeDiskBackend({.directory = path + "//"}).ok());
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
  EXPECT_TRUE(std::filesystem::exists(path + "/FEWTER_CACHE"));
}

arrow::Status OpeningFails(const std::string& path) {
  return MakeDiskBackend({.directory = path}).status();
}

TEST(DiskDirectory, RefusesWhatIsNotOurs) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() + "/thesis.tex") << "all my work";
  EXPECT_THAT(OpeningFails(directory.path()).message(), AllOf(HasSubstr(directory.path()), HasSubstr("thesis.tex")));
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/FEWTER_CACHE"));
  EXPECT_THAT(OpeningFails(directory.path() + "/thesis.tex").message(), HasSubstr("not a directory"));
  EXPECT_FALSE(OpeningFails(directory.path() + "/thesis.tex/below").ok());
  EXPECT_FALSE(OpeningFails("").ok());
}

TEST(DiskDirectory, RefusesANewerFormat) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() + "/FEWTER_CACHE") << "fewter index cache, format 2\nmore to come\n";
  EXPECT_THAT(OpeningFails(directory.path()).message(),
              AllOf(HasSubstr(directory.path()), HasSubstr("format 2"), HasSubstr("format 1")));
  std::ofstream(directory.path() + "/FEWTER_CACHE") << "something";
  EXPECT_THAT(OpeningFails(directory.path()).message(), HasSubstr("FEWTER_CACHE"));
}

TEST(DiskDirectory, SaysThatItMayNotBeRead) {
  const TemporaryDirectory directory;
  const auto files = std::make_shared<FaultyFileSystem>();
  files->list_error = EACCES;
  const auto status = MakeDiskBackend({.directory = directory.path(), .file_system = files}).status();
  EXPECT_TRUE(status.IsIOError());
  EXPECT_THAT(status.ToString(), HasSubstr("Permission denied"));
}

TEST(DiskDirectory, TakesOneThatADeadProcessHadBegunToMake) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() + "/tmp-0123456789abcdef0123456789abcdef") << "fewter ind";
  Put(Cache(Open(directory)), 1, "hello");
  EXPECT_TRUE(FilesOf(directory.path(), "tmp-").empty()) << "what it left is removed";
  EXPECT_EQ(Find(Cache(Open(directory)), 1), "hello");
}

TEST(DiskDirectory, KeepsTheFilesOfLivingWriters) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  const std::string path = directory.path() + "/tmp-living";
  auto file = *LocalFileSystem()->Create(path);
  Open(directory);
  EXPECT_TRUE(std::filesystem::exists(path));
  file.reset();
  Open(directory);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(DiskDirectory, IsMadeAgainWhenItIsRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/cache";
  const auto backend = Open(DiskBackendOptions{.directory = path});
  const Cache cache(backend);
  Put(cache, 1, "one");
  backend->Flush();
  const auto held = cache.Get(TextKey{1});
  std::filesystem::remove_all(path);
  EXPECT_EQ(Find(cache, 2), std::nullopt);
  EXPECT_EQ(Find(cache, 1), std::nullopt);
  EXPECT_EQ(held->ToString(), "one");
  EXPECT_GT(backend->Stats().pinned_bytes, 0);
  Put(cache, 2, "two");
  backend->Flush();
  EXPECT_EQ(Find(cache, 2), "two");
  EXPECT_EQ(Find(Cache(Open(DiskBackendOptions{.directory = path})), 2), "two");
  EXPECT_EQ(backend->Report()[0].health.state, TierState::kHealthy);
}

TEST(SharedDirectory, EachSeesWhatTheOtherSealed) {
  const TemporaryDirectory directory;
  const auto a = Open(directory);
  const auto b = Open(directory);
  for (uint64_t i = 0; i < 20; ++i) {
    const auto& writer = i % 2 == 0 ? a : b;
    const auto& reader = i % 2 == 0 ? b : a;
    EXPECT_EQ(Find(Cache(reader), i), std::nullopt);
    Put(Cache(writer), i, std::to_string(i));
    writer->Flush();
    EXPECT_EQ(Find(Cache(reader), i), std::to_string(i));
  }
}

TEST(SharedDirectory, EachNoticesWhatTheOtherRemoved) {
  const TemporaryDirectory directory;
  const auto a = Open(directory);
  const auto b = Open(directory);
  Put(Cache(a).Child("x"), 1, "one");
  Put(Cache(a).Child("y"), 2, "two");
  a->Flush();
  const auto held = Cache(b).Child("x").Get(TextKey{1});
  ASSERT_NE(held, nullptr);
  Cache(a).Child("x").Invalidate();
  EXPECT_EQ(Find(Cache(b).Child("x"), 3), std::nullopt);
  EXPECT_EQ(Find(Cache(b).Child("x"), 1), std::nullopt);
  EXPECT_EQ(Find(Cache(b).Child("y"), 2), "two");
  EXPECT_EQ(held->ToString(), "one");
  EXPECT_EQ(b->Stats().entries, 1u);
  EXPECT_GT(b->Stats().pinned_bytes, 0);
}

TEST(SharedDirectory, EachFindsWhatTheOtherMerged) {
  const TemporaryDirectory directory;
  const auto a = Open(directory);
  std::vector<TextKey> keys;
  const auto seal = [&](uint64_t number) {
    Put(Cache(a), number, std::to_string(number));
    a->Flush();
    keys.push_back({number});
  };
  for (uint64_t i = 0; i < 10; ++i) seal(i);
  const std::vector<std::filesystem::path> before = FilesOf(directory.path());
  const auto b = Open(directory);
  for (uint64_t i = 10; i < 20; ++i) seal(i);
  for (const auto& file : before) ASSERT_FALSE(std::filesystem::exists(file)) << "not merged";
  const uint64_t scans = DiskActivityOf(*b).scans;
  keys.resize(10);
  const auto found = Cache(b).GetMany<TextKey>(keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_NE(found[i], nullptr) << i;
    EXPECT_EQ(found[i]->ToString(), std::to_string(i));
  }
  EXPECT_EQ(DiskActivityOf(*b).scans, scans + 1) << "the first to miss its segment looks for all";
}

TEST(SharedDirectory, AMissInAQuietDirectoryDoesNotListIt) {
  const TemporaryDirectory directory;
  const auto backend = Open(directory);
  // Time stamps are coarse: just after a change, a look does not settle it. One in the future is as good as an old one.
  for (const auto hours : {-1, 1}) {
    const auto other = std::filesystem::file_time_type::clock::now() + std::chrono::hours(hours);
    std::filesystem::last_write_time(directory.path(), other);
    Find(Cache(backend), 1);
    const uint64_t scans = DiskActivityOf(*backend).scans;
    for (uint64_t i = 0; i < 10; ++i) Find(Cache(backend), i);
    EXPECT_EQ(DiskActivityOf(*backend).scans, scans) << hours;
  }
}

}  // namespace
}  // namespace fewter::disk
