#include <algorithm>
#include <cstdlib>

#include <arrow/buffer.h>

#include "fewter/lance/deletions.h"
#include "fewter/util/bytes.h"

// The first four bytes are the number of deleted rows and, in the lowest bit, the file's type; the file follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeader = 4;
  constexpr uint64_t kPhysicalRows = 1 << 20;
  if (size < kHeader) return 0;
  const auto header = fewter::LoadLittleEndian<uint32_t>(data);
  const auto bytes = std::make_shared<arrow::Buffer>(data + kHeader, static_cast<int64_t>(size - kHeader));
  const auto type = static_cast<fewter::lance::DeletionFileType>(header & 1);
  const auto offsets = fewter::lance::ParseDeletions(bytes, type, header >> 1, kPhysicalRows);
  if (!offsets.ok()) return 0;
  if (offsets->size() != header >> 1) std::abort();
  if (!std::is_sorted(offsets->begin(), offsets->end())) std::abort();
  if (!offsets->empty() && offsets->back() >= kPhysicalRows) std::abort();
  return 0;
}
