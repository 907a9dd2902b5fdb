#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "fewter/cache/redis/client_internal.h"
#include "fewter/cache/redis/value_internal.h"

using fewter::redis::ChunkedHead;

namespace {

/// What reading a value under a Redis key does with it.
void ReadValue(std::string_view value) {
  constexpr int64_t kMaxEntryBytes = 1 << 28;
  ChunkedHead head;
  if (fewter::redis::IsChunked(value) && fewter::redis::ReadHeadStart(value, kMaxEntryBytes, &head)) {
    if (head.total_bytes > kMaxEntryBytes || head.chunks() < 2) std::abort();
    // The chunks tile the entry.
    const int64_t last = head.chunks() - 1;
    if (ChunkedHead::ChunkBegin(last) + head.ChunkSize(last) != head.total_bytes || head.ChunkSize(last) < 1) {
      std::abort();
    }
  }
  fewter::redis::ReadHead(value, kMaxEntryBytes, &head);
  fewter::redis::MayBeWithin(value, *fewter::CacheNamespace::Root()->Child("a"));
}

}  // namespace

// Whatever a server sends, taking it apart reads nothing outside, and does not take more memory than the server has
// earned by sending.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto shared = [] {
    auto made = std::make_shared<fewter::redis::Shared>();
    made->options.servers = {{"127.0.0.1", 1}};
    made->options.cluster = true;
    return made;
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ReadValue(bytes);
  valkeyReader* const reader = valkeyReaderCreate();
  fewter::redis::LimitReader(reader);
  // In two pieces, as it may arrive.
  const size_t half = size / 2;
  for (const std::string_view piece : {bytes.substr(0, half), bytes.substr(half)}) {
    valkeyReaderFeed(reader, piece.data(), piece.size());
    void* next = nullptr;
    while (valkeyReaderGetReply(reader, &next) == VALKEY_OK && next != nullptr) {
      const fewter::redis::ReplyPtr reply(static_cast<valkeyReply*>(next));
      const std::string_view text = fewter::redis::TextOf(*reply);
      ReadValue(text);
      fewter::redis::FaultOf(*reply);
      fewter::redis::RedirectionTarget(text, {"host", 1});
      if (reply->type != VALKEY_REPLY_ARRAY) continue;
      fewter::redis::Topology topology(shared);
      if (topology.Take(*reply, *topology.Nodes().front()) && topology.Serving().empty()) std::abort();
    }
  }
  valkeyReaderFree(reader);
  return 0;
}
