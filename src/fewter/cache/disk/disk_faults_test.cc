#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <arrow/util/thread_pool.h>
#include <gtest/gtest.h>

#include "fewter/cache/disk/crash_point.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/disk_test_internal.h"
#include "fewter/cache/disk/faulty_file_system_internal.h"
#include "fewter/cache/disk/segment_format.h"

/// Disks that fail, files that are damaged, processes that die: every query is still right.

namespace fewter::disk {
namespace {

using testing::FaultyFileSystem;
using testing::FilesOf;
using testing::Find;
using testing::Open;
using testing::Put;
using testing::TemporaryDirectory;
using testing::Text;
using testing::TextKey;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A directory with one small segment of three entries.
class DamagedSegment : public ::testing::Test {
 protected:
  void SetUp() override {
    {
      const auto pool = *arrow::internal::ThreadPool::Make(1);
      ASSERT_TRUE(pool->Shutdown().ok());
      const Cache cache(Open({.directory = directory_.path(), .io_executor = pool.get()}));
      for (uint64_t i = 0; i < 3; ++i) Put(cache, i, Value(i));
    }
    const auto files = FilesOf(directory_.path());
    ASSERT_EQ(files.size(), 1u);
    file_ = files[0];
    bytes_ = ReadFile(file_);
  }

  static std::string Value(uint64_t number) { return "value " + std::to_string(number); }

  /// How many of the entries are found with these bytes in the file; all that are have the right value.
  int FoundWith(std::string_view bytes) {
    WriteFile(file_, bytes);
    const Cache cache(Open(directory_));
    int found = 0;
    for (uint64_t i = 0; i < 3; ++i) {
      const auto value = Find(cache, i);
      if (!value) continue;
      ++found;
      EXPECT_EQ(*value, Value(i));
    }
    return found;
  }

  const TemporaryDirectory directory_;
  std::filesystem::path file_;
  std::string bytes_;
};

TEST_F(DamagedSegment, InAnyByteGivesTheRightValueOrNone) {
  EXPECT_EQ(FoundWith(bytes_), 3);
  std::vector<int> count(4);
  for (size_t i = 0; i < bytes_.size(); ++i) {
    std::string damaged = bytes_;
    damaged[i] ^= static_cast<char>(1 << (i % 8));
    const int found = FoundWith(damaged);
    ++count[static_cast<size_t>(found)];
    // Between header and footer, damage costs one entry.
    if (i >= 64 && i < 64 + 3 * 192) {
      EXPECT_EQ(found, 2) << i;
    }
  }
  EXPECT_GT(count[0], 0);
  EXPECT_GT(count[2], 500);
}

TEST_F(DamagedSegment, OfAnyLengthGivesNothing) {
  for (size_t length = 0; length < bytes_.size(); ++length) {
    EXPECT_EQ(FoundWith(std::string_view(bytes_).substr(0, length)), 0) << length;
  }
  EXPECT_EQ(FoundWith(bytes_ + "x"), 0);
}

TEST_F(DamagedSegment, IsRemovedAtTheNextOpening) {
  EXPECT_EQ(FoundWith("rubbish"), 0);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(DamagedSegment, OfANewerVersionIsLeftAlone) {
  std::string newer = bytes_;
  char* const trailer = newer.data() + newer.size() - 64;
  trailer[8] = 2;
  const uint64_t checksum = SegmentChecksum({trailer, 56});
  std::copy_n(reinterpret_cast<const char*>(&checksum), 8, trailer + 56);
  EXPECT_EQ(FoundWith(newer), 0);
  EXPECT_EQ(ReadFile(file_), newer);
  EXPECT_EQ(DiskActivityOf(*Open(directory_)).segments_rejected, 1u);
}

TEST_F(DamagedSegment, UnderAnotherNameIsNotTakenForIt) {
  std::filesystem::rename(file_, directory_.path() + "/seg-00000000000000100000000000000001.fwseg");
  EXPECT_EQ(Find(Cache(Open(directory_)), 1), std::nullopt);
}

TEST_F(DamagedSegment, TruncatedWhileOpenIsAMiss) {
  const auto backend = Open(directory_);
  std::filesystem::resize_file(file_, 128);
  EXPECT_EQ(Find(Cache(backend), 1), std::nullopt);
  EXPECT_EQ(Find(Cache(backend), 2), std::nullopt);
}

TEST_F(DamagedSegment, TruncatedAfterItWasMappedIsAMiss) {
  // Two pages, so that the second goes.
  const TemporaryDirectory directory;
  const auto pool = *arrow::internal::ThreadPool::Make(1);
  ASSERT_TRUE(pool->Shutdown().ok());
  const auto backend = Open({.directory = directory.path(), .io_executor = pool.get()});
  const Cache cache(backend);
  Put(cache, 1, std::string(10'000, 'x'));
  Put(cache, 2, std::string(10'000, 'y'));
  backend->Flush();
  EXPECT_EQ(Find(cache, 1), std::string(10'000, 'x'));
  std::filesystem::resize_file(FilesOf(directory.path())[0], 12'288);
  EXPECT_EQ(Find(cache, 2), std::nullopt);
  EXPECT_EQ(backend->Report()[0].health.faults[static_cast<size_t>(TierFault::kIo)], 1u);
}

TEST_F(DamagedSegment, RemovedWhileOpenIsAMissOrItsOldSelf) {
  const auto backend = Open(directory_);
  const Cache cache(backend);
  EXPECT_EQ(Find(cache, 0), Value(0));
  std::filesystem::remove(file_);
  EXPECT_EQ(Find(cache, 1), Value(1)) << "it is still mapped";
  EXPECT_EQ(Find(cache, 9), std::nullopt);
  EXPECT_EQ(Find(cache, 1), std::nullopt) << "the miss looked at the directory";
  const auto other = Open(directory_);
  EXPECT_EQ(Find(Cache(other), 0), std::nullopt);
}

/// A backend on a disk that can be told to fail, with a clock that can be put on.
class FailingDisk : public ::testing::Test {
 protected:
  std::shared_ptr<CacheBackend> OpenFaulty() {
    DiskBackendOptions options{.directory = directory_.path(), .io_executor = pool_.get(), .file_system = files_};
    options.health.now = [this] { return now_; };
    return Open(std::move(options));
  }
  void SetUp() override { ASSERT_TRUE(pool_->Shutdown().ok()); }
  void WaitForProbe() { now_ += std::chrono::minutes(2); }
  static HealthReport HealthOf(const CacheBackend& backend) { return backend.Report()[0].health; }

  const TemporaryDirectory directory_;
  const std::shared_ptr<FaultyFileSystem> files_ = std::make_shared<FaultyFileSystem>();
  /// Takes no tasks: everything happens in Flush.
  const std::shared_ptr<arrow::internal::ThreadPool> pool_ = *arrow::internal::ThreadPool::Make(1);
  std::chrono::steady_clock::time_point now_{};
};

TEST_F(FailingDisk, WhenFullIsReadOnlyUntilThereIsRoom) {
  const auto backend = OpenFaulty();
  const Cache cache(backend);
  Put(cache, 1, "one");
  backend->Flush();
  files_->room = 100;
  Put(cache, 2, std::string(1000, 'x'));
  EXPECT_TRUE(Find(cache, 2)) << "it waits to be written";
  backend->Flush();
  EXPECT_EQ(Find(cache, 2), std::nullopt);
  EXPECT_EQ(Find(cache, 1), "one");
  EXPECT_EQ(HealthOf(*backend).state, TierState::kReadOnly);
  EXPECT_EQ(HealthOf(*backend).faults[static_cast<size_t>(TierFault::kNoSpace)], 1u);
  EXPECT_EQ(DiskActivityOf(*backend).entries_dropped, 1u);
  EXPECT_TRUE(FilesOf(directory_.path(), "tmp-").empty()) << "what was written of it is removed";

  files_->room = INT64_MAX;
  Put(cache, 3, "too early");
  backend->Flush();
  EXPECT_EQ(Find(cache, 3), std::nullopt);
  WaitForProbe();
  Put(cache, 4, "four");
  backend->Flush();
  EXPECT_EQ(Find(cache, 4), "four");
  EXPECT_EQ(HealthOf(*backend).state, TierState::kHealthy);
}

TEST_F(FailingDisk, TellsOfUsesLaterIfTheHeatCannotBeWritten) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
    backend->Flush();
    for (int i = 0; i < 5; ++i) Find(Cache(backend), 1);
    files_->rename_error = EIO;
    backend->Flush();
    files_->rename_error = 0;
    EXPECT_EQ(HealthOf(*backend).state, TierState::kReadOnly);
    WaitForProbe();
    for (int i = 0; i < 2; ++i) Find(Cache(backend), 1);
    backend->Flush();
    EXPECT_EQ(HealthOf(*backend).state, TierState::kHealthy);
  }
  EXPECT_EQ(Open(directory_)->Uses()[0].uses, 8u);
}

TEST_F(FailingDisk, CountsUsesOnceIfOnlyTheDirectoryCannotBeSynced) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
    backend->Flush();
    for (int i = 0; i < 5; ++i) Find(Cache(backend), 1);
    files_->directory_sync_error = EIO;
    for (int i = 0; i < 5; ++i) {
      backend->Flush();
      WaitForProbe();
    }
    Put(Cache(backend), 2, "two");
    backend->Flush();
    EXPECT_EQ(FilesOf(directory_.path()).size(), 1u) << "what was not kept is not there";
    files_->directory_sync_error = 0;
    WaitForProbe();
  }
  EXPECT_EQ(Open(directory_)->Uses()[0].uses, 6u);
}

TEST_F(FailingDisk, DropsWhatItCannotWriteSyncOrRename) {
  for (std::atomic<int>* fault : {&files_->write_error, &files_->sync_error, &files_->rename_error}) {
    const auto backend = OpenFaulty();
    *fault = EIO;
    Put(Cache(backend), 1, "one");
    backend->Flush();
    *fault = 0;
    EXPECT_EQ(Find(Cache(backend).Child("x"), 1), std::nullopt);
    EXPECT_EQ(HealthOf(*backend).state, TierState::kReadOnly);
    EXPECT_EQ(HealthOf(*backend).faults[static_cast<size_t>(TierFault::kIo)], 1u);
    WaitForProbe();
    Put(Cache(backend), 2, "two");
    backend->Flush();
    EXPECT_EQ(Find(Cache(backend), 2), "two");
    EXPECT_EQ(HealthOf(*backend).state, TierState::kHealthy);
    backend->Clear();
  }
}

TEST_F(FailingDisk, IsBypassedWhenReadsFailAndComesBack) {
  {
    const auto backend = OpenFaulty();
    for (uint64_t i = 0; i < 10; ++i) Put(Cache(backend), i, "x");
  }
  const auto backend = OpenFaulty();
  const Cache cache(backend);
  EXPECT_EQ(Find(cache, 9), "x");
  files_->populate_error = EIO;
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(Find(cache, i), std::nullopt);
  EXPECT_EQ(HealthOf(*backend).state, TierState::kBypassed);
  files_->populate_error = 0;
  EXPECT_EQ(Find(cache, 5), std::nullopt);
  EXPECT_EQ(Find(cache, 9), "x") << "it is in memory";
  WaitForProbe();
  EXPECT_EQ(Find(cache, 5), "x");
  EXPECT_EQ(HealthOf(*backend).state, TierState::kHealthy);
}

TEST_F(FailingDisk, IsBypassedEvenIfTheDirectoryCanBeLookedAt) {
  {
    const auto backend = OpenFaulty();
    for (uint64_t i = 0; i < 10; ++i) Put(Cache(backend), i, "x");
  }
  const auto backend = OpenFaulty();
  files_->populate_error = EIO;
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Find(Cache(backend), i), std::nullopt);
    EXPECT_EQ(Find(Cache(backend), 100 + i), std::nullopt);
  }
  EXPECT_EQ(HealthOf(*backend).state, TierState::kBypassed);
}

TEST_F(FailingDisk, WithoutLocksIsReadOnly) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
  }
  files_->lock_error = ENOLCK;
  const auto backend = OpenFaulty();
  Put(Cache(backend), 2, "two");
  backend->Flush();
  EXPECT_EQ(HealthOf(*backend).state, TierState::kReadOnly);
  EXPECT_EQ(Find(Cache(backend), 1), "one");
  EXPECT_EQ(Find(Cache(backend), 2), std::nullopt);
}

TEST_F(FailingDisk, DoesNotForgetForWantOfDescriptors) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
  }
  const auto backend = OpenFaulty();
  files_->map_error = EMFILE;
  EXPECT_EQ(Find(Cache(backend), 1), std::nullopt);
  files_->map_error = 0;
  EXPECT_EQ(Find(Cache(backend), 1), "one");
}

TEST_F(FailingDisk, OpensWithSegmentsThatCannotBeReadNow) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
  }
  const auto before = FilesOf(directory_.path());
  // Only the segments: the marker is read before.
  DiskBackendOptions options{.directory = directory_.path(), .io_executor = pool_.get(), .file_system = files_};
  files_->segment_read_error = EMFILE;
  const auto backend = Open(options);
  EXPECT_EQ(Find(Cache(backend), 1), std::nullopt);
  EXPECT_EQ(FilesOf(directory_.path()), before) << "nothing is removed for an error that passes";
  files_->segment_read_error = 0;
  EXPECT_EQ(Find(Cache(Open(options)), 1), "one");
}

TEST_F(FailingDisk, SurvivesShortWrites) {
  files_->longest_write = 7;
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, std::string(3000, 'x'));
  }
  EXPECT_EQ(Find(Cache(OpenFaulty()), 1), std::string(3000, 'x'));
}

TEST_F(FailingDisk, NeverGivesAWrongByteForAFlippedOne) {
  for (int64_t flipped = 0; flipped < 1500; flipped += 7) {
    {
      const auto backend = OpenFaulty();
      files_->flipped_byte = flipped;
      Put(Cache(backend), 1, std::string(1000, 'x'));
      backend->Flush();
      files_->flipped_byte = -1;
      const auto here = Find(Cache(backend), 1);
      EXPECT_TRUE(!here || *here == std::string(1000, 'x')) << flipped;
    }
    const auto backend = OpenFaulty();
    const auto after = Find(Cache(backend), 1);
    EXPECT_TRUE(!after || *after == std::string(1000, 'x')) << flipped;
    backend->Clear();
  }
}

TEST_F(FailingDisk, KeepsWhatWasFlushedWhenThePowerFails) {
  {
    const auto backend = OpenFaulty();
    Put(Cache(backend), 1, "one");
    backend->Flush();
    files_->sync_is_a_lie = true;
    Put(Cache(backend), 2, "two");
    backend->Flush();
    files_->LosePower();
    files_->sync_is_a_lie = false;
  }
  const auto backend = OpenFaulty();
  EXPECT_EQ(Find(Cache(backend), 1), "one");
  EXPECT_EQ(Find(Cache(backend), 2), std::nullopt);
}

TEST_F(FailingDisk, ThatCannotBeListedIsBypassedAndComesBack) {
  const auto backend = OpenFaulty();
  Put(Cache(backend), 1, "one");
  backend->Flush();
  EXPECT_EQ(Find(Cache(backend), 1), "one");
  files_->list_error = EACCES;
  for (uint64_t i = 10; i < 15; ++i) EXPECT_EQ(Find(Cache(backend), i), std::nullopt);
  EXPECT_EQ(HealthOf(*backend).state, TierState::kBypassed);
  EXPECT_EQ(HealthOf(*backend).faults[static_cast<size_t>(TierFault::kRefused)], 3u);
  EXPECT_EQ(Find(Cache(backend), 1), "one");
  files_->list_error = 0;
  WaitForProbe();
  EXPECT_EQ(Find(Cache(backend), 10), std::nullopt);
  EXPECT_EQ(HealthOf(*backend).state, TierState::kHealthy);
}

TEST_F(FailingDisk, StillEvictsWhenTheDiskIsFull) {
  DiskBackendOptions options{
      .directory = directory_.path(), .capacity_bytes = 200'000, .io_executor = pool_.get(), .file_system = files_};
  const auto backend = Open(options);
  const auto fill = [&](uint64_t from) {
    for (uint64_t i = 0; i < 10; ++i) Put(Cache(backend), from + i, std::string(8'000, 'x'));
    backend->Flush();
  };
  fill(0);
  fill(100);
  for (int i = 0; i < 5; ++i) Find(Cache(backend), 3);
  // Room for the new segment, and for nothing of what eviction would write again.
  files_->room = 90'000;
  fill(200);
  EXPECT_LE(backend->Stats().bytes, 200'000);
  EXPECT_TRUE(Find(Cache(backend), 205).has_value());
}

/// The place where the process is to die, and how many passes it survives.
const char* dies_at = nullptr;
int passes = 0;

std::string ValueOf(uint64_t number) {
  return std::string(20'000, static_cast<char>('a' + number % 26));
}

/// Seals entries one by one, evicts most of them again, and asks for the first all the time.
void Churn(const DiskBackendOptions& options, uint64_t from, uint64_t to) {
  const auto backend = Open(options);
  for (uint64_t i = from; i < to; ++i) {
    Put(Cache(backend), i, ValueOf(i));
    backend->Flush();
    Find(Cache(backend), 0);
  }
}

TEST(KilledProcess, LeavesADirectoryThatOpensWithTheRightValues) {
  for (const char* point : {"before-write", "mid-write", "before-sync", "after-sync", "before-rename", "after-rename",
                            "before-unlink", "after-unlink", "heat-written"}) {
    for (const int survived : {0, 1, 5}) {
      const TemporaryDirectory directory;
      // Without threads, which ThreadSanitizer does not allow in a forked child.
      const auto pool = *arrow::internal::ThreadPool::Make(1);
      ASSERT_TRUE(pool->Shutdown().ok());
      const DiskBackendOptions options{
          .directory = directory.path(), .capacity_bytes = 300'000, .io_executor = pool.get()};
      Churn(options, 0, 5);
      const pid_t child = ::fork();
      if (child == 0) {
        dies_at = point;
        passes = survived;
        internal::crash_hook = [](const char* name) {
          if (std::string_view(name) == dies_at && passes-- == 0) ::_exit(7);
        };
        Churn(options, 5, 60);
        ::_exit(0);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status)) << point;
      EXPECT_EQ(WEXITSTATUS(status), 7) << point << " was never reached";
      const auto backend = Open(options);
      EXPECT_TRUE(FilesOf(directory.path(), "tmp-").empty());
      EXPECT_EQ(DiskActivityOf(*backend).segments_rejected, 0u) << point;
      for (uint64_t i = 0; i < 60; ++i) {
        const auto found = Find(Cache(backend), i);
        EXPECT_TRUE(!found || *found == ValueOf(i)) << point;
        EXPECT_TRUE(found || i != 0) << point << ": the hottest entry is lost";
      }
    }
  }
}

}  // namespace
}  // namespace fewter::disk
