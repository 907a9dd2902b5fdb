/// Damaged index files: a Status that names the file, or a well-formed answer, and never a crash (the sanitizer builds
/// run this too).

#include <filesystem>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "fewter/dataset/dataset.h"
#include "fixtures.h"

namespace fewter {
namespace {

namespace fs = std::filesystem;

/// A copy of a small dataset whose files can be damaged.
class Corruption : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    fs::copy(testing::FixtureFolder("parity") / GetParam() / "dataset.lance", folder_.path() / "d.lance",
             fs::copy_options::recursive);
    uri_ = (folder_.path() / "d.lance").string();
    for (const auto& entry : fs::recursive_directory_iterator(uri_)) {
      if (entry.path().extension() == ".idx") files_.push_back(entry.path());
    }
    ASSERT_EQ(files_.size(), 2U);
    auto dataset = Dataset::Open(uri_).ValueOrDie();
    request_ = {.column = "vector", .query = dataset->ReadVector("vector", 0).ValueOrDie(), .k = 5, .nprobes = 100};
    ASSERT_EQ(dataset->Search(request_).ValueOrDie().rows.size(), 5U);
  }

  /// Searches everything; an error must name the damaged file.
  bool SearchNames(const fs::path& damaged) {
    auto result = Dataset::Open(uri_).ValueOrDie()->Search(request_);
    if (result.ok()) return true;
    const std::string message = result.status().ToString();
    return message.find(damaged.filename().string()) != std::string::npos || Fail(message);
  }

  static bool Fail(const std::string& message) {
    ADD_FAILURE() << "does not name the file: " << message;
    return false;
  }

  testing::TemporaryFolder folder_;
  std::string uri_;
  std::vector<fs::path> files_;
  SearchRequest request_;
};

TEST_P(Corruption, FlippedBytes) {
  std::mt19937_64 random(11);
  for (const auto& path : files_) {
    const std::string good = testing::ReadFile(path);
    for (int trial = 0; trial < 400; ++trial) {
      std::string bad = good;
      // Half of the damage goes to the metadata at the end, where structure is.
      const size_t span = trial % 2 == 0 ? bad.size() : std::min<size_t>(bad.size(), 2000);
      const size_t at = bad.size() - 1 - random() % span;
      bad[at] = static_cast<char>(bad[at] ^ (1U << (random() % 8)));
      testing::WriteFile(path, bad);
      ASSERT_TRUE(SearchNames(path)) << path.filename() << ", byte " << at;
    }
    testing::WriteFile(path, good);
  }
}

TEST_P(Corruption, Truncated) {
  for (const auto& path : files_) {
    const std::string good = testing::ReadFile(path);
    for (size_t length = 0; length < good.size(); length += 1 + good.size() / 150) {
      testing::WriteFile(path, good.substr(0, length));
      auto result = Dataset::Open(uri_).ValueOrDie()->Search(request_);
      ASSERT_FALSE(result.ok()) << length;
      EXPECT_NE(result.status().ToString().find(path.filename().string()), std::string::npos)
          << result.status().ToString();
    }
    testing::WriteFile(path, good);
  }
}

TEST_P(Corruption, FilesSwapped) {
  const std::string first = testing::ReadFile(files_[0]);
  testing::WriteFile(files_[0], testing::ReadFile(files_[1]));
  testing::WriteFile(files_[1], first);
  EXPECT_FALSE(Dataset::Open(uri_).ValueOrDie()->Search(request_).ok());
}

INSTANTIATE_TEST_SUITE_P(Indexes, Corruption,
                         ::testing::Values("version_2.0_ivf_pq", "version_2.1_ivf_flat", "version_2.2_ivf_pq",
                                           "grid_ivf_pq4_dot_64", "kind_ivf_flat_l2_f16", "kind_ivf_sq_cosine_f32",
                                           "kind_ivf_rq5_l2_f32", "kind_ivf_hnsw_flat_hamming_8",
                                           "kind_ivf_hnsw_pq_l2_f32", "kind_ivf_hnsw_sq_dot_f32"),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           for (char& c : name) {
                             if (c == '.') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace fewter
