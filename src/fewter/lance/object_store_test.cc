#include "fewter/lance/object_store.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <arrow/filesystem/mockfs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter::lance {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fewter_object_store_XXXXXX").string();
    path_ = std::filesystem::canonical(mkdtemp(pattern.data()));
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  void Write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_;
};

/// Bytes of which each tells its position.
std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 251) & 0xFF);
  return bytes;
}

std::shared_ptr<ObjectStore> OpenOrDie(const std::string& uri) {
  return ObjectStore::Open(uri).ValueOrDie();
}

TEST(ObjectStore, OpeningAFileOfKnownSizeIsFreeAndEachReadIsOneRequest) {
  TemporaryFolder folder;
  folder.Write("data/a.bin", Pattern(1000));
  auto store = OpenOrDie(folder.path().string());
  auto file = store->OpenFile("data/a.bin", 1000, IoKind::kData);
  EXPECT_EQ(file->path(), "data/a.bin");
  EXPECT_EQ(file->Size().ValueOrDie(), 1000U);
  EXPECT_EQ(store->counter()->Snapshot().total(), (IoCount{0, 0}));

  auto bytes = file->Read({7, 100}).ValueOrDie();
  EXPECT_EQ(std::string_view(*bytes), Pattern(1000).substr(7, 100));
  EXPECT_EQ(bytes->address() % 64, 0U);
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kData], (IoCount{1, 100}));
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kIndex], (IoCount{0, 0}));
}

TEST(ObjectStore, AnUnknownSizeCostsOneRequestOnce) {
  TemporaryFolder folder;
  folder.Write("a.bin", Pattern(10));
  folder.Write("empty.bin", "");
  auto store = OpenOrDie(folder.path().string());
  auto file = store->OpenFile("a.bin", 0, IoKind::kIndex);
  EXPECT_EQ(file->Size().ValueOrDie(), 10U);
  EXPECT_EQ(file->Size().ValueOrDie(), 10U);
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kIndex], (IoCount{1, 0}));

  auto empty = store->OpenFile("empty.bin", 0, IoKind::kData);
  EXPECT_EQ(empty->Size().ValueOrDie(), 0U);
  EXPECT_EQ(empty->Read({0, 0}).ValueOrDie()->size(), 0);
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kData], (IoCount{1, 0}));
  EXPECT_FALSE(empty->Read({0, 1}).ok());
}

TEST(ObjectStore, AMissingFileIsToldFromOtherErrors) {
  TemporaryFolder folder;
  folder.Write("folder/a.bin", "x");
  auto store = OpenOrDie(folder.path().string());
  for (uint64_t size : {0, 100}) {
    const auto status = store->OpenFile("no/such.bin", size, IoKind::kData)->Read({0, 1}).status();
    EXPECT_TRUE(status.IsIOError());
    EXPECT_TRUE(IsNotFound(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr((folder.path() / "no/such.bin").string()));
  }
  const auto status = store->OpenFile("folder", 0, IoKind::kData)->Size().status();
  EXPECT_TRUE(status.IsIOError());
  EXPECT_FALSE(IsNotFound(status));
  EXPECT_FALSE(IsNotFound(arrow::Status::OK()));
}

TEST(ObjectStore, RangesOutsideTheFileAreRefusedBeforeAnythingIsAllocated) {
  TemporaryFolder folder;
  folder.Write("a.bin", Pattern(100));
  auto store = OpenOrDie(folder.path().string());
  auto file = store->OpenFile("a.bin", 100, IoKind::kData);
  for (const ByteRange& range : {ByteRange{0, 101}, ByteRange{101, 0}, ByteRange{100, 1}, ByteRange{1, UINT64_MAX},
                                 ByteRange{UINT64_MAX, 2}, ByteRange{0, uint64_t{1} << 62}}) {
    EXPECT_THAT(file->Read(range).status().message(), HasSubstr("a.bin: bytes "));
    EXPECT_TRUE(file->ReadMany({{0, 1}, range}).status().IsIOError());
  }
  EXPECT_EQ(file->Read({100, 0}).ValueOrDie()->size(), 0);
  EXPECT_EQ(store->counter()->Snapshot().total(), (IoCount{0, 0}));
}

TEST(ObjectStore, AFileShorterThanItsManifestSaysIsAnError) {
  TemporaryFolder folder;
  folder.Write("a.bin", Pattern(100));
  auto store = OpenOrDie(folder.path().string());
  for (uint64_t size : {uint64_t{101}, uint64_t{1} << 40, UINT64_MAX}) {
    const auto status = store->OpenFile("a.bin", size, IoKind::kData)->Read({0, 10}).status();
    EXPECT_TRUE(status.IsInvalid());
    EXPECT_THAT(status.message(), HasSubstr("a.bin: "));
    EXPECT_THAT(status.message(), HasSubstr(std::to_string(size)));
  }
}

TEST(ObjectStore, ReadManyFetchesNeighboursTogether) {
  constexpr uint64_t kGap = ReadableFile::kCoalesceGap;
  const std::string content = Pattern(20 * kGap);
  TemporaryFolder folder;
  folder.Write("a.bin", content);
  auto store = OpenOrDie(folder.path().string());
  auto file = store->OpenFile("a.bin", content.size(), IoKind::kIndex);
  const std::vector<ByteRange> ranges = {
      {10 * kGap, 100},  // second request, although named first
      {0, 10},
      {10 + kGap, 10},          // exactly the gap apart: together
      {5, 10},                  // overlaps
      {10 * kGap + 20, 10},     // inside another
      {12 * kGap + 101, 5},     // a byte too far from what is before it
      {11 * kGap + 100, 0},     // empty
      {10 * kGap, 100},         // named twice
      {content.size() - 1, 1},  // the last byte
  };
  auto buffers = file->ReadMany(ranges).ValueOrDie();
  ASSERT_EQ(buffers.size(), ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    EXPECT_EQ(std::string_view(*buffers[i]), content.substr(ranges[i].offset, ranges[i].length)) << i;
  }
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kIndex], (IoCount{4, (20 + kGap) + 100 + 5 + 1}));
  EXPECT_TRUE(file->ReadMany({}).ValueOrDie().empty());
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kIndex].requests, 4U);
}

TEST(ObjectStore, ReadManyMayBeCalledFromEveryIoThreadAtOnce) {
  constexpr uint64_t kStep = 2 * ReadableFile::kCoalesceGap;
  const std::string content = Pattern(20 * kStep);
  TemporaryFolder folder;
  folder.Write("a.bin", content);
  auto store = OpenOrDie(folder.path().string());
  auto file = store->OpenFile("a.bin", content.size(), IoKind::kData);
  std::vector<ByteRange> ranges;
  for (uint64_t i = 0; i < 20; ++i) ranges.push_back({i * kStep, 10 + i});
  auto* executor = arrow::io::default_io_context().executor();
  std::vector<arrow::Future<bool>> futures;
  for (int task = 0; task < 4 * executor->GetCapacity(); ++task) {
    futures.push_back(executor
                          ->Submit([&]() {
                            auto buffers = file->ReadMany(ranges);
                            bool right = buffers.ok();
                            for (size_t i = 0; right && i < ranges.size(); ++i) {
                              right = std::string_view(*(*buffers)[i]) ==
                                      std::string_view(content).substr(ranges[i].offset, ranges[i].length);
                            }
                            return right;
                          })
                          .ValueOrDie());
  }
  for (auto& future : futures) EXPECT_TRUE(future.result().ValueOrDie());
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kData].requests, futures.size() * ranges.size());
}

TEST(ObjectStore, ListsFilesOfOneFolder) {
  TemporaryFolder folder;
  folder.Write("f/a", "12345");
  folder.Write("f/b", "");
  folder.Write("f/inner/c", "1");
  auto store = OpenOrDie(folder.path().string());
  std::set<std::pair<std::string, uint64_t>> found;
  for (const auto& entry : store->List("f", IoKind::kManifest).ValueOrDie()) found.insert({entry.name, entry.size});
  EXPECT_EQ(found, (std::set<std::pair<std::string, uint64_t>>{{"a", 5}, {"b", 0}}));
  EXPECT_TRUE(store->List("nowhere", IoKind::kManifest).ValueOrDie().empty());
  EXPECT_EQ(store->FileSize("f/a", IoKind::kManifest).ValueOrDie(), 5U);
  EXPECT_EQ(store->FileSize("f/z", IoKind::kManifest).ValueOrDie(), std::nullopt);
  EXPECT_EQ(store->FileSize("f", IoKind::kManifest).ValueOrDie(), std::nullopt);
  EXPECT_EQ(store->counter()->Snapshot()[IoKind::kManifest], (IoCount{5, 0}));
}

TEST(ObjectStore, IdentityIsTheSameHoweverTheFolderIsWritten) {
  TemporaryFolder folder;
  folder.Write("real/a", "1");
  std::filesystem::create_directory_symlink(folder.path() / "real", folder.path() / "link");
  const std::string real = (folder.path() / "real").string();
  for (const std::string& uri :
       {real, real + "/", real + "//", "file://" + real, folder.path().string() + "/./real/../real",
        (folder.path() / "link").string(), std::filesystem::relative(real).string()}) {
    auto store = OpenOrDie(uri);
    EXPECT_EQ(store->identity(), real) << uri;
    EXPECT_EQ(store->FileSize("a", IoKind::kData).ValueOrDie(), 1U) << uri;
  }
  auto inside = std::make_shared<arrow::fs::SubTreeFileSystem>(folder.path().string(),
                                                               std::make_shared<arrow::fs::LocalFileSystem>());
  EXPECT_EQ(ObjectStore::Make(inside, "real")->identity(), real);
  EXPECT_NE(OpenOrDie(real + "2")->identity(), real);
}

TEST(ObjectStore, BadLocationsAreRefused) {
  EXPECT_FALSE(ObjectStore::Open("").ok());
  EXPECT_FALSE(ObjectStore::Open("nosuchscheme://host/path").ok());
}

/// A file system like a remote one: what is opened is believed to be there and as long as one says.
class RemoteFileSystem : public arrow::fs::internal::MockFileSystem {
 public:
  RemoteFileSystem() : MockFileSystem(arrow::fs::kNoTime) {}

  class File : public arrow::io::RandomAccessFile {
   public:
    File(RemoteFileSystem* fs, int64_t size) : fs_(fs), size_(size) {}
    arrow::Status Close() override { return arrow::Status::OK(); }
    bool closed() const override { return false; }
    arrow::Result<int64_t> Tell() const override { return 0; }
    arrow::Status Seek(int64_t) override { return arrow::Status::OK(); }
    arrow::Result<int64_t> Read(int64_t, void*) override { return arrow::Status::NotImplemented(""); }
    arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t) override { return arrow::Status::NotImplemented(""); }
    arrow::Result<int64_t> GetSize() override { return size_; }
    arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t length) override {
      if (!fs_->failure.ok()) return fs_->failure;
      const auto start = static_cast<size_t>(position);
      // Off its alignment, as a slice of a download may be.
      return arrow::SliceBuffer(
          arrow::Buffer::FromString(" " + fs_->content.substr(start, static_cast<size_t>(length))), 1);
    }

   private:
    RemoteFileSystem* fs_;
    int64_t size_;
  };

  using MockFileSystem::GetFileInfo;
  using MockFileSystem::OpenInputFile;
  arrow::Result<arrow::fs::FileInfo> GetFileInfo(const std::string& path) override {
    ++heads;
    return MockFileSystem::GetFileInfo(path);
  }
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(const arrow::fs::FileInfo& info) override {
    ++opens;
    return std::make_shared<File>(this, info.size());
  }

  std::string content;
  arrow::Status failure;
  int heads = 0;
  int opens = 0;
};

TEST(ObjectStore, ARemoteFileIsOpenedOnItsFirstReadWithoutALookUp) {
  auto fs = std::make_shared<RemoteFileSystem>();
  fs->content = Pattern(100);
  auto store = ObjectStore::Make(fs, "bucket/table");
  auto file = store->OpenFile("a", 101, IoKind::kData);
  EXPECT_EQ(fs->opens, 0);
  auto bytes = file->Read({1, 90}).ValueOrDie();
  EXPECT_EQ(bytes->address() % 64, 0U);
  EXPECT_EQ(fs->opens, 1);
  EXPECT_EQ(fs->heads, 0);
}

TEST(ObjectStore, ARemoteFileThatIsShorterOrMissingIsFoundWhenItIsRead) {
  auto fs = std::make_shared<RemoteFileSystem>();
  ASSERT_TRUE(fs->CreateFile("bucket/table/there", "x").ok());
  auto store = ObjectStore::Make(fs, "bucket/table");
  fs->failure = arrow::Status::IOError("the server said no");

  const auto missing = store->OpenFile("missing", 100, IoKind::kData)->Read({0, 10}).status();
  EXPECT_TRUE(IsNotFound(missing)) << missing;
  EXPECT_THAT(missing.message(), HasSubstr("bucket/table/missing"));

  const auto there = store->OpenFile("there", 100, IoKind::kData)->Read({0, 10}).status();
  EXPECT_FALSE(IsNotFound(there));
  EXPECT_THAT(there.message(), HasSubstr("bucket/table/there: the server said no"));
  EXPECT_EQ(store->counter()->Snapshot().total(), (IoCount{4, 0}));

  fs->failure = arrow::Status::OK();
  fs->content = "1234567";
  const auto cut = store->OpenFile("there", 100, IoKind::kData)->ReadMany({{0, 10}}).status();
  EXPECT_THAT(cut.message(), HasSubstr("bucket/table/there: wanted 10 bytes at 0, got 7"));
}

TEST(ObjectStore, IdentityOfARemoteFolderKeepsTheServerButNoSecrets) {
  auto made =
      ObjectStore::Open("s3://KEY:SEC%2FRET@bucket/some/table?region=eu-west-1&endpoint_override=localhost%3A9000");
  // An Arrow that was built without S3 says so.
  if (made.status().message().find("Unrecognized filesystem type") != std::string::npos) {
    EXPECT_TRUE(made.status().IsInvalid());
    return;
  }
  auto store = made.ValueOrDie();
  EXPECT_THAT(store->identity(), Not(HasSubstr("RET")));
  EXPECT_THAT(store->identity(), Not(HasSubstr("KEY")));
  EXPECT_THAT(store->identity(), HasSubstr("s3://bucket/some/table"));
  EXPECT_THAT(store->identity(), HasSubstr("localhost"));
  auto without = OpenOrDie("s3://bucket/some/table/?region=eu-west-1&endpoint_override=localhost:9000");
  EXPECT_EQ(without->identity(), store->identity());
  EXPECT_NE(OpenOrDie("s3://bucket/some/table?region=eu-west-1")->identity(), store->identity());
}

}  // namespace
}  // namespace fewter::lance
