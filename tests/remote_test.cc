/// Datasets on a store where a request is a round trip: which requests there are, and which go side by side.

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fewter/dataset/dataset.h"
#include "fixtures.h"

namespace fewter {
namespace {

/// Lets nobody through until as many wait as there should be; then all who come.
class Gate {
 public:
  void Close(int expected) {
    const std::lock_guard lock(mutex_);
    missing_ = expected;
    waited_in_vain_ = false;
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    if (missing_ > 0 && --missing_ == 0) open_.notify_all();
    if (open_.wait_for(lock, std::chrono::seconds(10), [this] { return missing_ <= 0; })) return;
    waited_in_vain_ = true;
    missing_ = 0;
    open_.notify_all();
  }
  bool waited_in_vain() const { return waited_in_vain_; }

 private:
  std::mutex mutex_;
  std::condition_variable open_;
  int missing_ = 0;
  bool waited_in_vain_ = false;
};

/// Local files as S3 presents them: opened as long as one says, and never read to fewer bytes than asked for.
class RemoteFolder : public arrow::fs::LocalFileSystem {
 public:
  class File : public arrow::io::RandomAccessFile {
   public:
    File(std::shared_ptr<arrow::io::RandomAccessFile> file, int64_t size, Gate* gate)
        : file_(std::move(file)), size_(size), gate_(gate) {}
    arrow::Status Close() override { return file_->Close(); }
    bool closed() const override { return file_->closed(); }
    arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
    arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
    arrow::Result<int64_t> Read(int64_t length, void* out) override { return file_->Read(length, out); }
    arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t length) override { return file_->Read(length); }
    arrow::Result<int64_t> GetSize() override { return size_; }
    arrow::Result<int64_t> ReadAt(int64_t position, int64_t length, void* out) override {
      gate_->Pass();
      ARROW_RETURN_NOT_OK(file_->ReadAt(position, length, out).status());
      return length;
    }

   private:
    const std::shared_ptr<arrow::io::RandomAccessFile> file_;
    const int64_t size_;
    Gate* const gate_;
  };

  using LocalFileSystem::OpenInputFile;
  std::string type_name() const override { return "remote"; }
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(const arrow::fs::FileInfo& info) override {
    ARROW_ASSIGN_OR_RAISE(auto file, LocalFileSystem::OpenInputFile(info.path()));
    return std::make_shared<File>(std::move(file), info.size(), &gate);
  }

  Gate gate;
};

std::string RowsOf(const std::string& name) {
  return (testing::FixtureFolder("rows") / name / "dataset.lance").string();
}

std::shared_ptr<Dataset> OpenRemote(const std::shared_ptr<RemoteFolder>& folder, const std::string& path) {
  return Dataset::Open(lance::ObjectStore::Make(folder, path)).ValueOrDie();
}

SearchRequest RequestFor(std::vector<std::string> columns) {
  return {.column = "vector", .query = {150.25F, 0.5F}, .k = 200, .columns = std::move(columns)};
}

TEST(Remote, AnExactSearchReadsItsFragmentsSideBySide) {
  for (const char* name : {"2.0_address_changed", "2.1_stable_changed"}) {
    auto request = RequestFor({});
    request.use_index = false;
    const auto expected = Dataset::Open(RowsOf(name)).ValueOrDie()->Search(request).ValueOrDie();
    const auto folder = std::make_shared<RemoteFolder>();
    const auto dataset = OpenRemote(folder, RowsOf(name));
    // Four fragments, of which three have a deletion file; a file's last 64 KiB are all of it.
    ASSERT_EQ(dataset->manifest().fragments.size(), 4U);
    folder->gate.Close(7);
    const auto found = dataset->Search(request).ValueOrDie();
    EXPECT_FALSE(folder->gate.waited_in_vain());
    EXPECT_EQ(found.rows, expected.rows);
    EXPECT_EQ(found.io.total().requests, 7U);
    EXPECT_EQ(found.io.rounds, 1U);
    EXPECT_EQ(dataset->Search(request).ValueOrDie().io.total().requests, 0U);
  }
}

TEST(Remote, ASearchTakesColumnsFromItsFragmentsSideBySide) {
  const auto local = Dataset::Open(RowsOf("2.2_stable_changed")).ValueOrDie();
  const auto request = RequestFor({"renamed", "label", "_rowaddr", "_rowid"});
  const auto expected = local->Search(request).ValueOrDie();
  const auto folder = std::make_shared<RemoteFolder>();
  const auto dataset = OpenRemote(folder, RowsOf("2.2_stable_changed"));
  auto without = request;
  without.columns.clear();
  const auto before = dataset->Search(without).ValueOrDie();
  EXPECT_EQ(before.columns, nullptr);
  folder->gate.Close(3);
  const auto found = dataset->Search(request).ValueOrDie();
  EXPECT_FALSE(folder->gate.waited_in_vain());
  EXPECT_TRUE(found.columns->Equals(*expected.columns));
  EXPECT_EQ(found.rows, expected.rows);
  // What the deletion files say is known, and the files that hold vectors have been read.
  EXPECT_EQ(found.io[lance::IoKind::kManifest].requests, 0U);
  EXPECT_EQ(found.io.total().requests, 3U);
  EXPECT_EQ(dataset->Search(request).ValueOrDie().io.total().requests, 0U);
}

TEST(Remote, ManyQueriesAreRefinedTogether) {
  const auto folder = testing::FixtureFolder("parity") / "deleted_stable_ivf_pq";
  const auto description = nlohmann::json::parse(testing::ReadFile(folder / "case.json"));
  const auto queries = description["queries"].get<std::vector<std::vector<float>>>();
  ASSERT_GE(queries.size(), 3U);
  const std::string path = (folder / "dataset.lance").string();
  SearchRequest request{.column = description["column"], .k = 10, .nprobes = 8, .refine_factor = 4};
  const auto local = Dataset::Open(path).ValueOrDie();
  const auto all = OpenRemote(std::make_shared<RemoteFolder>(), path)->SearchMany(request, queries).ValueOrDie();
  for (size_t i = 0; i < queries.size(); ++i) {
    request.query = queries[i];
    const auto alone = local->Search(request).ValueOrDie();
    EXPECT_EQ(all[i].rows, alone.rows) << i;
    EXPECT_EQ(all[i].rows_compared_exactly, alone.rows_compared_exactly);
  }
}

}  // namespace
}  // namespace fewter
