#include "fewter/lance/object_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <arrow/filesystem/mockfs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/async_generator.h>
#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/util/argument_error.h"

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
  const auto missing = store->ForVersion(3)->OpenFile("gone.bin", 1, IoKind::kData)->Read({0, 1}).status();
  EXPECT_TRUE(IsNotFound(missing)) << missing;
  EXPECT_THAT(missing.message(), HasSubstr("gone.bin: No such file or directory; version 3 of the dataset has it"));
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
  for (const char* uri : {"nosuchscheme://host/path", "ftp://host/path", "s3:///path", "s3://", "gs:///path",
                          "s3://KEY:SEC RET@bucket/path", "s3://KEY:SECRET@bucket/path?no=option"}) {
    const auto status = ObjectStore::Open(uri).status();
    EXPECT_TRUE(IsArgumentError(status)) << uri << ": " << status;
    EXPECT_THAT(status.message(), Not(HasSubstr("RET"))) << uri;
  }
}

TEST(ObjectStore, PathsOfUrisAreEscapedWhereTheyAreNot) {
  TemporaryFolder folder;
  const std::string parent = folder.path().string();
  folder.Write("a b/\xc3\xbc#[1]%2/file", "1");
  for (const char* path : {"a b/\xc3\xbc#[1]%2", "a%20b/%C3%BC%23%5B1]%252"}) {
    EXPECT_EQ(OpenOrDie("file://" + parent + "/" + path)->FileSize("file", IoKind::kData).ValueOrDie(), 1U) << path;
  }
  const auto store = OpenOrDie("s3://bucket/a b/100%?region=x&endpoint_override=localhost:9000");
  EXPECT_EQ(store->name(), "s3://bucket/a b/100%");
  EXPECT_EQ(store->identity(), "s3://bucket/a b/100%?endpoint_override=localhost%3A9000");
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
    arrow::Result<int64_t> ReadAt(int64_t position, int64_t length, void* out) override {
      if (!fs_->failure.ok()) return fs_->failure;
      const std::string bytes = fs_->content.substr(static_cast<size_t>(position), static_cast<size_t>(length));
      std::copy(bytes.begin(), bytes.end(), static_cast<char*>(out));
      return fs_->lies_about_length ? length : static_cast<int64_t>(bytes.size());
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

  arrow::fs::FileInfoGenerator GetFileInfoGenerator(const arrow::fs::FileSelector&) override {
    return arrow::MakeVectorGenerator(pages);
  }

  std::string content;
  std::vector<std::vector<arrow::fs::FileInfo>> pages;
  arrow::Status failure;
  bool lies_about_length = false;
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

  // A store that sends less than it was asked for, and one that does not even say so.
  fs->failure = arrow::Status::OK();
  fs->content = "123456";
  store = ObjectStore::Make(fs, "bucket/table", {}, {.max_attempts = 2, .first_delay = std::chrono::milliseconds(1)});
  for (const bool lies : {false, true}) {
    fs->lies_about_length = lies;
    const auto cut = store->OpenFile("there", 100, IoKind::kData)->ReadMany({{0, 10}}).status();
    EXPECT_THAT(cut.message(), HasSubstr("bucket/table/there: the store sent fewer bytes than asked for: wanted 10"));
    EXPECT_THAT(cut.message(), HasSubstr("(after 2 attempts)"));
  }
  EXPECT_EQ(store->counter()->Snapshot().retries, 2U);
}

TEST(ObjectStore, NeighboursInARemoteFileAreJoinedFartherApartButNotForEver) {
  constexpr uint64_t kGap = ReadableFile::kRemoteCoalesceGap;
  auto fs = std::make_shared<RemoteFileSystem>();
  fs->content = Pattern(40 * kGap);
  auto store = ObjectStore::Make(fs, "bucket");
  auto file = store->OpenFile("a", fs->content.size(), IoKind::kIndex);
  ASSERT_TRUE(file->ReadMany({{0, 10}, {kGap + 10, 10}}).ok());
  EXPECT_EQ(store->counter()->Snapshot().total(), (IoCount{1, kGap + 20}));
  std::vector<ByteRange> all;
  for (uint64_t i = 0; i < 40; ++i) all.push_back({i * kGap, 10});
  const auto buffers = file->ReadMany(all).ValueOrDie();
  EXPECT_EQ(std::string_view(*buffers[39]), fs->content.substr(39 * kGap, 10));
  // 10 MiB, of which no request may be more than 8.
  EXPECT_EQ(store->counter()->Snapshot().total().requests, 3U);
}

TEST(ObjectStore, TheFirstPageOfAListingMayBeEnough) {
  auto fs = std::make_shared<RemoteFileSystem>();
  for (const char* name : {"b/1", "b/2", "b/3"}) {
    arrow::fs::FileInfo info(name, arrow::fs::FileType::File);
    info.set_size(7);
    fs->pages.push_back({info});
  }
  auto store = ObjectStore::Make(fs, "b");
  for (const size_t enough : {1, 2}) {
    const auto listed =
        store->List("", IoKind::kManifest, [&](const auto& page) { return page.size() >= enough; }).ValueOrDie();
    // Only the first page may end it.
    EXPECT_EQ(listed.size(), enough == 1 ? 1U : 3U);
    EXPECT_EQ(listed.front().name, "1");
    EXPECT_EQ(listed.front().size, 7U);
  }
}

/// Keeps everything.
class EveryByte : public ByteCache {
 public:
  arrow::Result<FileBytes> GetOrLoad(const std::string& path, std::span<const ByteRange> pieces,
                                     const Loader& load) override {
    std::vector<ByteRange> absent;
    for (const ByteRange& piece : pieces) {
      if (!kept.contains({path, piece.offset})) absent.push_back(piece);
    }
    if (!absent.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto loaded, load(absent));
      for (size_t i = 0; i < absent.size(); ++i) kept[{path, absent[i].offset}] = loaded[i];
    }
    FileBytes found;
    for (const ByteRange& piece : pieces) found.push_back(kept[{path, piece.offset}]);
    return found;
  }
  std::shared_ptr<arrow::Buffer> Find(const std::string& path) override { return notes[path]; }
  void Keep(const std::string& path, std::shared_ptr<arrow::Buffer> note) override { notes[path] = std::move(note); }

  std::map<std::pair<std::string, uint64_t>, std::shared_ptr<arrow::Buffer>> kept;
  std::map<std::string, std::shared_ptr<arrow::Buffer>> notes;
};

TEST(ObjectStore, WhatAByteCacheHasIsNotReadAgain) {
  constexpr uint64_t kPage = ReadableFile::kDataPage;
  auto fs = std::make_shared<RemoteFileSystem>();
  fs->content = Pattern(5 * kPage + 100);
  ASSERT_TRUE(fs->CreateFile("bucket/index", fs->content).ok());
  auto cache = std::make_shared<EveryByte>();
  auto store = ObjectStore::Make(fs, "bucket")->WithByteCache(cache);
  auto data = store->OpenFile("data", fs->content.size(), IoKind::kData);
  const std::vector<ByteRange> ranges = {{kPage - 5, 10}, {10, 20}, {5 * kPage + 99, 1}, {7, 0}, {2 * kPage, kPage}};
  for (int again = 0; again < 2; ++again) {
    const auto buffers = data->ReadMany(ranges).ValueOrDie();
    for (size_t i = 0; i < ranges.size(); ++i) {
      EXPECT_EQ(std::string_view(*buffers[i]), fs->content.substr(ranges[i].offset, ranges[i].length)) << i;
    }
    // Pages 0, 1, 2 and 5, all within the gap.
    EXPECT_EQ(store->counter()->Snapshot().total(), (IoCount{1, fs->content.size()}));
  }
  EXPECT_EQ(cache->kept.size(), 4U);
  EXPECT_EQ(data->Read({kPage + 1, 9}).ValueOrDie()->address() % 64, 0U);
  EXPECT_FALSE(data->Read({fs->content.size(), 1}).ok());

  // An index file comes whole, and its size, which nobody knew, is asked for once.
  for (int again = 0; again < 2; ++again) {
    auto index = store->OpenFile("index", 0, IoKind::kIndex);
    EXPECT_EQ(std::string_view(*index->Read({3, 4}).ValueOrDie()), fs->content.substr(3, 4));
    EXPECT_EQ(store->counter()->Snapshot()[IoKind::kIndex], (IoCount{2, fs->content.size()}));
  }
  // A local store reads its files themselves.
  TemporaryFolder folder;
  EXPECT_EQ(OpenOrDie(folder.path().string())->WithByteCache(cache)->byte_cache(), nullptr);
}

TEST(ObjectStore, AWholeFileOfUnknownSizeIsOneRequest) {
  auto fs = std::make_shared<RemoteFileSystem>();
  ASSERT_TRUE(fs->CreateFile("bucket/a", Pattern(1000)).ok());
  const auto is_whole = [](const auto& bytes) { return std::string_view(*bytes) == Pattern(1000); };
  fs->content = Pattern(1000);
  for (const bool lies : {false, true}) {
    fs->lies_about_length = lies;
    // Often enough for the last byte to be what was there before.
    for (int i = 0; i < 1000; ++i) {
      const auto store = ObjectStore::Make(fs, "bucket");
      const auto file = store->OpenFile("a", 0, IoKind::kManifest);
      ASSERT_TRUE(is_whole(file->ReadWhole(5000, is_whole).ValueOrDie()));
      ASSERT_EQ(store->counter()->Snapshot().total().requests, 1U);
    }
  }
  EXPECT_EQ(fs->heads, 0);
  // A file that is larger than that, and one that nobody would take for whole, are looked up.
  for (const uint64_t at_most : {999, 5000}) {
    const auto store = ObjectStore::Make(fs, "bucket");
    const auto file = store->OpenFile("a", 0, IoKind::kManifest);
    const auto bytes = file->ReadWhole(at_most, [](const auto&) { return false; }).ValueOrDie();
    EXPECT_TRUE(is_whole(bytes));
    EXPECT_EQ(store->counter()->Snapshot().total().requests, 3U);
  }
  // What came is kept, and so is how long it was.
  auto cache = std::make_shared<EveryByte>();
  const auto store = ObjectStore::Make(fs, "bucket")->WithByteCache(cache);
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(is_whole(store->OpenFile("a", 0, IoKind::kManifest)->ReadWhole(5000, is_whole).ValueOrDie()));
    EXPECT_EQ(store->OpenFile("a", 0, IoKind::kManifest)->Size().ValueOrDie(), 1000U);
  }
  EXPECT_EQ(store->counter()->Snapshot().total().requests, 1U);
  EXPECT_TRUE(IsNotFound(OpenOrDie("/nowhere")->OpenFile("a", 0, IoKind::kData)->ReadWhole(9, is_whole).status()));
}

TEST(ObjectStore, AQueryThatIsOverSendsNothingMore) {
  auto fs = std::make_shared<RemoteFileSystem>();
  fs->content = Pattern(100);
  fs->failure = arrow::Status::IOError("AWS Error SLOW_DOWN during GetObject operation");
  auto store = ObjectStore::Make(
      fs, "bucket", {},
      {.max_attempts = 100, .first_delay = std::chrono::hours(1), .longest_delay = std::chrono::hours(1)});
  auto file = store->OpenFile("a", 100, IoKind::kData);
  {
    IoQuery late({.deadline = IoEvent::Clock::now() + std::chrono::seconds(5)});
    const IoQuery::Scope scope(&late);
    EXPECT_THAT(file->Read({0, 10}).status().message(), HasSubstr("SLOW_DOWN"));
    EXPECT_EQ(late.counter().Snapshot().total().requests, 1U);
  }
  arrow::StopSource stop;
  IoQuery cancelled({.stop_token = stop.token()});
  stop.RequestStop();
  const IoQuery::Scope scope(&cancelled);
  EXPECT_TRUE(file->Read({0, 10}).status().IsCancelled());
  EXPECT_EQ(cancelled.counter().Snapshot().total().requests, 0U);
  EXPECT_EQ(store->counter()->Snapshot().total().requests, 1U);
}

TEST(IoStats, RoundsAreTheLongestChain) {
  IoCounter counter;
  const IoEvent read{.kind = IoKind::kData, .bytes = 5};
  const auto a = counter.Begin();
  const auto b = counter.Begin();
  counter.End(a, read);
  const auto c = counter.Begin();  // began when the first was answered
  counter.End(b, read);
  counter.End(c, {.kind = IoKind::kIndex, .attempt = 2});
  const IoStats stats = counter.Snapshot();
  EXPECT_EQ((std::array{a.round, b.round, c.round}), (std::array<uint64_t, 3>{1, 1, 2}));
  EXPECT_EQ(stats.rounds, 2U);
  EXPECT_EQ(stats.retries, 1U);
  EXPECT_EQ(stats[IoKind::kData], (IoCount{2, 10}));
  counter.End(counter.Begin(), read);
  EXPECT_EQ((counter.Snapshot() - stats).rounds, 1U);
  EXPECT_EQ((counter.Snapshot() - stats).total(), (IoCount{1, 5}));
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

TEST(StorageOptions, NeitherMessagesNorIdentitiesHoldTheirValues) {
  const StorageOptions keys = {
      {"aws_access_key_id", "KEYID"}, {"AWS_SECRET_ACCESS_KEY", "SEC/RET"}, {"session_token", "TOK"}};
  StorageOptions options = keys;
  options.insert({{"endpoint", "http://localhost:9000/"}, {"region", "eu-west-1"}});
  const auto store = ObjectStore::Open("s3://bucket/some/table", {.storage_options = options}).ValueOrDie();
  EXPECT_EQ(store->identity(), "s3://bucket/some/table?endpoint_override=localhost%3A9000");
  EXPECT_TRUE(store->is_remote());
  // The same place as by a URI.
  EXPECT_EQ(OpenOrDie("s3://bucket/some/table?region=eu-west-1&endpoint_override=localhost:9000")->identity(),
            store->identity());
  options["client_retry_timeout"] = "SEC/RET";
  options["secret"] = "SEC/RET";
  const auto status = ObjectStore::Open("s3://bucket/some/table", {.storage_options = options}).status();
  EXPECT_THAT(status.message(), HasSubstr("client_retry_timeout"));
  EXPECT_THAT(status.message(), Not(HasSubstr("RET")));
  EXPECT_FALSE(ObjectStore::Open("mock:///a", {.storage_options = keys}).ok());
}

TEST(StorageOptions, OfAzure) {
  const auto identity = [](StorageOptions options) {
    const auto store = ObjectStore::Open("az://container/some/table", {.storage_options = std::move(options)});
    return store.ok() ? (*store)->identity() : store.status().ToString();
  };
  EXPECT_EQ(identity({{"account_name", "me"}, {"azure_storage_account_key", "c2VjcmV0"}}),
            "az://container/some/table?account=me");
  EXPECT_EQ(identity({{"azure_storage_account_name", "you"}, {"sas_token", "sig=c2VjcmV0"}}),
            "az://container/some/table?account=you");
  // The store's own server may be named.
  EXPECT_EQ(identity({{"account_name", "me"}, {"azure_endpoint", "https://me.blob.core.windows.net/"}}),
            "az://container/some/table?account=me");
  EXPECT_EQ(identity({{"account_name", "me"}, {"endpoint", "http://host:10000/me"}}),
            "az://container/some/table?account=me&endpoint_override=host%3A10000");
  EXPECT_EQ(identity({{"use_emulator", "true"}}),
            "az://container/some/table?account=devstoreaccount1&endpoint_override=127.0.0.1%3A10000");
  EXPECT_THAT(identity({}), HasSubstr("account_name"));
  EXPECT_THAT(identity({{"account_name", "me"}, {"endpoint", "http://host/other"}}), HasSubstr("'endpoint'"));
  EXPECT_THAT(identity({{"account_name", "me"}, {"tenant_id", "x"}}), HasSubstr("go together"));
}

TEST(StorageOptions, OfGoogle) {
  const auto google = ObjectStore::Open("gs://bucket/table", {.storage_options = {{"skip_signature", "true"}}});
  ASSERT_TRUE(google.ok()) << google.status();
  EXPECT_EQ((*google)->identity(), "gs://bucket/table");
  const auto emulated = ObjectStore::Open(
      "gs://bucket/table", {.storage_options = {{"anonymous", "true"}, {"google_base_url", "http://localhost:4443"}}});
  ASSERT_TRUE(emulated.ok()) << emulated.status();
  EXPECT_EQ((*emulated)->identity(), "gs://bucket/table?endpoint_override=localhost%3A4443");
  EXPECT_FALSE(ObjectStore::Open("gs://bucket/table", {.storage_options = {{"region", "x"}}}).ok());
}

TEST(StorageOptions, MayBeMisspelt) {
  const auto store = ObjectStore::Open("s3://bucket/table", {.storage_options = {{"endpoint_ulr", "http://h"}}});
  EXPECT_THAT(store.status().message(), HasSubstr("did you mean 'endpoint_url'?"));
}

}  // namespace
}  // namespace fewter::lance
