#include "fewter/cache/disk/collapser.h"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <arrow/util/thread_pool.h>
#include <gtest/gtest.h>

#include "fewter/cache/disk/disk_test_internal.h"
#include "fewter/cache/disk/faulty_file_system_internal.h"

/// What lies in huge pages, and when. Whether it then does is the kernel's affair: the tests see to it that the bytes
/// stay what they are, and that it is asked when it should be.

namespace fewter::disk {
namespace {

using testing::FaultyFileSystem;
using testing::FilesOf;
using testing::Find;
using testing::Open;
using testing::Put;
using testing::TemporaryDirectory;

std::string Bytes(size_t length, uint32_t seed) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

TEST(CollapseMapped, ChangesNoByte) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  const std::string bytes = Bytes(2 * kHugePage + 12'345, 1);
  std::ofstream(path, std::ios::binary) << bytes;
  const auto files = LocalFileSystem();
  for (const MappedReads reads : {MappedReads::kAround, MappedReads::kHugePages}) {
    const auto mapping = *files->Map(path, bytes.size(), reads);
    EXPECT_EQ(mapping->address() % kHugePage, 0u);
    // From its middle on, so that a part is in memory and a part is not.
    ASSERT_TRUE(files->Populate(mapping->data() + kHugePage, 10'000).ok());
    for (const uint64_t offset : {uint64_t{0}, uint64_t{kHugePage}}) {
      const auto collapsed = files->Collapse(path, *mapping, offset);
      EXPECT_TRUE(collapsed.ok()) << collapsed.status();
    }
    EXPECT_TRUE(std::string_view(*mapping) == bytes);
  }
}

TEST(CollapseMapped, LeavesWhatLiesBesideTheMappingAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  const std::string bytes = Bytes(kHugePage, 2);
  std::ofstream(path, std::ios::binary) << bytes;
  const auto files = LocalFileSystem();
  const auto first = *files->Map(path, bytes.size(), MappedReads::kAround);
  const auto second = *files->Map(path, bytes.size(), MappedReads::kAround);
  EXPECT_TRUE(files->Collapse(path, *first, 0).ok()) << "which another mapping may prevent";
  EXPECT_TRUE(std::string_view(*first) == bytes);
  EXPECT_TRUE(std::string_view(*second) == bytes);
}

TEST(CollapseMapped, MayBeReadMeanwhile) {
  const TemporaryDirectory directory;
  const auto files = LocalFileSystem();
  for (uint32_t i = 0; i < 5; ++i) {
    const std::string path = directory.path() + "/file" + std::to_string(i);
    const std::string bytes = Bytes(kHugePage, i);
    // In pieces, so that the page cache has it in pieces, too; synced, since what is not on disk is not let go of.
    constexpr size_t kPiece = 64 << 10;
    const auto file = *files->Create(path);
    for (size_t at = 0; at < bytes.size(); at += kPiece) {
      ASSERT_TRUE(WriteAll(file.get(), std::string_view(bytes).substr(at, kPiece)).ok());
    }
    ASSERT_TRUE(file->Sync().ok());
    const auto mapping = *files->Map(path, bytes.size(), MappedReads::kAround);
    std::atomic<bool> stop{false};
    std::atomic<int> compared{0};
    std::jthread reader([&] {
      for (; !stop; ++compared) EXPECT_TRUE(std::string_view(*mapping) == bytes);
    });
    while (compared == 0) std::this_thread::yield();
    const auto collapsed = files->Collapse(path, *mapping, 0);
    EXPECT_TRUE(collapsed.ok()) << collapsed.status();
    stop = true;
  }
}

TEST(CollapseMapped, SaysWhatCannotBeReadAgain) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  std::ofstream(path, std::ios::binary) << Bytes(kHugePage, 3);
  const auto files = LocalFileSystem();
  const auto mapping = *files->Map(path, kHugePage, MappedReads::kAround);
  std::filesystem::remove(path);
  EXPECT_TRUE(IsMissing(files->Collapse(path, *mapping, 0).status()));
}

/// Four entries of 1.5 MB in one segment, and one of 4.5 MB in a segment of its own.
class CollapsedSegments : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pool_->Shutdown().ok());
    const auto backend = OpenFaulty();
    for (uint64_t i = 0; i < 4; ++i) Put(Cache(backend), i, Value(i));
    Put(Cache(backend), 4, Value(4));
    backend->Flush();
    ASSERT_EQ(FilesOf(directory_.path()).size(), 2u);
    ASSERT_EQ(files_->collapses, 0);
  }
  std::shared_ptr<CacheBackend> OpenFaulty() {
    return Open({.directory = directory_.path(), .io_executor = pool_.get(), .file_system = files_});
  }
  static std::string Value(uint64_t number) {
    return Bytes(number < 4 ? 1'500'000 : 4'500'000, static_cast<uint32_t>(number));
  }
  /// How often the kernel was asked for a huge page up to the end of a flush.
  int CollapsesOf(CacheBackend* backend) {
    backend->Flush();
    return files_->collapses.exchange(0);
  }

  const TemporaryDirectory directory_;
  const std::shared_ptr<FaultyFileSystem> files_ = std::make_shared<FaultyFileSystem>();
  /// Takes no tasks: everything happens in Flush.
  const std::shared_ptr<arrow::internal::ThreadPool> pool_ = *arrow::internal::ThreadPool::Make(1);
};

TEST_F(CollapsedSegments, AreThoseOfWhichHalfIsInUse) {
  const auto backend = OpenFaulty();
  const Cache cache(backend);
  EXPECT_TRUE(Find(cache, 0) == Value(0));
  EXPECT_EQ(CollapsesOf(backend.get()), 0);
  for (const uint64_t i : {2, 3}) EXPECT_TRUE(Find(cache, i) == Value(i));
  EXPECT_EQ(CollapsesOf(backend.get()), 2) << "6 MB are two whole ones";
  for (uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(Find(cache, i) == Value(i));
  EXPECT_EQ(CollapsesOf(backend.get()), 0) << "once is enough";
  EXPECT_TRUE(Find(cache, 4) == Value(4));
  EXPECT_EQ(CollapsesOf(backend.get()), 2);
  EXPECT_TRUE(Find(cache, 4) == Value(4));
}

TEST_F(CollapsedSegments, AreLeftWhenTheBackendCloses) {
  {
    const auto backend = OpenFaulty();
    EXPECT_TRUE(Find(Cache(backend), 4) == Value(4));
  }
  EXPECT_EQ(files_->collapses, 0);
}

TEST_F(CollapsedSegments, AreNoMoreWhereTheKernelHasNoHugePages) {
  files_->has_huge_pages = false;
  const auto backend = OpenFaulty();
  const Cache cache(backend);
  EXPECT_TRUE(Find(cache, 4) == Value(4));
  EXPECT_EQ(CollapsesOf(backend.get()), 2);
  for (uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(Find(cache, i) == Value(i));
  EXPECT_EQ(CollapsesOf(backend.get()), 0);
}

TEST_F(CollapsedSegments, EndWithADiskThatFails) {
  files_->collapse_error = EIO;
  const auto backend = OpenFaulty();
  const Cache cache(backend);
  EXPECT_TRUE(Find(cache, 4) == Value(4));
  EXPECT_EQ(CollapsesOf(backend.get()), 1);
  EXPECT_EQ(backend->Report()[0].health.faults[static_cast<size_t>(TierFault::kIo)], 1u);
  for (uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(Find(cache, i) == Value(i));
  EXPECT_EQ(CollapsesOf(backend.get()), 0);
}

}  // namespace
}  // namespace fewter::disk
