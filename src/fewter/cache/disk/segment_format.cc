#include "fewter/cache/disk/segment_format.h"

#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "fewter/util/bytes.h"

namespace fewter::disk {
namespace {

constexpr std::array<char, 8> kHeaderMagic = {'F', 'W', 'S', 'E', 'G', 'M', 'N', 'T'};
constexpr std::array<char, 8> kTrailerMagic = {'F', 'W', 'S', 'E', 'G', 'E', 'N', 'D'};
constexpr std::string_view kPrefix = "seg-";
constexpr std::string_view kSuffix = ".fwseg";

/// The fixed part at the beginning of a footer.
struct FooterCounts {
  uint32_t name_spaces = 0;
  uint32_t type_ids = 0;
  uint64_t records = 0;
};

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

void AppendTexts(const std::vector<std::string>& texts, std::string* out) {
  for (const std::string& text : texts) {
    *out += BytesOf(static_cast<uint32_t>(text.size()));
    *out += text;
  }
}

/// Takes bytes off the front of a footer.
class FooterReader {
 public:
  explicit FooterReader(std::string_view footer) : left_(footer) {}

  bool Take(uint64_t length, std::string_view* bytes) {
    if (length > left_.size()) return false;
    *bytes = left_.substr(0, length);
    left_.remove_prefix(length);
    return true;
  }

  bool TakeTexts(uint32_t count, std::vector<std::string>* texts) {
    // Each has at least its length.
    if (count > left_.size() / sizeof(uint32_t)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      std::string_view length;
      std::string_view text;
      if (!Take(sizeof(uint32_t), &length) || !Take(LoadLittleEndian<uint32_t>(length.data()), &text)) return false;
      texts->emplace_back(text);
    }
    return true;
  }

  size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
};

bool RecordFits(const SegmentRecord& record, const SegmentFooter& footer, uint64_t begin, uint64_t end) {
  return record.offset >= begin && record.offset % kEntryAlignment == 0 && record.length > 0 &&
         RangeIsInside(record.offset, record.length, end) && record.name_space < footer.name_spaces.size() &&
         record.type_id < footer.type_ids.size();
}

}  // namespace

std::string SegmentFileName(const SegmentId& id) {
  return fmt::format("{}{:016x}{:016x}{}", kPrefix, id.time, id.random, kSuffix);
}

std::optional<SegmentId> ParseSegmentFileName(std::string_view name) {
  if (name.size() != kPrefix.size() + 32 + kSuffix.size()) return std::nullopt;
  SegmentId id;
  const char* const digits = name.data() + kPrefix.size();
  std::from_chars(digits, digits + 16, id.time, 16);
  std::from_chars(digits + 16, digits + 32, id.random, 16);
  if (SegmentFileName(id) != name) return std::nullopt;
  return id;
}

uint64_t SegmentChecksum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string EncodeSegmentHeader(const SegmentId& id) {
  SegmentHeader header{.magic = kHeaderMagic, .version = kSegmentVersion, .id = id};
  header.checksum = SegmentChecksum(BytesOf(header).substr(0, offsetof(SegmentHeader, checksum)));
  return std::string(BytesOf(header));
}

std::string EncodeSegmentEnd(const SegmentFooter& footer, uint64_t offset) {
  std::string bytes(BytesOf(FooterCounts{.name_spaces = static_cast<uint32_t>(footer.name_spaces.size()),
                                         .type_ids = static_cast<uint32_t>(footer.type_ids.size()),
                                         .records = footer.records.size()}));
  AppendTexts(footer.name_spaces, &bytes);
  AppendTexts(footer.type_ids, &bytes);
  for (const SegmentRecord& record : footer.records) bytes += BytesOf(record);
  SegmentTrailer trailer{.magic = kTrailerMagic,
                         .version = kSegmentVersion,
                         .id = footer.id,
                         .footer_offset = offset,
                         .footer_length = bytes.size(),
                         .footer_checksum = SegmentChecksum(bytes)};
  trailer.checksum = SegmentChecksum(BytesOf(trailer).substr(0, offsetof(SegmentTrailer, checksum)));
  bytes += BytesOf(trailer);
  return bytes;
}

arrow::Result<SegmentTrailer> DecodeSegmentTrailer(std::string_view last_bytes, uint64_t file_bytes) {
  if (last_bytes.size() != sizeof(SegmentTrailer) || file_bytes < sizeof(SegmentHeader) + sizeof(SegmentTrailer)) {
    return arrow::Status::Invalid("a segment of ", file_bytes, " bytes is too short");
  }
  const auto trailer = LoadLittleEndian<SegmentTrailer>(last_bytes.data());
  if (trailer.magic != kTrailerMagic) return arrow::Status::Invalid("a segment without an end");
  if (trailer.checksum != SegmentChecksum(last_bytes.substr(0, offsetof(SegmentTrailer, checksum)))) {
    return arrow::Status::Invalid("a segment whose trailer does not agree with its checksum");
  }
  if (trailer.version > kSegmentVersion) {
    return arrow::Status::NotImplemented("a segment of version ", trailer.version, "; this release knows ",
                                         kSegmentVersion);
  }
  uint64_t end;
  if (trailer.version != kSegmentVersion || trailer.footer_offset < sizeof(SegmentHeader) ||
      !CheckedAdd(trailer.footer_offset, trailer.footer_length, &end) || end != file_bytes - sizeof(SegmentTrailer)) {
    return arrow::Status::Invalid("a segment whose footer does not reach from its entries to its trailer");
  }
  return trailer;
}

arrow::Result<SegmentFooter> DecodeSegmentFooter(std::string_view footer, const SegmentTrailer& trailer) {
  if (footer.size() != trailer.footer_length || SegmentChecksum(footer) != trailer.footer_checksum) {
    return arrow::Status::Invalid("a segment whose footer does not agree with its checksum");
  }
  FooterReader reader(footer);
  std::string_view bytes;
  if (!reader.Take(sizeof(FooterCounts), &bytes)) return arrow::Status::Invalid("a segment footer without counts");
  const auto counts = LoadLittleEndian<FooterCounts>(bytes.data());
  SegmentFooter decoded{.id = trailer.id, .name_spaces = {}, .type_ids = {}, .records = {}};
  if (!reader.TakeTexts(counts.name_spaces, &decoded.name_spaces) ||
      !reader.TakeTexts(counts.type_ids, &decoded.type_ids)) {
    return arrow::Status::Invalid("a segment footer whose names are cut short");
  }
  if (reader.left() % sizeof(SegmentRecord) != 0 || counts.records != reader.left() / sizeof(SegmentRecord)) {
    return arrow::Status::Invalid("a segment footer with room for ", reader.left() / sizeof(SegmentRecord),
                                  " entries instead of ", counts.records);
  }
  decoded.records.reserve(counts.records);
  uint64_t end = sizeof(SegmentHeader);
  while (reader.Take(sizeof(SegmentRecord), &bytes) && !bytes.empty()) {
    const auto record = LoadLittleEndian<SegmentRecord>(bytes.data());
    if (!RecordFits(record, decoded, end, trailer.footer_offset)) {
      return arrow::Status::Invalid("a segment footer whose entry ", decoded.records.size(), " lies outside its place");
    }
    end = record.offset + record.length;
    decoded.records.push_back(record);
  }
  return decoded;
}

bool IsSegmentHeader(std::string_view first_bytes, const SegmentId& id) {
  return first_bytes == EncodeSegmentHeader(id);
}

}  // namespace fewter::disk
