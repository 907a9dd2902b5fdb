#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/test_values_internal.h"

/// A directory that goes with the test, and short names for what tests of the disk cache do.

namespace fewter::disk::testing {

using fewter::testing::Text;
using fewter::testing::TextKey;

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_((std::filesystem::temp_directory_path() / "fewter_disk_XXXXXX").string()) {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The files of a directory with a name that begins so, sorted.
inline std::vector<std::filesystem::path> FilesOf(const std::string& directory, std::string_view prefix = "seg-") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::shared_ptr<CacheBackend> Open(DiskBackendOptions options) {
  auto backend = MakeDiskBackend(std::move(options));
  EXPECT_TRUE(backend.ok()) << backend.status();
  return *backend;
}

inline std::shared_ptr<CacheBackend> Open(const TemporaryDirectory& directory) {
  return Open(DiskBackendOptions{.directory = directory.path()});
}

inline void Put(const Cache& cache, uint64_t number, std::string_view text) {
  cache.Insert(TextKey{number}, Text::Make(text));
}

inline std::optional<std::string> Find(const Cache& cache, uint64_t number) {
  const auto found = cache.Get(TextKey{number});
  return found == nullptr ? std::nullopt : std::optional(found->ToString());
}

}  // namespace fewter::disk::testing
