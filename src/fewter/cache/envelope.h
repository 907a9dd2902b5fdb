#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "fewter/cache/codec.h"
#include "fewter/cache/key.h"

/// The envelope: an entry as bytes that say what they are.
///
/// A header repeats the type and the full key of the entry and carries checksums, so that bytes that were cut short,
/// mixed up, written by another version or by somebody else are recognised. Format: docs/format/cache_entry.md.

namespace fewter {

/// Why bytes were not the entry that was asked for. Every one of these is a miss, never an error.
enum class EnvelopeVerdict : uint8_t {
  kHit = 0,
  /// Too short, or another magic number.
  kNotOurs,
  /// A newer envelope, or a newer version of the type than the codec knows.
  kTooNew,
  /// An older version of the type than the codec writes.
  kTooOld,
  /// A value of another type.
  kOtherType,
  /// The entry of another key.
  kOtherKey,
  /// Lengths or checksums that do not agree with the bytes, or a body that the codec refused.
  kCorrupt,
};
inline constexpr int kEnvelopeVerdicts = 7;
std::string_view ToString(EnvelopeVerdict verdict);

/// The entry's bytes, in 64-byte aligned memory whose size is a multiple of 64; the body starts at a multiple of 64.
/// `codec` must not be empty.
arrow::Result<std::shared_ptr<arrow::Buffer>> EncodeEntry(const EncodedKey& key, const CacheCodec& codec,
                                                          const void* value,
                                                          arrow::MemoryPool* pool = arrow::default_memory_pool());

struct DecodedEntry {
  EnvelopeVerdict verdict = EnvelopeVerdict::kNotOurs;
  /// Null unless kHit. Points into the bytes that were decoded and keeps them alive.
  std::shared_ptr<const void> value;
  /// The length of the body in bytes.
  int64_t body_bytes = 0;
  bool hit() const { return verdict == EnvelopeVerdict::kHit; }
};

enum class VerifyBody : bool { kNo = false, kYes = true };

/// Decodes what EncodeEntry wrote, trusting nothing. Pass kNo only for a body whose checksum has been verified before.
/// If `bytes` are not aligned they are copied once.
DecodedEntry DecodeEntry(const EncodedKey& key, const CacheCodec& codec, const std::shared_ptr<arrow::Buffer>& bytes,
                         VerifyBody verify = VerifyBody::kYes);

/// What an entry says of itself, for who has neither its key nor its codec.
struct InspectedEntry {
  /// kHit for a whole entry with a sound header; otherwise kNotOurs, kTooNew or kCorrupt, and the rest is empty.
  EnvelopeVerdict header = EnvelopeVerdict::kNotOurs;
  /// Whether the body agrees with its checksum.
  bool body_is_intact = false;
  /// These refer to the bytes that were inspected.
  std::string_view type_id;
  uint32_t type_version = 0;
  /// CacheNamespace::bytes(), and EncodedKey::fields().
  std::string_view name_space;
  std::string_view fields;
  int64_t body_bytes = 0;
};
InspectedEntry InspectEntry(std::string_view bytes);

}  // namespace fewter
