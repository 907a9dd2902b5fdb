#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "fewter/cache/codec.h"

/// What a cache entry is called: a namespace, the type of the key, and typed fields.
///
/// A key is a small struct that a module declares next to the value it names:
///
///     struct PartitionKey {
///       using Value = Partition;
///       static constexpr std::string_view kTypeId = "fewter.vector.Partition";
///       static CacheCodec Codec() { return CacheCodec::For<Partition>(); }   // leave out: memory only
///       uint32_t partition;
///       void AppendFields(KeyWriter& fields) const { fields.U32(partition); }
///     };
///
/// A value says what it costs with `int64_t SizeInBytes() const`; for a value type that one does not own the key says
/// it, with `static int64_t SizeInBytes(const Value&)`. A value that refers to Arrow buffers should list them, with
/// `void AppendBuffers(BufferList*) const`; see CacheEntry.
///
/// Two keys are equal if their namespaces, type ids and fields are. Entries are immutable, so a key must name
/// everything that its value depends on; the namespace holds the part that many keys share (dataset, index UUID).

namespace fewter {

/// 128 bits of XXH3 over the fields of a key, seeded with its namespace and type id. Equal digests are taken for equal
/// keys in memory; an entry that came from outside the process repeats its full key, which is compared.
struct KeyDigest {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const KeyDigest&) const = default;
};

struct KeyDigestHash {
  size_t operator()(const KeyDigest& digest) const { return digest.low; }
};

/// A path of segments, e.g. "s3://bucket/table" / "6a1f…". Immutable and cheap to share.
///
/// Its bytes are the segments one after another, each as u32 length and bytes; so a namespace's bytes begin with its
/// ancestors', and no two paths have the same bytes.
class CacheNamespace {
 public:
  static std::shared_ptr<const CacheNamespace> Root();
  /// Requires a segment shorter than 4 GiB.
  std::shared_ptr<const CacheNamespace> Child(std::string_view segment) const;

  const std::string& bytes() const { return bytes_; }
  const KeyDigest& digest() const { return digest_; }
  /// True if this is `ancestor` or lies below it.
  bool IsWithin(const CacheNamespace& ancestor) const { return bytes_.starts_with(ancestor.bytes_); }
  /// From the outermost in; refer to this.
  std::vector<std::string_view> segments() const;
  /// The segments joined with " / ", for messages.
  std::string ToString() const;
  /// The same for bytes that may come from anywhere; what is malformed ends with "?".
  static std::string ToString(std::string_view bytes);

 private:
  explicit CacheNamespace(std::string bytes);
  std::string bytes_;
  KeyDigest digest_;
};

/// XXH3-64 of a type id: who keeps it saves each key a part of its digest.
uint64_t HashOfTypeId(std::string_view type_id);

/// Collects a key's type id and fields. Each field is a tag byte and a payload, so that no two lists of fields have the
/// same bytes. Stays on the stack for keys of up to kInlineBytes; such a key costs no allocation.
class KeyWriter {
 public:
  static constexpr size_t kInlineBytes = 160;

  /// `type_id` must outlive the writer.
  explicit KeyWriter(std::string_view type_id) : KeyWriter(type_id, HashOfTypeId(type_id)) {}
  /// With its hash.
  KeyWriter(std::string_view type_id, uint64_t hash) : type_id_(type_id), type_id_hash_(hash) {
    AppendText(kTypeIdTag, type_id);
  }

  void U32(uint32_t value) { AppendNumber(kU32Tag, value); }
  void U64(uint64_t value) { AppendNumber(kU64Tag, value); }
  void Bool(bool value) { AppendNumber(kBoolTag, static_cast<uint8_t>(value)); }
  /// Requires a text shorter than 4 GiB.
  void String(std::string_view value) { AppendText(kStringTag, value); }

  uint64_t type_id_hash() const { return type_id_hash_; }
  /// How many of the bytes are the type id's.
  size_t type_id_bytes() const { return kTextPrefix + type_id_.size(); }
  /// Valid until the writer changes, moves or goes.
  std::string_view bytes() const { return overflow_.empty() ? std::string_view(inline_.data(), size_) : overflow_; }

 private:
  // Part of the bytes that other processes and later releases compare: never change a value.
  static constexpr uint8_t kTypeIdTag = 1;
  static constexpr uint8_t kU32Tag = 2;
  static constexpr uint8_t kU64Tag = 3;
  static constexpr uint8_t kBoolTag = 4;
  static constexpr uint8_t kStringTag = 5;
  /// Tag and length.
  static constexpr size_t kTextPrefix = 5;

  template <typename T>
  void AppendNumber(uint8_t tag, T value) {
    if constexpr (sizeof(T) < sizeof(uint64_t)) {
      // In one store, little-endian: the hash reads it right away, and would wait if it were in pieces.
      const uint64_t both = uint64_t{value} << 8 | tag;
      if (overflow_.empty() && sizeof(both) <= kInlineBytes - size_) {
        std::memcpy(inline_.data() + size_, &both, sizeof(both));
        size_ += sizeof(tag) + sizeof(value);
        return;
      }
    }
    AppendRaw(&tag, sizeof(tag));
    AppendRaw(&value, sizeof(value));
  }

  void AppendText(uint8_t tag, std::string_view text) {
    AppendNumber(tag, static_cast<uint32_t>(text.size()));
    AppendRaw(text.data(), text.size());
  }

  void AppendRaw(const void* data, size_t size) {
    if (!overflow_.empty() || size > kInlineBytes - size_) return AppendToOverflow(data, size);
    if (size > 0) std::memcpy(inline_.data() + size_, data, size);
    size_ += size;
  }

  void AppendToOverflow(const void* data, size_t size);

  std::array<char, kInlineBytes> inline_;
  size_t size_ = 0;
  std::string_view type_id_;
  uint64_t type_id_hash_;
  /// All the bytes, once they are too many for inline_.
  std::string overflow_;
};

/// A key as a backend sees it: namespace, and the bytes of type id and fields, with the digest over both.
///
/// Refers to the namespace and the writer it was made from, which must outlive it; OwnedKey is a copy that stands
/// alone.
class EncodedKey {
 public:
  EncodedKey(const CacheNamespace& name_space, const KeyWriter& fields);

  const KeyDigest& digest() const { return digest_; }
  const CacheNamespace& name_space() const { return *namespace_; }
  std::string_view fields() const { return fields_; }

  /// The key as bytes that stand alone: u32 length of the namespace's bytes, the namespace's bytes, then the fields'.
  std::string Full() const;
  size_t FullSize() const { return sizeof(uint32_t) + namespace_->bytes().size() + fields_.size(); }
  /// Writes Full() to `to`, which has room for FullSize() bytes.
  void WriteFull(char* to) const;
  /// True if `full` are the bytes of Full(). Allocates nothing.
  bool Matches(std::string_view full) const;

 private:
  friend class OwnedKey;
  EncodedKey(const CacheNamespace& name_space, std::string_view fields, const KeyDigest& digest)
      : namespace_(&name_space), fields_(fields), digest_(digest) {}

  const CacheNamespace* namespace_;
  std::string_view fields_;
  KeyDigest digest_;
};

/// A copy of a key, for who keeps it longer than the call that it came with.
class OwnedKey {
 public:
  explicit OwnedKey(const EncodedKey& key)
      : namespace_(key.name_space()), fields_(key.fields()), digest_(key.digest()) {}

  const KeyDigest& digest() const { return digest_; }
  const CacheNamespace& name_space() const { return namespace_; }
  /// Refers to this, which must neither move nor go while it is used.
  EncodedKey view() const { return EncodedKey(namespace_, fields_, digest_); }

 private:
  CacheNamespace namespace_;
  std::string fields_;
  KeyDigest digest_;
};

/// What a type must have to be a cache key; see the top of this file.
template <typename K>
concept CacheKey = requires(const K& key, KeyWriter& fields) {
  typename K::Value;
  { K::kTypeId } -> std::convertible_to<std::string_view>;
  key.AppendFields(fields);
};

/// A key that says how its value becomes bytes.
template <typename K>
concept CacheKeyWithCodec = CacheKey<K> && requires {
  { K::Codec() } -> std::same_as<CacheCodec>;
};

/// A value of an interface type stays in memory, since its bytes could be those of any implementation.
template <CacheKey K>
inline constexpr bool kMayHaveCodec = !std::is_abstract_v<typename K::Value>;

/// The codec of a key type; an empty one for a key without.
template <CacheKey K>
CacheCodec CodecOf() {
  if constexpr (CacheKeyWithCodec<K>) {
    static_assert(kMayHaveCodec<K>, "the key of an interface type must not have a codec: its values stay in memory");
    return K::Codec();
  } else {
    return CacheCodec();
  }
}

}  // namespace fewter
