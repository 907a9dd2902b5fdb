#include "fewter/cache/serialising_backend.h"

#include <mutex>
#include <unordered_map>
#include <utility>

#include <arrow/buffer.h>

#include "fewter/cache/envelope.h"

namespace fewter {
namespace {

class SerialisingBackend final : public CacheBackend {
 public:
  std::string_view kind() const override { return "serialising"; }

  std::string_view Locate(const EncodedKey& key) const override {
    std::lock_guard lock(mutex_);
    return entries_.contains(key.digest()) ? kind() : std::string_view();
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    Kept kept = Find(key.digest());
    if (kept.bytes == nullptr) return std::move(kept.live);
    // An entry kept as bytes that is asked for without a codec is a value of some other type.
    if (!codec) return Reject(EnvelopeVerdict::kOtherType);
    DecodedEntry decoded = DecodeEntry(key, codec, kept.bytes);
    if (!decoded.hit()) return Reject(decoded.verdict);
    // The value points into the bytes: what it costs is keeping them.
    return {.value = std::move(decoded.value), .type = &type, .bytes = kept.bytes->size(), .encoded = kept.bytes};
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    Kept kept;
    if (codec) {
      auto bytes = EncodeEntry(key, codec, entry.value.get());
      if (!bytes.ok()) return counters().EncodeFailure();
      kept.bytes = *std::move(bytes);
    } else {
      kept.live = std::move(entry);
    }
    counters().Insertion();
    std::unique_lock lock(mutex_);
    const auto [place, is_new] = entries_.try_emplace(key.digest(), OwnedKey(key), kept);
    if (is_new) return;
    // What was there is destroyed after the lock is released, as `kept` goes.
    std::swap(place->second.second, kept);
    lock.unlock();
  }

  void Invalidate(const CacheNamespace& name_space) override {
    Entries dropped;
    std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto here = entry++;
      if (here->second.first.name_space().IsWithin(name_space)) dropped.insert(entries_.extract(here));
    }
  }

  Contents Held() const override {
    std::lock_guard lock(mutex_);
    Contents contents{.entries = entries_.size()};
    for (const auto& [digest, entry] : entries_) contents.bytes += entry.second.Size();
    return contents;
  }

 private:
  /// One of the two is there.
  struct Kept {
    std::shared_ptr<arrow::Buffer> bytes;
    CacheEntry live;
    int64_t Size() const { return bytes != nullptr ? bytes->size() : live.bytes; }
  };
  using Entries = std::unordered_map<KeyDigest, std::pair<OwnedKey, Kept>, KeyDigestHash>;

  /// An empty one if there is none.
  Kept Find(const KeyDigest& digest) const {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(digest);
    return found == entries_.end() ? Kept() : found->second.second;
  }

  CacheEntry Reject(EnvelopeVerdict verdict) {
    counters().Rejected(verdict);
    return {};
  }

  mutable std::mutex mutex_;
  Entries entries_;
};

}  // namespace

std::shared_ptr<CacheBackend> MakeSerialisingBackend() {
  return std::make_shared<SerialisingBackend>();
}

}  // namespace fewter
