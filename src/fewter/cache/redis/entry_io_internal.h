#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include <arrow/buffer.h>

#include "fewter/cache/envelope.h"
#include "fewter/cache/redis/client_internal.h"

/// Entries, as bytes, to and from Redis.

namespace fewter::redis {

struct EntryRead {
  explicit EntryRead(std::string head_key) : key(std::move(head_key)) {}

  /// As HeadKey made it.
  std::string key;
  /// Aligned; null if there is no entry, or none that arrived in time.
  std::shared_ptr<arrow::Buffer> bytes = {};
  /// Other than a hit if there was something that cannot be the entry.
  EnvelopeVerdict verdict = EnvelopeVerdict::kHit;
};

/// Reads entries in one round trip, and what is in chunks in a second one.
void ReadEntries(Client* client, const RedisBackendOptions& options, bool blame_timeouts, const Deadline& deadline,
                 std::span<EntryRead> reads);

struct EntryWrite {
  std::string key = {};
  std::shared_ptr<arrow::Buffer> bytes = {};
  /// Whether the server has taken all of it.
  bool written = false;
};

/// Writes entries in one round trip; of chunked ones the head is last.
void WriteEntries(Client* client, const RedisBackendOptions& options, const Deadline& deadline,
                  std::span<EntryWrite> writes);

/// Removes what one server has of a namespace.
void RemoveAll(Client* client, const RedisBackendOptions& options, const NodePtr& node,
               const CacheNamespace& name_space, const Deadline& deadline);

}  // namespace fewter::redis
