#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fewter::testing {

/// A folder made by scripts/make_fixtures.sh. Ends the program with a message if it is not there: a test without its
/// input has tested nothing.
std::filesystem::path FixtureFolder(const std::string& name);

/// The folders in a folder, in the order of their names.
std::vector<std::string> CasesIn(const std::filesystem::path& folder);

std::string ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, const std::string& bytes);

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
