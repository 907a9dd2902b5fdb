#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

/// The bytes of an entry's header. Format: docs/format/cache_entry.md.

namespace fewter::internal {

inline constexpr std::array<char, 4> kEnvelopeMagic = {'F', 'W', 'C', 'E'};
inline constexpr uint16_t kEnvelopeVersion = 1;

/// The fixed part of the header, as it lies in the bytes (little-endian, no padding). The type id and the full key
/// follow it, then zeros up to body_offset.
struct EnvelopeHeader {
  std::array<char, 4> magic;
  uint16_t envelope_version;
  uint16_t type_id_length;
  uint32_t type_version;
  uint32_t key_length;
  uint64_t body_offset;
  uint64_t body_length;
  /// XXH3-64 of the body.
  uint64_t body_checksum;
  /// Written as zero.
  std::array<uint64_t, 2> reserved;
  /// EnvelopeHeaderChecksum of this entry; last, so that the rest of the struct is one range.
  uint64_t header_checksum;
};
static_assert(sizeof(EnvelopeHeader) == 64 && std::has_unique_object_representations_v<EnvelopeHeader>);
static_assert(offsetof(EnvelopeHeader, type_version) == 8 && offsetof(EnvelopeHeader, body_offset) == 16 &&
              offsetof(EnvelopeHeader, reserved) == 40 && offsetof(EnvelopeHeader, header_checksum) == 56);

/// XXH3-64 of the bytes between the fixed header and the body, seeded with the XXH3-64 of the fixed header before the
/// checksum field. `entry` begins with the header and reaches at least to the body, whose offset is given.
uint64_t EnvelopeHeaderChecksum(std::string_view entry, uint64_t body_offset);

}  // namespace fewter::internal
