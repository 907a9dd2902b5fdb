#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <arrow/result.h>

#include "fewter/cache/key.h"

/// The bytes of a segment file around its entries. Format: docs/format/cache_segment.md.
///
///     header (64 bytes) | entries | footer: names, entry table | trailer (64 bytes)
///
/// A reader begins at the end: the trailer says where the footer is, the footer where the entries are. Nothing in a
/// file is believed before its checksum agrees, and nothing after that without a check of its bounds.

namespace fewter::disk {

inline constexpr uint32_t kSegmentVersion = 1;
/// Where entries start; also the size of header and trailer.
inline constexpr uint64_t kEntryAlignment = 64;
/// Where entries start that have a segment of their own: at a page, so that reading one reads nothing else.
inline constexpr uint64_t kLargeEntryAlignment = 4096;

/// Names a segment. Later ones compare greater: the time when it was made comes first.
struct SegmentId {
  /// Nanoseconds since 1970.
  uint64_t time = 0;
  uint64_t random = 0;
  bool operator==(const SegmentId&) const = default;
  auto operator<=>(const SegmentId&) const = default;
};

/// "seg-<32 hexadecimal digits>.fwseg"; these names sort as the ids do.
std::string SegmentFileName(const SegmentId& id);
/// Nothing for a name that is not of this form.
std::optional<SegmentId> ParseSegmentFileName(std::string_view name);

/// The first bytes of the file, as they lie there (little-endian, no padding).
struct SegmentHeader {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  uint32_t reserved = 0;
  SegmentId id;
  std::array<uint64_t, 3> zeros{};
  /// XXH3-64 of the bytes before it.
  uint64_t checksum = 0;
};
static_assert(sizeof(SegmentHeader) == 64 && offsetof(SegmentHeader, checksum) == 56);

/// The last bytes of the file.
struct SegmentTrailer {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  uint32_t reserved = 0;
  SegmentId id;
  uint64_t footer_offset = 0;
  uint64_t footer_length = 0;
  uint64_t footer_checksum = 0;
  /// XXH3-64 of the bytes before it.
  uint64_t checksum = 0;
};
static_assert(sizeof(SegmentTrailer) == 64 && offsetof(SegmentTrailer, checksum) == 56);

/// One place of the entry table.
struct SegmentRecord {
  KeyDigest digest;
  uint64_t offset = 0;
  uint64_t length = 0;
  /// XXH3-64 of the entry's bytes.
  uint64_t checksum = 0;
  /// Which of the namespaces, and of the type ids.
  uint32_t name_space = 0;
  uint32_t type_id = 0;
  /// How often the entry had been asked for when the segment was sealed, and when last, in seconds since 1970.
  uint32_t uses = 0;
  uint32_t last_use = 0;
  bool operator==(const SegmentRecord&) const = default;
};
static_assert(sizeof(SegmentRecord) == 56 && std::has_unique_object_representations_v<SegmentRecord>);

/// What a segment holds. Records are in the order of their offsets and do not overlap.
struct SegmentFooter {
  SegmentId id;
  /// CacheNamespace::bytes() of each namespace that occurs.
  std::vector<std::string> name_spaces;
  std::vector<std::string> type_ids;
  std::vector<SegmentRecord> records;
};

std::string EncodeSegmentHeader(const SegmentId& id);
/// Footer and trailer for a file whose entries end at `offset`, a multiple of 8.
std::string EncodeSegmentEnd(const SegmentFooter& footer, uint64_t offset);

/// Checks the last 64 bytes of a file of that many bytes. NotImplemented for a newer version, Invalid for what is not a
/// trailer.
arrow::Result<SegmentTrailer> DecodeSegmentTrailer(std::string_view last_bytes, uint64_t file_bytes);
/// Invalid for what EncodeSegmentEnd would not have written. Allocates in proportion to the bytes that there are.
arrow::Result<SegmentFooter> DecodeSegmentFooter(std::string_view footer, const SegmentTrailer& trailer);
/// Whether the first 64 bytes of a file are the header of the segment of that id.
bool IsSegmentHeader(std::string_view first_bytes, const SegmentId& id);

/// Of the bytes of an entry, or of a footer.
uint64_t SegmentChecksum(std::string_view bytes);

}  // namespace fewter::disk
