#include <cstdlib>
#include <string_view>

#include "fewter/lance/row_ids.h"
#include "fewter/util/bytes.h"

// The first four bytes are the fragment's number of rows; the sequence follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeader = 4;
  constexpr uint32_t kMostRows = 1 << 20;
  if (size < kHeader) return 0;
  const uint32_t rows = fewter::LoadLittleEndian<uint32_t>(data) % kMostRows;
  const std::string_view bytes(reinterpret_cast<const char*>(data + kHeader), size - kHeader);
  const auto ids = fewter::lance::ParseRowIdSequence(bytes, rows);
  if (ids.ok() && ids->size() != rows) std::abort();
  return 0;
}
