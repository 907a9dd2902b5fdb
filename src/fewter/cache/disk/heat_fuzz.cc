#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <xxhash.h>

#include "fewter/cache/disk/heat.h"

namespace {

void Decode(const std::string& bytes) {
  const auto table = fewter::disk::DecodeHeat(bytes);
  if (!table.ok()) return;
  for (const auto& [key, heat] : *table) {
    if (!(heat.At(0) >= 0) || !(heat.At(UINT32_MAX) >= 0)) std::abort();
  }
  // Two records of one key become one.
  if (fewter::disk::EncodeHeat(*table).size() > bytes.size()) std::abort();
}

}  // namespace

// As it is, and once more with its checksum put right.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Decode(bytes);
  constexpr size_t kChecksum = 24;
  constexpr size_t kRecords = 32;
  if (size < kRecords) return 0;
  const uint64_t checksum =
      XXH3_64bits_withSeed(bytes.data() + kRecords, size - kRecords, XXH3_64bits(bytes.data(), kChecksum));
  std::memcpy(bytes.data() + kChecksum, &checksum, sizeof(checksum));
  Decode(bytes);
  return 0;
}
