#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "fewter/cache/backend.h"
#include "fewter/cache/health.h"

namespace arrow::internal {
class Executor;
}

/// A cache that lives in a Redis or Valkey server, or a cluster of them, which a whole fleet shares.
///
/// It can only help. A server that is down, slow, full or damaged costs misses and at most the timeouts below, never an
/// error and never a wrong answer: whatever comes back is compared with its key and its checksums. These find damage,
/// not forgery: who may write to the server is trusted with what searches answer. Format: docs/format/cache_redis.md.
///
///  - A lookup asks for all its keys in one round trip, and in a second one for the rest of values of more than 512
///  KiB.
///    It ends within min(timeout, what the query in scope has left); what has not arrived by then is a miss.
///  - An insertion is put into a queue that one task on the executor at a time writes to the server. When the queue is
///    full, entries are dropped (counted as evictions). Destroying the backend drops what is queued.
///  - After a failure the node concerned is left alone for a while; see TierHealth. In a cluster each node has its own.
///    Health() adds the nodes' counts and says how the worst of them is.
///  - Invalidate walks all keys of the prefix on every server, for at most half a minute. Since entries are never
///  stale,
///    it only frees room.
///  - Stats() knows nothing of what the server holds: entries and bytes are 0. kind() is "redis".
///  - Entries without a codec are declined.
///  - After a fork the child opens its own connections; see MakeMemoryBackend for what a fork must not happen beside.

namespace fewter {

/// Whether the server's certificate must be that of the host that was asked for.
enum class RedisTlsVerify : uint8_t {
  /// Signed by a trusted authority, and for the name that was connected to (or tls_server_name).
  kFull = 0,
  /// Signed by a trusted authority; as redis-cli does it.
  kAuthority,
  /// Anything.
  kNone,
};

struct RedisAddress {
  std::string host;
  int port = 6379;
  bool operator==(const RedisAddress&) const = default;
};

struct RedisBackendOptions {
  /// One server; for a cluster, some of its nodes, from which the others are learnt.
  std::vector<RedisAddress> servers = {};
  /// The path of a Unix socket, instead of servers.
  std::string unix_socket = {};
  /// For AUTH; without a user, the server's default user. No AUTH if there is no password.
  std::string user = {};
  std::string password = {};
  /// For SELECT; a cluster has only 0.
  int database = 0;
  bool cluster = false;

  bool tls = false;
  /// PEM files, as redis-cli's --cacert, --cert and --key. Without an authority, those that OpenSSL trusts by default.
  std::string tls_ca = {};
  std::string tls_cert = {};
  std::string tls_key = {};
  /// The name that is asked for (SNI) and, with kFull, verified; by default the host.
  std::string tls_server_name = {};
  RedisTlsVerify tls_verify = RedisTlsVerify::kFull;

  /// What all keys begin with. Must not contain braces, which mean something to a cluster.
  std::string prefix = "fewter:1:";
  /// How long an entry lives, varied by a tenth up or down so that not all expire together; 0 for ever.
  std::chrono::milliseconds ttl{std::chrono::hours(7 * 24)};
  /// The longest that a lookup takes, all included.
  std::chrono::milliseconds timeout{200};
  /// How much of that a new connection may take: name resolution, TCP, TLS and AUTH together.
  std::chrono::milliseconds connect_timeout{100};
  /// The longest that writing a batch of entries (8 MiB, or one larger entry) takes.
  std::chrono::milliseconds write_timeout{2000};
  /// Connections for lookups to each server; whoever finds all in use waits within its timeout. Writing has one more.
  int connections = 4;
  /// What the queue of insertions holds at most.
  int64_t max_queue_bytes = int64_t{64} << 20;
  int64_t max_queue_entries = 4096;
  /// Larger entries are neither written nor read.
  int64_t max_entry_bytes = int64_t{256} << 20;

  HealthOptions health = {};
  /// Where insertions are written and names are resolved; null for Arrow's IO pool.
  arrow::internal::Executor* executor = nullptr;
  /// Where entries are read to.
  arrow::MemoryPool* pool = arrow::default_memory_pool();
};

/// Reads a URI. Several hosts need cluster=true.
///
///     redis://[[user]:password@]host[:6379][,host…][/database][?option=value&…]
///     rediss://…                                 the same with TLS
///     redis+unix://[[user]:password@]/path/to/socket[?db=2&…]
///
/// Options: ttl, timeout, connect_timeout, write_timeout (as 250ms, 2s, 5m, 1h, 7d), max_queue, max_entry (as 64MiB),
/// connections, cluster (true, false), prefix, db; with TLS ca, cert, key, sni and verify (full, ca, none).
///
/// An argument error (util/argument_error.h) that names what was wrong, and never repeats a password.
arrow::Result<RedisBackendOptions> ParseRedisUri(const std::string& uri);

/// Connects when it is first used, so it does not fail because a server is down. An argument error for options that
/// contradict each other and for certificates that cannot be read; NotImplemented if fewter was built without
/// FEWTER_REDIS.
arrow::Result<std::shared_ptr<CacheBackend>> MakeRedisBackend(RedisBackendOptions options);

}  // namespace fewter
