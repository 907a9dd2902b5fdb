#include "fewter/cache/redis/redis_backend.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include <arrow/io/interfaces.h>

#include "fewter/cache/envelope.h"
#include "fewter/cache/query.h"
#include "fewter/cache/redis/client_internal.h"
#include "fewter/cache/redis/entry_io_internal.h"
#include "fewter/cache/redis/value_internal.h"
#include "fewter/cache/redis/write_queue_internal.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/bytes.h"

namespace fewter {
namespace redis {
namespace {

using std::chrono::nanoseconds;

constexpr int64_t kBatchBytes = int64_t{8} << 20;
/// How long Invalidate walks the keys.
constexpr std::chrono::seconds kWalkTime{30};

class RedisBackend final : public CacheBackend {
 public:
  explicit RedisBackend(std::shared_ptr<const Shared> shared, arrow::internal::Executor* executor)
      : shared_(std::move(shared)),
        client_(shared_),
        queue_(std::make_shared<WriteQueue>(
            executor,
            WriteQueue::Limits{
                .bytes = options().max_queue_bytes, .entries = options().max_queue_entries, .batch_bytes = kBatchBytes},
            [this](auto batch, const auto& cancelled) { Write(std::move(batch), cancelled); })) {}

  ~RedisBackend() override { queue_->Stop(); }

  std::string_view kind() const override { return "redis"; }

  bool is_remote() const override { return true; }
  std::string_view Locate(const EncodedKey& key) const override {
    const nanoseconds time = TimeForReading();
    if (time.count() <= 0) return {};
    const std::string redis_key = HeadKey(options().prefix, key.digest());
    std::vector<Request> requests(1);
    requests[0].slot = KeySlot(redis_key);
    requests[0].command = FormatCommand({"EXISTS", redis_key});
    Read(requests, time);
    const valkeyReply* reply = requests[0].reply.get();
    return reply != nullptr && reply->type == VALKEY_REPLY_INTEGER && reply->integer == 1 ? kind() : std::string_view();
  }

  void Flush() override {
    // Each batch ends by itself; a server that is away makes the others end at once.
    queue_->Flush(options().write_timeout * 8);
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    CacheEntry found;
    LookupMany({&key, 1}, codec, type, {&found, 1});
    return found;
  }

  CacheEntry LookupAgain(const EncodedKey&, const CacheCodec&, const std::type_info&) override { return {}; }

  void LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                  std::span<CacheEntry> found) override {
    const nanoseconds time = TimeForReading();
    if (!codec || keys.empty() || time.count() <= 0) return;
    std::vector<EntryRead> reads;
    reads.reserve(keys.size());
    for (const EncodedKey& key : keys) reads.emplace_back(HeadKey(options().prefix, key.digest()));
    Fetch(reads, time);
    for (size_t i = 0; i < keys.size(); ++i) found[i] = Decode(keys[i], codec, type, reads[i]);
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    if (!codec || entry.bytes + entry.mapped_bytes > options().max_entry_bytes) return;
    if (!queue_->Offer({.key = OwnedKey(key), .codec = codec, .entry = std::move(entry)})) counters().Evictions(1);
  }

  void Invalidate(const CacheNamespace& name_space) override {
    queue_->Drop(name_space, options().write_timeout);
    const Deadline deadline = Deadline::After(kWalkTime);
    for (const NodePtr& node : client_.Serving()) RemoveAll(&client_, options(), node, name_space, deadline);
  }

  Contents Held() const override { return {}; }
  HealthReport Health() const override { return client_.Health(); }

 private:
  const RedisBackendOptions& options() const { return shared_->options; }

  nanoseconds TimeForReading() const {
    const CacheQuery* const query = CacheQuery::Current();
    const nanoseconds most = options().timeout;
    return query == nullptr ? most : std::min(most, query->remote_left());
  }

  /// Runs `work` with a deadline and takes what it took from the query's allowance.
  template <typename Work>
  static void Timed(nanoseconds time, const Work& work) {
    const auto start = Deadline::Clock::now();
    work(Deadline::After(time));
    if (CacheQuery* const query = CacheQuery::Current()) query->SpendRemote(Deadline::Clock::now() - start);
  }

  /// A server can only be blamed for being late if it had some time: a query may come with its last microsecond.
  bool IsFair(nanoseconds time) const { return time >= nanoseconds(options().timeout) / 4; }

  void Read(std::span<Request> requests, nanoseconds time) const {
    Timed(time, [&](const Deadline& deadline) { client_.Run(requests, Use::kRead, deadline, IsFair(time)); });
  }

  void Fetch(std::span<EntryRead> reads, nanoseconds time) const {
    Timed(time, [&](const Deadline& deadline) { ReadEntries(&client_, options(), IsFair(time), deadline, reads); });
  }

  CacheEntry Decode(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type, EntryRead& read) {
    EnvelopeVerdict verdict = read.verdict;
    if (verdict == EnvelopeVerdict::kHit) {
      if (read.bytes == nullptr) return {};
      DecodedEntry decoded = DecodeEntry(key, codec, read.bytes);
      verdict = decoded.verdict;
      if (decoded.hit()) {
        const int64_t bytes = read.bytes->size();
        return {.value = std::move(decoded.value), .type = &type, .bytes = bytes, .encoded = std::move(read.bytes)};
      }
    }
    // The miss makes the caller load and insert the entry, which replaces what is there.
    counters().Rejected(verdict);
    return {};
  }

  /// What the queue's task does with a batch.
  void Write(std::vector<PendingEntry> batch, const std::atomic<bool>& cancelled) {
    std::vector<EntryWrite> writes;
    for (PendingEntry& pending : batch) {
      if (cancelled) return;
      const EncodedKey key = pending.key.view();
      std::shared_ptr<arrow::Buffer> bytes = std::move(pending.entry.encoded);
      if (bytes == nullptr) {
        auto encoded = EncodeEntry(key, pending.codec, pending.entry.value.get(), options().pool);
        if (!encoded.ok()) {
          counters().EncodeFailure();
          continue;
        }
        bytes = *std::move(encoded);
      }
      // What it waited for is done: the value may go while its bytes are sent.
      pending.entry = {};
      if (bytes->size() > options().max_entry_bytes) continue;
      writes.push_back({.key = HeadKey(options().prefix, key.digest()), .bytes = std::move(bytes)});
    }
    WriteEntries(&client_, options(), Deadline::After(options().write_timeout, &cancelled), writes);
    for (const EntryWrite& write : writes) {
      if (write.written) counters().Insertion();
    }
  }

  const std::shared_ptr<const Shared> shared_;
  mutable Client client_;
  const std::shared_ptr<WriteQueue> queue_;
};

arrow::Status Check(const RedisBackendOptions& options) {
  const auto wrong = [](auto&&... parts) { return ArgumentError("redis: ", parts...); };
  if (options.servers.empty() == options.unix_socket.empty()) return wrong("either servers or a Unix socket is needed");
  if (options.servers.size() > 1 && !options.cluster) return wrong("several servers need a cluster");
  if (options.cluster && !options.unix_socket.empty()) return wrong("a cluster has no Unix socket");
  if (options.cluster && options.database != 0) return wrong("a cluster has only database 0");
  if (options.tls && !options.unix_socket.empty()) return wrong("there is no TLS over a Unix socket");
  if (options.prefix.find_first_of("{}") != std::string::npos) return wrong("the prefix must not contain braces");
  if (options.timeout.count() <= 0 || options.connect_timeout.count() <= 0 || options.write_timeout.count() <= 0) {
    return wrong("timeouts must be longer than 0");
  }
  if (options.ttl.count() < 0 || options.connections < 1 || options.max_queue_bytes < 0 ||
      options.max_queue_entries < 0 || options.max_entry_bytes < 0) {
    return wrong("a ttl, a limit or the number of connections is negative");
  }
  for (const RedisAddress& server : options.servers) {
    if (server.host.empty() || server.port < 1 || server.port > 65535) return wrong("a server has no host or no port");
  }
  if (!options.unix_socket.empty()) return UnixAddress(options.unix_socket).status();
  return arrow::Status::OK();
}

}  // namespace
}  // namespace redis

arrow::Result<std::shared_ptr<CacheBackend>> MakeRedisBackend(RedisBackendOptions options) {
  ARROW_RETURN_NOT_OK(redis::Check(options));
  auto shared = std::make_shared<redis::Shared>();
  ARROW_ASSIGN_OR_RAISE(shared->tls, redis::MakeTlsContext(options));
  if (options.executor == nullptr) options.executor = arrow::io::default_io_context().executor();
  auto* const executor = options.executor;
  shared->options = std::move(options);
  return std::make_shared<redis::RedisBackend>(std::move(shared), executor);
}

}  // namespace fewter
