#include "fixtures.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/record_batch.h>

namespace fewter::testing {

std::filesystem::path FixtureFolder(const std::string& name) {
  const char* root = std::getenv("FEWTER_FIXTURES");
  const std::filesystem::path folder = std::filesystem::path(root == nullptr ? "build/fixtures" : root) / name;
  if (!std::filesystem::is_directory(folder)) {
    std::cerr << "no fixtures in " << folder << ": run scripts/make_fixtures.sh, or set FEWTER_FIXTURES\n";
    std::exit(1);
  }
  return folder;
}

std::vector<std::string> CasesIn(const std::filesystem::path& folder) {
  std::vector<std::string> cases;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) cases.push_back(entry.path().string());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

arrow::Result<std::vector<uint64_t>> IdsOfScan(const Dataset& dataset, std::shared_ptr<const Filter> filter,
                                               uint64_t batch_size) {
  ARROW_ASSIGN_OR_RAISE(const auto reader,
                        dataset.Scan({.columns = {"_rowid"}, .filter = std::move(filter), .batch_size = batch_size}));
  std::vector<uint64_t> ids;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto batch, reader->Next());
    if (batch == nullptr) return ids;
    const auto& column = static_cast<const arrow::UInt64Array&>(*batch->column(0));
    ids.insert(ids.end(), column.raw_values(), column.raw_values() + column.length());
  }
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "fewter_test_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    std::cerr << "cannot make a folder like " << name << "\n";
    std::exit(1);
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace fewter::testing
