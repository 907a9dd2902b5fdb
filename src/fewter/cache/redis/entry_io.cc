#include "fewter/cache/redis/entry_io_internal.h"

#include <cstring>
#include <limits>
#include <random>

#include "fewter/cache/redis/value_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::redis {
namespace {

/// How much longer chunks live than their head, so that no head outlives its chunks.
constexpr int64_t kChunkGraceMilliseconds = 60000;
/// As much of a value as is read to learn its namespace.
constexpr int64_t kNamesBytes = 4096;

std::string_view AsText(const arrow::Buffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

Request MakeRequest(std::string_view key, const std::vector<std::string_view>& arguments,
                    std::optional<std::string_view> payload = {}) {
  Request request;
  request.slot = KeySlot(key);
  request.command = FormatCommand(arguments, payload);
  request.payload = payload;
  return request;
}

std::shared_ptr<arrow::Buffer> Allocate(int64_t bytes, arrow::MemoryPool* pool) {
  auto buffer = arrow::AllocateBuffer(bytes, kBufferAlignment, pool);
  return buffer.ok() ? *std::move(buffer) : nullptr;
}

/// What GETRANGE answered for a head; with chunks still to come, `head` says which.
void TakeHead(const valkeyReply* reply, const RedisBackendOptions& options, EntryRead* read, ChunkedHead* head) {
  if (reply == nullptr) return;
  if (IsError(*reply)) {
    if (TextOf(*reply).starts_with("WRONGTYPE")) read->verdict = EnvelopeVerdict::kNotOurs;
    return;
  }
  const std::string_view value = TextOf(*reply);
  if (value.empty()) return;
  if (reply->type != VALKEY_REPLY_STRING || static_cast<int64_t>(value.size()) > kMaxValueBytes) {
    read->verdict = EnvelopeVerdict::kNotOurs;
    return;
  }
  if (!IsChunked(value)) {
    read->bytes = Allocate(static_cast<int64_t>(value.size()), options.pool);
    if (read->bytes != nullptr) std::memcpy(read->bytes->mutable_data(), value.data(), value.size());
    return;
  }
  read->verdict = ReadHead(value, options.max_entry_bytes, head);
  if (read->verdict != EnvelopeVerdict::kHit) return;
  read->bytes = Allocate(head->total_bytes, options.pool);
  if (read->bytes == nullptr) return;
  std::memcpy(read->bytes->mutable_data(), value.data() + kHeadBytes, static_cast<size_t>(kChunkBytes));
}

/// An entry in chunks, of which the first is there.
struct ChunkedRead {
  EntryRead* read;
  ChunkedHead head;
  /// Its requests, among all.
  size_t first_request;
};

void AskForChunks(const ChunkedRead& chunked, std::vector<Request>* requests) {
  for (int64_t i = 1; i < chunked.head.chunks(); ++i) {
    const std::string key = ChunkKey(chunked.read->key, chunked.head, i);
    Request request = MakeRequest(key, {"GETRANGE", key, "0", std::to_string(kChunkBytes)});
    request.into = {chunked.read->bytes->mutable_data() + ChunkedHead::ChunkBegin(i),
                    static_cast<size_t>(chunked.head.ChunkSize(i))};
    requests->push_back(std::move(request));
  }
}

void FinishChunked(const ChunkedRead& chunked, std::span<const Request> requests) {
  EntryRead& read = *chunked.read;
  const auto own = requests.subspan(chunked.first_request, static_cast<size_t>(chunked.head.chunks()) - 1);
  for (const Request& request : own) {
    if (request.filled) continue;
    read.bytes = nullptr;
    // A chunk that has expired, or did not arrive in time, is no fault; one that is there, with another length, is.
    if (request.reply != nullptr && request.reply->type == VALKEY_REPLY_STRING && request.reply->len > 0) {
      read.verdict = EnvelopeVerdict::kCorrupt;
    }
    return;
  }
  if (Checksum(AsText(*read.bytes)) == chunked.head.checksum) return;
  read.bytes = nullptr;
  read.verdict = EnvelopeVerdict::kCorrupt;
}

/// The time to live of one entry, varied by a tenth up or down; 0 for ever.
int64_t JitteredTtl(const RedisBackendOptions& options) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int64_t ttl = options.ttl.count();
  return ttl == 0 ? 0 : std::max<int64_t>(1, ttl + std::uniform_int_distribution<int64_t>(-ttl / 10, ttl / 10)(random));
}

Request MakeSet(std::string_view key, std::string_view value, int64_t ttl_milliseconds) {
  // The value is the last argument of PSETEX, so it needs no copy; SET takes its options after it.
  if (ttl_milliseconds == 0) return MakeRequest(key, {"SET", key}, value);
  return MakeRequest(key, {"PSETEX", key, std::to_string(ttl_milliseconds)}, value);
}

}  // namespace

void ReadEntries(Client* client, const RedisBackendOptions& options, bool blame_timeouts, const Deadline& deadline,
                 std::span<EntryRead> reads) {
  // GETRANGE rather than GET: whatever somebody has put there, no more than a value of ours could have comes back.
  const std::string last = std::to_string(kMaxValueBytes);
  std::vector<Request> heads;
  for (const EntryRead& read : reads) heads.push_back(MakeRequest(read.key, {"GETRANGE", read.key, "0", last}));
  client->Run(heads, Use::kRead, deadline, blame_timeouts);

  std::vector<ChunkedRead> chunked;
  std::vector<Request> requests;
  for (size_t i = 0; i < reads.size(); ++i) {
    ChunkedHead head;
    TakeHead(heads[i].reply.get(), options, &reads[i], &head);
    heads[i].reply = nullptr;
    if (head.total_bytes == 0 || reads[i].bytes == nullptr) continue;
    chunked.push_back({.read = &reads[i], .head = head, .first_request = requests.size()});
    AskForChunks(chunked.back(), &requests);
  }
  if (chunked.empty()) return;
  client->Run(requests, Use::kRead, deadline, blame_timeouts);
  for (const ChunkedRead& one : chunked) FinishChunked(one, requests);
}

void WriteEntries(Client* client, const RedisBackendOptions& options, const Deadline& deadline,
                  std::span<EntryWrite> writes) {
  std::vector<Request> requests;
  std::vector<size_t> ends;
  // The heads' bytes, which the requests refer to.
  std::deque<std::string> heads;
  for (const EntryWrite& write : writes) {
    const std::string_view entry = AsText(*write.bytes);
    const int64_t ttl = JitteredTtl(options);
    if (write.bytes->size() <= kChunkBytes) {
      requests.push_back(MakeSet(write.key, entry, ttl));
    } else {
      const ChunkedHead head = MakeChunkedHead(entry);
      for (int64_t i = 1; i < head.chunks(); ++i) {
        const auto chunk =
            entry.substr(static_cast<size_t>(ChunkedHead::ChunkBegin(i)), static_cast<size_t>(kChunkBytes));
        requests.push_back(MakeSet(ChunkKey(write.key, head, i), chunk, ttl == 0 ? 0 : ttl + kChunkGraceMilliseconds));
      }
      heads.push_back(WriteHead(head).append(entry.substr(0, static_cast<size_t>(kChunkBytes))));
      requests.push_back(MakeSet(write.key, heads.back(), ttl));
    }
    ends.push_back(requests.size());
  }
  client->Run(requests, Use::kWrite, deadline);
  for (size_t i = 0, begin = 0; i < writes.size(); begin = ends[i++]) {
    writes[i].written =
        std::all_of(requests.begin() + static_cast<int64_t>(begin), requests.begin() + static_cast<int64_t>(ends[i]),
                    [](const Request& request) { return request.reply != nullptr && TextOf(*request.reply) == "OK"; });
  }
}

namespace {

/// Keys of ours on a node, page after page.
class Walk {
 public:
  Walk(Client* client, NodePtr node, std::string_view prefix) : client_(client), node_(std::move(node)) {
    for (const char c : prefix) {
      if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern_ += '\\';
      pattern_ += c;
    }
    pattern_ += "{*";
  }

  /// The next page, which may be empty; nothing at the end, or if the server does not answer.
  std::optional<std::vector<std::string>> Next(const Deadline& deadline) {
    if (cursor_.empty()) return std::nullopt;
    std::vector<Request> requests(1);
    requests[0].node = node_;
    requests[0].command = FormatCommand({"SCAN", cursor_, "MATCH", pattern_, "COUNT", "1000"});
    client_->Run(requests, Use::kRead, deadline);
    const valkeyReply* const page = requests[0].reply.get();
    if (page == nullptr || page->type != VALKEY_REPLY_ARRAY || page->elements != 2) return std::nullopt;
    const valkeyReply* const cursor = page->element[0];
    const valkeyReply* const found = page->element[1];
    if (cursor == nullptr || found == nullptr || found->type != VALKEY_REPLY_ARRAY) return std::nullopt;
    cursor_ = TextOf(*cursor) == "0" ? "" : std::string(TextOf(*cursor));
    std::vector<std::string> keys;
    for (const valkeyReply* key : std::span(found->element, found->elements)) {
      if (key != nullptr) keys.emplace_back(TextOf(*key));
    }
    return keys;
  }

 private:
  Client* const client_;
  const NodePtr node_;
  std::string pattern_;
  std::string cursor_ = "0";
};

/// The head keys of `keys` whose entries are in the namespace, and the keys of their chunks.
std::vector<std::string> KeysWithin(Client* client, const RedisBackendOptions& options, const NodePtr& node,
                                    const CacheNamespace& name_space, const std::vector<std::string>& keys,
                                    const Deadline& deadline) {
  std::vector<std::string> heads;
  std::vector<Request> requests;
  for (const std::string& key : keys) {
    if (!IsHeadKey(options.prefix, key)) continue;
    heads.push_back(key);
    requests.push_back(MakeRequest(key, {"GETRANGE", key, "0", std::to_string(kNamesBytes - 1)}));
    requests.back().node = node;
  }
  client->Run(requests, Use::kRead, deadline);
  std::vector<std::string> within;
  for (size_t i = 0; i < heads.size(); ++i) {
    const valkeyReply* const reply = requests[i].reply.get();
    if (reply == nullptr || IsError(*reply) || !MayBeWithin(TextOf(*reply), name_space)) continue;
    within.push_back(heads[i]);
    ChunkedHead head;
    if (!ReadHeadStart(TextOf(*reply), options.max_entry_bytes, &head)) continue;
    for (int64_t chunk = 1; chunk < head.chunks(); ++chunk) within.push_back(ChunkKey(heads[i], head, chunk));
  }
  return within;
}

}  // namespace

void RemoveAll(Client* client, const RedisBackendOptions& options, const NodePtr& node,
               const CacheNamespace& name_space, const Deadline& deadline) {
  const bool all = name_space.bytes().empty();
  Walk walk(client, node, options.prefix);
  while (auto keys = walk.Next(deadline)) {
    if (!all) keys = KeysWithin(client, options, node, name_space, *keys, deadline);
    std::vector<Request> requests;
    for (const std::string& key : *keys) {
      requests.push_back(MakeRequest(key, {"UNLINK", key}));
      requests.back().node = node;
    }
    client->Run(requests, Use::kWrite, deadline);
  }
}

}  // namespace fewter::redis
