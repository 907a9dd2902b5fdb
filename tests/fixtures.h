#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fewter/dataset/dataset.h"

namespace fewter::testing {

/// A folder made by scripts/make_fixtures.sh. Ends the program with a message if it is not there: a test without its
/// input has tested nothing.
std::filesystem::path FixtureFolder(const std::string& name);

/// The folders in a folder, in the order of their names.
std::vector<std::string> CasesIn(const std::filesystem::path& folder);

std::string ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, const std::string& bytes);

/// The ids of the rows that a scan with a filter gives.
arrow::Result<std::vector<uint64_t>> IdsOfScan(const Dataset& dataset, std::shared_ptr<const Filter> filter,
                                               uint64_t batch_size = 97);

/// A folder that is removed, with all in it, at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace fewter::testing
