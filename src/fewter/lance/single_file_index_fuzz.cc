#include <cstddef>
#include <cstdint>

#include "fewter/lance/in_memory_file_internal.h"
#include "fewter/lance/single_file_index.h"

// The input is a whole file, all of whose partitions are read.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewter::lance;
  constexpr size_t kMaxPartitions = 64;
  InMemoryFile file("fuzz", std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(size)));
  const auto index = ReadSingleFileIndex(&file);
  if (!index.ok()) return 0;
  for (size_t i = 0; i < std::min(index->offsets.size(), kMaxPartitions); ++i) {
    const auto rows = ReadSingleFileRows(&file, index->layout, index->offsets[i], index->lengths[i]);
    if (!rows.ok() || !(*rows)->ValidateFull().ok()) __builtin_trap();
  }
  return 0;
}
