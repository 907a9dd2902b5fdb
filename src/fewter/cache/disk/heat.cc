#include "fewter/cache/disk/heat.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <xxhash.h>

#include "fewter/util/bytes.h"

namespace fewter::disk {
namespace {

constexpr std::array<char, 8> kMagic = {'F', 'W', 'H', 'E', 'A', 'T', '\0', '\0'};
constexpr uint32_t kVersion = 1;
constexpr float kHalfLifeSeconds = 24 * 60 * 60;

struct HeatHeader {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  uint32_t reserved = 0;
  uint64_t count = 0;
  /// XXH3-64 of the records, seeded with that of the bytes before this.
  uint64_t checksum = 0;
};
static_assert(sizeof(HeatHeader) == 32);

struct HeatRecord {
  KeyDigest key;
  float uses = 0;
  uint32_t last_use = 0;
};
static_assert(sizeof(HeatRecord) == 24);

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

uint64_t Checksum(const HeatHeader& header, std::string_view records) {
  return XXH3_64bits_withSeed(records.data(), records.size(), XXH3_64bits(&header, offsetof(HeatHeader, checksum)));
}

}  // namespace

float Heat::At(uint32_t now) const {
  // A clock that was put back does not heat anything.
  if (now <= last_use) return uses;
  return uses * std::exp2(-static_cast<float>(now - last_use) / kHalfLifeSeconds);
}

void Heat::Add(const Heat& other) {
  const uint32_t latest = std::max(last_use, other.last_use);
  *this = {.uses = At(latest) + other.At(latest), .last_use = latest};
}

std::string EncodeHeat(const HeatTable& table) {
  std::string records;
  records.reserve(table.size() * sizeof(HeatRecord));
  for (const auto& [key, heat] : table) {
    records += BytesOf(HeatRecord{.key = key, .uses = heat.uses, .last_use = heat.last_use});
  }
  HeatHeader header{.magic = kMagic, .version = kVersion, .count = table.size()};
  header.checksum = Checksum(header, records);
  return std::string(BytesOf(header)) + records;
}

arrow::Result<HeatTable> DecodeHeat(std::string_view bytes) {
  if (bytes.size() < sizeof(HeatHeader)) return arrow::Status::Invalid("a heat file of ", bytes.size(), " bytes");
  const auto header = LoadLittleEndian<HeatHeader>(bytes.data());
  const std::string_view records = bytes.substr(sizeof(HeatHeader));
  if (header.magic != kMagic) return arrow::Status::Invalid("a heat file with another magic number");
  if (header.version > kVersion) return arrow::Status::NotImplemented("a heat file of version ", header.version);
  if (header.version != kVersion || records.size() % sizeof(HeatRecord) != 0 ||
      header.count != records.size() / sizeof(HeatRecord) || header.checksum != Checksum(header, records)) {
    return arrow::Status::Invalid("a heat file whose bytes do not agree with its checksum");
  }
  HeatTable table;
  table.reserve(header.count);
  for (size_t i = 0; i < header.count; ++i) {
    const auto record = LoadLittleEndian<HeatRecord>(records.data() + i * sizeof(HeatRecord));
    if (!std::isfinite(record.uses) || record.uses < 0) return arrow::Status::Invalid("a heat file with a bad count");
    table[record.key] = {.uses = record.uses, .last_use = record.last_use};
  }
  return table;
}

uint32_t SecondsNow() {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace fewter::disk
