#include "fewter/cache/envelope.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <utility>

#include <arrow/io/memory.h>
#include <xxhash.h>

#include "fewter/cache/envelope_internal.h"
#include "fewter/util/bytes.h"

namespace fewter {

using internal::EnvelopeHeader;

namespace {

constexpr auto kAlignment = static_cast<uint64_t>(kBufferAlignment);

std::string_view AsText(const arrow::Buffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

/// Where the body of an entry with this type id and key begins.
uint64_t BodyOffset(uint64_t type_id_length, uint64_t key_length) {
  return RoundUp(sizeof(EnvelopeHeader) + type_id_length + key_length, kAlignment);
}

arrow::Status Serialize(const CacheCodec& codec, const void* value, arrow::io::OutputStream* out) {
  try {
    return codec.Serialize(value, out);
  } catch (const std::exception& thrown) {
    return arrow::Status::UnknownError(codec.type_id(), ": the codec threw: ", thrown.what());
  }
}

/// Null if the codec refuses the body.
std::shared_ptr<const void> Deserialize(const CacheCodec& codec, const std::shared_ptr<arrow::Buffer>& body) {
  try {
    return codec.Deserialize(body).ValueOr(nullptr);
  } catch (const std::exception&) {
    return nullptr;
  }
}

/// Writes all but the body, which is there already, to `entry`.
void Seal(const EncodedKey& key, const CacheCodec& codec, uint64_t body_offset, uint64_t body_length, char* entry,
          uint64_t size) {
  const std::string_view type_id = codec.type_id();
  char* const names = entry + sizeof(EnvelopeHeader);
  std::memcpy(names, type_id.data(), type_id.size());
  key.WriteFull(names + type_id.size());
  char* const names_end = names + type_id.size() + key.FullSize();
  std::fill(names_end, entry + body_offset, '\0');
  std::fill(entry + body_offset + body_length, entry + size, '\0');

  EnvelopeHeader header{.magic = internal::kEnvelopeMagic,
                        .envelope_version = internal::kEnvelopeVersion,
                        .type_id_length = static_cast<uint16_t>(type_id.size()),
                        .type_version = codec.type_version(),
                        .key_length = static_cast<uint32_t>(key.FullSize()),
                        .body_offset = body_offset,
                        .body_length = body_length,
                        .body_checksum = XXH3_64bits(entry + body_offset, body_length),
                        .reserved = {},
                        .header_checksum = 0};
  std::memcpy(entry, &header, sizeof(header));
  header.header_checksum = internal::EnvelopeHeaderChecksum({entry, size}, body_offset);
  std::memcpy(entry, &header, sizeof(header));
}

/// Whether `entry` is a whole entry with a sound header, of whatever type and key.
EnvelopeVerdict ReadHeader(std::string_view entry, EnvelopeHeader* header) {
  if (entry.size() < sizeof(EnvelopeHeader)) return EnvelopeVerdict::kNotOurs;
  *header = LoadLittleEndian<EnvelopeHeader>(entry.data());
  if (header->magic != internal::kEnvelopeMagic) return EnvelopeVerdict::kNotOurs;
  if (header->envelope_version > internal::kEnvelopeVersion) return EnvelopeVerdict::kTooNew;
  if (header->envelope_version < internal::kEnvelopeVersion) return EnvelopeVerdict::kCorrupt;
  // Neither sum can overflow: the lengths of the names have 16 and 32 bits, and the body is compared with what is left.
  const uint64_t body_offset = BodyOffset(header->type_id_length, header->key_length);
  if (header->body_offset != body_offset || !RangeIsInside(body_offset, header->body_length, entry.size()) ||
      RoundUp(body_offset + header->body_length, kAlignment) != entry.size() ||
      header->header_checksum != internal::EnvelopeHeaderChecksum(entry, body_offset)) {
    return EnvelopeVerdict::kCorrupt;
  }
  return EnvelopeVerdict::kHit;
}

/// Whether an entry with a sound header is the one that is asked for.
EnvelopeVerdict MatchNames(const EncodedKey& key, const CacheCodec& codec, const EnvelopeHeader& header,
                           std::string_view entry) {
  const std::string_view names = entry.substr(sizeof(EnvelopeHeader));
  if (names.substr(0, header.type_id_length) != codec.type_id()) return EnvelopeVerdict::kOtherType;
  if (header.type_version > codec.type_version()) return EnvelopeVerdict::kTooNew;
  if (header.type_version < codec.type_version()) return EnvelopeVerdict::kTooOld;
  if (!key.Matches(names.substr(header.type_id_length, header.key_length))) return EnvelopeVerdict::kOtherKey;
  return EnvelopeVerdict::kHit;
}

bool BodyIsIntact(const EnvelopeHeader& header, std::string_view entry) {
  const std::string_view body = entry.substr(header.body_offset, header.body_length);
  const std::string_view padding = entry.substr(header.body_offset + header.body_length);
  return XXH3_64bits(body.data(), body.size()) == header.body_checksum &&
         std::all_of(padding.begin(), padding.end(), [](char byte) { return byte == '\0'; });
}

}  // namespace

uint64_t internal::EnvelopeHeaderChecksum(std::string_view entry, uint64_t body_offset) {
  const uint64_t seed = XXH3_64bits(entry.data(), offsetof(EnvelopeHeader, header_checksum));
  const std::string_view names = entry.substr(sizeof(EnvelopeHeader), body_offset - sizeof(EnvelopeHeader));
  return XXH3_64bits_withSeed(names.data(), names.size(), seed);
}

std::string_view ToString(EnvelopeVerdict verdict) {
  switch (verdict) {
    case EnvelopeVerdict::kHit:
      return "hit";
    case EnvelopeVerdict::kNotOurs:
      return "not ours";
    case EnvelopeVerdict::kTooNew:
      return "too new";
    case EnvelopeVerdict::kTooOld:
      return "too old";
    case EnvelopeVerdict::kOtherType:
      return "other type";
    case EnvelopeVerdict::kOtherKey:
      return "other key";
    case EnvelopeVerdict::kCorrupt:
      return "corrupt";
  }
  return "unknown";
}

arrow::Result<std::shared_ptr<arrow::Buffer>> EncodeEntry(const EncodedKey& key, const CacheCodec& codec,
                                                          const void* value, arrow::MemoryPool* pool) {
  if (codec.type_id().size() > std::numeric_limits<uint16_t>::max() ||
      key.FullSize() > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::Invalid("cache entry: the type id or the key is too long: ", codec.type_id().size(), " and ",
                                  key.FullSize(), " bytes");
  }
  // Measuring first costs no copy of the body, where a buffer that grows would copy it and end up too large.
  arrow::io::MockOutputStream measure;
  ARROW_RETURN_NOT_OK(Serialize(codec, value, &measure));
  const int64_t body_length = measure.GetExtentBytesWritten();
  const uint64_t body_offset = BodyOffset(codec.type_id().size(), key.FullSize());
  const uint64_t size = RoundUp(body_offset + static_cast<uint64_t>(body_length), kAlignment);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> entry,
                        arrow::AllocateBuffer(static_cast<int64_t>(size), kBufferAlignment, pool));

  arrow::io::FixedSizeBufferWriter out(
      arrow::SliceMutableBuffer(entry, static_cast<int64_t>(body_offset), body_length));
  ARROW_RETURN_NOT_OK(Serialize(codec, value, &out));
  ARROW_ASSIGN_OR_RAISE(const int64_t written, out.Tell());
  if (written != body_length) {
    return arrow::Status::Invalid(codec.type_id(), ": the codec wrote ", written, " bytes after it had written ",
                                  body_length);
  }
  Seal(key, codec, body_offset, static_cast<uint64_t>(body_length), reinterpret_cast<char*>(entry->mutable_data()),
       size);
  return entry;
}

DecodedEntry DecodeEntry(const EncodedKey& key, const CacheCodec& codec, const std::shared_ptr<arrow::Buffer>& bytes,
                         VerifyBody verify) {
  const std::string_view entry = AsText(*bytes);
  DecodedEntry decoded;
  EnvelopeHeader header;
  decoded.verdict = ReadHeader(entry, &header);
  if (decoded.hit()) decoded.verdict = MatchNames(key, codec, header, entry);
  if (!decoded.hit()) return decoded;

  decoded.verdict = EnvelopeVerdict::kCorrupt;
  if (verify == VerifyBody::kYes && !BodyIsIntact(header, entry)) return decoded;
  // Without memory for the copy the entry is lost, as it would be without memory for its value.
  const auto body = EnsureAligned(
      arrow::SliceBuffer(bytes, static_cast<int64_t>(header.body_offset), static_cast<int64_t>(header.body_length)));
  if (!body.ok()) return decoded;
  decoded.value = Deserialize(codec, *body);
  if (decoded.value == nullptr) return decoded;
  decoded.verdict = EnvelopeVerdict::kHit;
  decoded.body_bytes = static_cast<int64_t>(header.body_length);
  return decoded;
}

InspectedEntry InspectEntry(std::string_view bytes) {
  InspectedEntry inspected;
  EnvelopeHeader header;
  inspected.header = ReadHeader(bytes, &header);
  if (inspected.header != EnvelopeVerdict::kHit) return inspected;
  const std::string_view names = bytes.substr(sizeof(EnvelopeHeader));
  const std::string_view key = names.substr(header.type_id_length, header.key_length);
  uint32_t name_space_length = 0;
  if (key.size() >= sizeof(uint32_t)) name_space_length = LoadLittleEndian<uint32_t>(key.data());
  if (!RangeIsInside(sizeof(uint32_t), name_space_length, key.size())) {
    inspected.header = EnvelopeVerdict::kCorrupt;
    return inspected;
  }
  inspected.body_is_intact = BodyIsIntact(header, bytes);
  inspected.type_id = names.substr(0, header.type_id_length);
  inspected.type_version = header.type_version;
  inspected.name_space = key.substr(sizeof(uint32_t), name_space_length);
  inspected.fields = key.substr(sizeof(uint32_t) + name_space_length);
  inspected.body_bytes = static_cast<int64_t>(header.body_length);
  return inspected;
}

}  // namespace fewter
