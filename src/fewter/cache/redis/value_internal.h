#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fewter/cache/envelope.h"
#include "fewter/cache/key.h"

/// What lies under a Redis key: an entry's bytes, or, of an entry of more than a chunk, a head and the first chunk,
/// with the other chunks under keys of their own. Format: docs/format/cache_redis.md.

namespace fewter::redis {

/// Large values block a Redis server, which has one thread, for as long as it copies them.
inline constexpr int64_t kChunkBytes = int64_t{512} << 10;
/// The part before the first chunk.
inline constexpr int64_t kHeadBytes = 32;
/// No value of ours is longer.
inline constexpr int64_t kMaxValueBytes = kHeadBytes + kChunkBytes;

/// Where the chunks of an entry are.
struct ChunkedHead {
  /// Of the whole entry, more than kChunkBytes.
  int64_t total_bytes = 0;
  /// XXH3-64 of the whole entry. It names the chunks too, so that two writers of one entry write the same ones, and
  /// chunks of different contents are never mixed.
  uint64_t checksum = 0;

  int64_t chunks() const { return (total_bytes + kChunkBytes - 1) / kChunkBytes; }
  /// Chunk `i` is the bytes [ChunkBegin(i), ChunkBegin(i) + ChunkSize(i)) of the entry.
  static int64_t ChunkBegin(int64_t i) { return i * kChunkBytes; }
  int64_t ChunkSize(int64_t i) const;
};

ChunkedHead MakeChunkedHead(std::string_view entry);
/// The bytes before the first chunk.
std::string WriteHead(const ChunkedHead& head);

/// Whether `value` is the head of a chunked entry, rather than an entry itself.
bool IsChunked(std::string_view value);
/// Reads what IsChunked, trusting nothing: a hit only if all numbers agree with each other, with the length of `value`,
/// and with the limit.
EnvelopeVerdict ReadHead(std::string_view value, int64_t max_entry_bytes, ChunkedHead* head);

/// The same from the first bytes of a value, without the first chunk; false if they are not those of a head.
bool ReadHeadStart(std::string_view start, int64_t max_entry_bytes, ChunkedHead* head);

uint64_t Checksum(std::string_view bytes);

/// `<prefix>{<32 hex digits>}`; the braces make a cluster keep all keys of an entry on one node.
std::string HeadKey(std::string_view prefix, const KeyDigest& digest);
/// `<head's key>:<16 hex digits of the checksum>:<number>`.
std::string ChunkKey(std::string_view head_key, const ChunkedHead& head, int64_t chunk);
/// Whether `key` is one that HeadKey makes.
bool IsHeadKey(std::string_view prefix, std::string_view key);

/// The cluster's slot of a key, from what is between its first braces, or all of it.
int KeySlot(std::string_view key);
inline constexpr int kSlots = 16384;

/// Whether the first bytes of a value, as they lie under a head's key, are those of an entry in a namespace. True also
/// for those that cannot be read: an entry that nobody can use is no loss.
bool MayBeWithin(std::string_view value, const CacheNamespace& name_space);

}  // namespace fewter::redis
