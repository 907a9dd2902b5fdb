#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fewter/lance/file_reader.h"
#include "fewter/lance/in_memory_file_internal.h"

// The input is a whole file, all of whose columns are read: a batch at its start, and one at its end.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fewter::lance::FileReader;
  using fewter::lance::InMemoryFile;
  // A few bytes can stand for any number of rows, and a few more for any number of columns.
  constexpr uint64_t kMaxRows = 4096;
  constexpr size_t kMaxFields = 16;
  const auto bytes = std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(size));
  auto reader = FileReader::Open(std::make_shared<InMemoryFile>("fuzz", bytes));
  if (!reader.ok()) return 0;
  (void)(*reader)->ReadGlobalBuffer(1).ok();
  const auto& metadata = (*reader)->metadata();
  const uint64_t length = std::min(metadata.num_rows(), kMaxRows);
  for (size_t i = 0; i < std::min(metadata.fields().size(), kMaxFields); ++i) {
    for (const uint64_t start : {uint64_t{0}, metadata.num_rows() - length}) {
      const auto batch = (*reader)->ReadRows({metadata.fields()[i].name}, start, length);
      if (batch.ok() && !(*batch)->ValidateFull().ok()) __builtin_trap();
    }
  }
  return 0;
}
