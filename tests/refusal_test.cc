/// What is not read is refused by name, with what can be done about it, and what can be done works.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/dataset/dataset.h"
#include "fixtures.h"

namespace fewter {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A copy of a dataset of one file with an index, whose files can be changed.
class RefusalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(testing::FixtureFolder("parity") / "one_row" / "dataset.lance", folder_.path() / "d.lance",
             fs::copy_options::recursive);
    request_ = {.column = "vector", .query = std::vector<float>(8, 1.0F), .k = 3, .nprobes = 1};
    ASSERT_TRUE(Search().ok());
  }

  arrow::Result<SearchResult> Search() {
    return Dataset::Open((folder_.path() / "d.lance").string()).ValueOrDie()->Search(request_);
  }

  std::vector<fs::path> FilesNamedLike(const std::string& extension) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.path().extension() == extension && entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  /// Makes its footer say file version 2.3.
  static void MakeNewer(const fs::path& path) {
    std::string bytes = testing::ReadFile(path);
    bytes.replace(bytes.size() - 8, 4, std::string("\2\0\3\0", 4));
    testing::WriteFile(path, bytes);
  }

  testing::TemporaryFolder folder_;
  SearchRequest request_;
};

TEST_F(RefusalTest, AnIndexOfANewerFileVersionLeavesExactSearch) {
  for (const fs::path& path : FilesNamedLike(".idx")) MakeNewer(path);
  const arrow::Status status = Search().status();
  EXPECT_TRUE(status.IsNotImplemented()) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("index.idx"));
  EXPECT_THAT(status.message(), HasSubstr("file version 2.3"));
  EXPECT_THAT(status.message(), HasSubstr("use_index = false"));
  request_.use_index = false;
  EXPECT_EQ(Search().ValueOrDie().rows.size(), 1U);
}

TEST_F(RefusalTest, DataOfANewerFileVersionLeavesTheIndex) {
  for (const fs::path& path : FilesNamedLike(".lance")) MakeNewer(path);
  EXPECT_EQ(Search().ValueOrDie().rows.size(), 1U);
  request_.use_index = false;
  const arrow::Status status = Search().status();
  EXPECT_TRUE(status.IsNotImplemented()) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("file version 2.3"));
  EXPECT_THAT(status.message(), HasSubstr("data_storage_version"));
}

TEST_F(RefusalTest, AnIndexOfANewerVersionLeavesExactSearch) {
  const auto manifests = FilesNamedLike(".manifest");
  // The newest has the lowest number.
  std::string bytes = testing::ReadFile(manifests.front());
  // Field 7 of the index, a number: its version.
  const size_t at = bytes.find("\x38\x01");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 1] = 3;
  testing::WriteFile(manifests.front(), bytes);
  ASSERT_EQ(Dataset::Open((folder_.path() / "d.lance").string()).ValueOrDie()->manifest().indices[0].index_version, 3);
  const arrow::Status status = Search().status();
  EXPECT_TRUE(status.IsNotImplemented()) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("index 'vector_idx' has version 3"));
  EXPECT_THAT(status.message(), HasSubstr("use_index = false"));
  request_.use_index = false;
  EXPECT_EQ(Search().ValueOrDie().rows.size(), 1U);
}

/// What a manifest holds of other formats is decoded when it is needed; an error still says which file it stands in.
TEST(Refusals, OfWhatAManifestHoldsNameTheManifest) {
  const testing::TemporaryFolder folder;
  const auto uri = folder.path() / "d.lance";
  fs::copy(testing::FixtureFolder("parity") / "damaged_row_ids_stable" / "dataset.lance", uri,
           fs::copy_options::recursive);
  SearchRequest request{.column = "vector", .query = std::vector<float>(16, 1.0F), .k = 3, .use_index = false};
  ASSERT_TRUE(Dataset::Open(uri.string()).ValueOrDie()->Search(request).ok());
  // The row ids of fragment 0, inline (field 5): a segment of a range that ends at 400, and then at 401.
  const std::string manifest = Dataset::Open(uri.string()).ValueOrDie()->manifest().path;
  std::string bytes = testing::ReadFile(uri / manifest);
  const std::string row_ids("\x2a\x07\x0a\x05\x0a\x03\x10\x90\x03", 9);
  const size_t at = bytes.find(row_ids);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 7] = '\x91';
  testing::WriteFile(uri / manifest, bytes);
  const arrow::Status status = Dataset::Open(uri.string()).ValueOrDie()->Search(request).status();
  EXPECT_TRUE(status.IsInvalid()) << status;
  EXPECT_THAT(status.message(), HasSubstr(manifest + ": fragment 0: "));
}

TEST(VectorIndexes, WithoutDetailsAreToldByTheirColumn) {
  lance::Manifest manifest;
  manifest.fields = {{.id = 0, .name = "id", .logical_type = "int64", .metadata = {}},
                     {.id = 1, .name = "vector", .logical_type = "fixed_size_list:float:8", .metadata = {}}};
  lance::IndexMetadata index;
  index.fragments = std::vector<uint32_t>{0};
  index.fields = {0};
  EXPECT_FALSE(IsVectorIndex(manifest, index));
  index.fields = {1};
  EXPECT_TRUE(IsVectorIndex(manifest, index));
  index.details_type_url = "/lance.table.BTreeIndexDetails";
  EXPECT_FALSE(IsVectorIndex(manifest, index));
}

}  // namespace
}  // namespace fewter
