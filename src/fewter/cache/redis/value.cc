#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <xxhash.h>

#include "fewter/cache/envelope_internal.h"
#include "fewter/cache/redis/value_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::redis {
namespace {

constexpr std::array<char, 4> kMagic = {'F', 'W', 'R', 'C'};
constexpr uint16_t kVersion = 1;

/// As it lies in the bytes (little-endian, no padding).
struct StoredHead {
  std::array<char, 4> magic;
  uint16_t version;
  uint16_t reserved;
  uint32_t chunk_bytes;
  uint32_t chunks;
  uint64_t total_bytes;
  uint64_t checksum;
};
static_assert(sizeof(StoredHead) == kHeadBytes && std::has_unique_object_representations_v<StoredHead>);

}  // namespace

int64_t ChunkedHead::ChunkSize(int64_t i) const {
  return std::min(kChunkBytes, total_bytes - ChunkBegin(i));
}

uint64_t Checksum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

ChunkedHead MakeChunkedHead(std::string_view entry) {
  return {.total_bytes = static_cast<int64_t>(entry.size()), .checksum = Checksum(entry)};
}

std::string WriteHead(const ChunkedHead& head) {
  const StoredHead stored{.magic = kMagic,
                          .version = kVersion,
                          .reserved = 0,
                          .chunk_bytes = static_cast<uint32_t>(kChunkBytes),
                          .chunks = static_cast<uint32_t>(head.chunks()),
                          .total_bytes = static_cast<uint64_t>(head.total_bytes),
                          .checksum = head.checksum};
  return std::string(reinterpret_cast<const char*>(&stored), sizeof(stored));
}

bool IsChunked(std::string_view value) {
  return value.starts_with(std::string_view(kMagic.data(), kMagic.size()));
}

EnvelopeVerdict ReadHead(std::string_view value, int64_t max_entry_bytes, ChunkedHead* head) {
  if (value.size() < sizeof(StoredHead)) return EnvelopeVerdict::kCorrupt;
  if (LoadLittleEndian<StoredHead>(value.data()).version > kVersion) return EnvelopeVerdict::kTooNew;
  ChunkedHead read;
  if (value.size() != static_cast<size_t>(kMaxValueBytes) || !ReadHeadStart(value, max_entry_bytes, &read)) {
    return EnvelopeVerdict::kCorrupt;
  }
  *head = read;
  return EnvelopeVerdict::kHit;
}

bool ReadHeadStart(std::string_view start, int64_t max_entry_bytes, ChunkedHead* head) {
  if (!IsChunked(start) || start.size() < sizeof(StoredHead)) return false;
  const auto stored = LoadLittleEndian<StoredHead>(start.data());
  if (stored.version != kVersion || stored.reserved != 0 || stored.chunk_bytes != kChunkBytes ||
      stored.total_bytes <= static_cast<uint64_t>(kChunkBytes) ||
      stored.total_bytes > static_cast<uint64_t>(max_entry_bytes)) {
    return false;
  }
  *head = {.total_bytes = static_cast<int64_t>(stored.total_bytes), .checksum = stored.checksum};
  return stored.chunks == head->chunks();
}

std::string HeadKey(std::string_view prefix, const KeyDigest& digest) {
  return fmt::format("{}{{{:016x}{:016x}}}", prefix, digest.high, digest.low);
}

std::string ChunkKey(std::string_view head_key, const ChunkedHead& head, int64_t chunk) {
  return fmt::format("{}:{:016x}:{}", head_key, head.checksum, chunk);
}

bool IsHeadKey(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return false;
  key.remove_prefix(prefix.size());
  return key.size() == 34 && key.starts_with('{') && key.ends_with('}') &&
         key.find_first_not_of("0123456789abcdef", 1) == 33;
}

int KeySlot(std::string_view key) {
  if (const size_t open = key.find('{'); open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close != open + 1) key = key.substr(open + 1, close - open - 1);
  }
  // CRC-16/XMODEM, a bit at a time: a key is 32 bytes.
  uint32_t crc = 0;
  for (const char byte : key) {
    crc ^= static_cast<uint32_t>(static_cast<uint8_t>(byte)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1;
  }
  return static_cast<int>(crc & (kSlots - 1));
}

bool MayBeWithin(std::string_view value, const CacheNamespace& name_space) {
  using internal::EnvelopeHeader;
  if (IsChunked(value)) value.remove_prefix(std::min(value.size(), sizeof(StoredHead)));
  if (value.size() < sizeof(EnvelopeHeader)) return true;
  const auto header = LoadLittleEndian<EnvelopeHeader>(value.data());
  if (header.magic != internal::kEnvelopeMagic) return true;
  // The full key: its namespace's length and bytes come first.
  value.remove_prefix(sizeof(EnvelopeHeader));
  value.remove_prefix(std::min<size_t>(value.size(), header.type_id_length));
  if (value.size() < sizeof(uint32_t)) return true;
  const auto length = LoadLittleEndian<uint32_t>(value.data());
  value.remove_prefix(sizeof(uint32_t));
  if (length < name_space.bytes().size()) return false;
  // As much of it as is there: a namespace longer than what was asked for is taken for one within.
  const size_t compared = std::min(value.size(), name_space.bytes().size());
  return value.substr(0, compared) == std::string_view(name_space.bytes()).substr(0, compared);
}

}  // namespace fewter::redis
