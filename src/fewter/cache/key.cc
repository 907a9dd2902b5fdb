#include "fewter/cache/key.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

// Keys are short: inlined, the hash of one takes about half the time.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fewter/util/bytes.h"

namespace fewter {
namespace {

KeyDigest Digest(const void* data, size_t size, uint64_t seed = 0) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
  return {.high = hash.high64, .low = hash.low64};
}

/// Most keys have no more bytes of fields than this, for which the hash takes a short way of its own.
constexpr size_t kShort = 16;

// Not inlined: the long way uses so many registers that the short one would pay for it.
[[gnu::noinline]] KeyDigest DigestOfMore(std::string_view text, uint64_t seed) {
  return Digest(text.data(), text.size(), seed);
}

}  // namespace

std::shared_ptr<const CacheNamespace> CacheNamespace::Root() {
  static const std::shared_ptr<const CacheNamespace> root(new CacheNamespace(std::string()));
  return root;
}

std::shared_ptr<const CacheNamespace> CacheNamespace::Child(std::string_view segment) const {
  assert(segment.size() <= std::numeric_limits<uint32_t>::max());
  const auto length = static_cast<uint32_t>(segment.size());
  std::string bytes = bytes_;
  bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
  bytes.append(segment);
  return std::shared_ptr<const CacheNamespace>(new CacheNamespace(std::move(bytes)));
}

CacheNamespace::CacheNamespace(std::string bytes)
    : bytes_(std::move(bytes)), digest_(Digest(bytes_.data(), bytes_.size())) {}

std::vector<std::string_view> CacheNamespace::segments() const {
  std::vector<std::string_view> segments;
  for (std::string_view rest = bytes_; !rest.empty();) {
    const auto length = LoadLittleEndian<uint32_t>(rest.data());
    segments.push_back(rest.substr(sizeof(length), length));
    rest.remove_prefix(sizeof(length) + length);
  }
  return segments;
}

std::string CacheNamespace::ToString() const {
  return ToString(bytes_);
}

std::string CacheNamespace::ToString(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    if (!text.empty()) text += " / ";
    if (bytes.size() < sizeof(uint32_t)) return text + "?";
    const auto length = LoadLittleEndian<uint32_t>(bytes.data());
    bytes.remove_prefix(sizeof(uint32_t));
    if (length > bytes.size()) return text + "?";
    text += bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  return text;
}

uint64_t HashOfTypeId(std::string_view type_id) {
  return XXH3_64bits(type_id.data(), type_id.size());
}

void KeyWriter::AppendToOverflow(const void* data, size_t size) {
  if (overflow_.empty()) overflow_.assign(inline_.data(), size_);
  overflow_.append(static_cast<const char*>(data), size);
}

EncodedKey::EncodedKey(const CacheNamespace& name_space, const KeyWriter& fields)
    : namespace_(&name_space), fields_(fields.bytes()) {
  // A namespace is hashed once, when it is made, and so is a type id; here their hashes stand for them.
  const std::string_view rest(fields_.data() + fields.type_id_bytes(), fields_.size() - fields.type_id_bytes());
  const KeyDigest& space = name_space.digest();
  const uint64_t seed = fields.type_id_hash() ^ space.low;
  digest_ = rest.size() <= kShort ? Digest(rest.data(), rest.size(), seed) : DigestOfMore(rest, seed);
  digest_.high ^= space.high;
}

std::string EncodedKey::Full() const {
  std::string full(FullSize(), '\0');
  WriteFull(full.data());
  return full;
}

void EncodedKey::WriteFull(char* to) const {
  const std::string& name_space = namespace_->bytes();
  const auto length = static_cast<uint32_t>(name_space.size());
  std::memcpy(to, &length, sizeof(length));
  to = std::copy(name_space.begin(), name_space.end(), to + sizeof(length));
  std::copy(fields_.begin(), fields_.end(), to);
}

bool EncodedKey::Matches(std::string_view full) const {
  const std::string& name_space = namespace_->bytes();
  return full.size() == FullSize() && LoadLittleEndian<uint32_t>(full.data()) == name_space.size() &&
         full.substr(sizeof(uint32_t), name_space.size()) == name_space && full.ends_with(fields_);
}

}  // namespace fewter
