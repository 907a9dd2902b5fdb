#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <typeinfo>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/util/future.h>

#include "fewter/cache/codec.h"
#include "fewter/cache/health.h"
#include "fewter/cache/key.h"
#include "fewter/cache/stats.h"

/// Where cache entries live. Implement CacheBackend to keep them somewhere new.

namespace fewter {

/// The buffers that a value refers to, for who wants to know what keeping it costs.
using BufferList = std::vector<std::shared_ptr<arrow::Buffer>>;

/// A value without its type, as backends pass it around.
struct CacheEntry {
  std::shared_ptr<const void> value;
  /// The type of `value`; compared before a value is handed out as that type.
  const std::type_info* type = nullptr;
  /// What the value costs to keep on the heap, in bytes.
  int64_t bytes = 0;
  /// What the value refers to in mapped files, in bytes: memory that the kernel can take back, and shares.
  int64_t mapped_bytes = 0;
  /// Appends the buffers that the value refers to; null if they are not known. Memory that several entries refer to is
  /// then charged once, and a value that keeps much more alive than it uses is copied.
  void (*append_buffers)(const void* value, BufferList* buffers) = nullptr;
  /// The entry as EncodeEntry wrote it, if the value was decoded from it: another tier may keep it as it is.
  std::shared_ptr<arrow::Buffer> encoded = {};
  explicit operator bool() const { return value != nullptr; }
};

/// How often an entry was asked for, as far as a backend remembers.
struct EntryUse {
  KeyDigest key;
  uint32_t uses = 0;
};

/// Told of an entry that goes for room and has a codec. Called without locks, from the thread that needed the room.
using EvictionListener = std::function<void(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry)>;

/// What one tier has done and how it is; see TierHealth.
struct TierReport {
  std::string_view kind;
  CacheStats stats;
  HealthReport health;
};

/// Makes the entry for a key that was not there. Runs on the thread that asked first; the future that it returns may
/// finish on any thread. Must not load, directly or through others, the key that it is loading: it would wait for
/// itself.
using CacheLoader = std::function<arrow::Future<CacheEntry>()>;

/// Runs a loader. What it throws, and a future that is not valid, become an UnknownError.
arrow::Future<CacheEntry> RunLoader(const CacheLoader& loader);

/// A store of immutable entries. Always held by a shared_ptr.
///
/// To write a backend, implement the six pure virtual functions; override others where it pays. The public ones count,
/// compare types, and make sure that callers who want the same absent entry at the same time run one loader between
/// them. serialising_backend.cc is a small example.
///
/// Rules for an implementation:
///  - All functions may be called from any thread at any time. Lookup is on the path of every query: it must not wait
///    for a lock that a load or an insertion can hold for long.
///  - An entry that cannot be kept or read is a miss. Nothing here returns an error; count what went wrong.
///  - With a codec, an entry may be kept as bytes (EncodeEntry) and decoded on each Lookup (DecodeEntry); the `type`
///    given to Lookup is what the decoded value is. Without a codec (an empty one), it may only be kept as the live
///    value, or not at all.
///  - Keys refer to the caller's memory: copy what is kept after a function returns (OwnedKey).
///  - Destroy values outside of locks: a value's destructor may take long, and may use the cache.
class CacheBackend : public std::enable_shared_from_this<CacheBackend> {
 public:
  CacheBackend();
  virtual ~CacheBackend();
  CacheBackend(const CacheBackend&) = delete;
  CacheBackend& operator=(const CacheBackend&) = delete;

  /// The entry, or an empty one. An entry of another type than `type` is a miss. Counts one hit or one miss.
  CacheEntry Get(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type);

  /// Get for several keys of one type at once, which costs a remote backend one round trip; `found` has as many places
  /// as there are keys.
  void GetMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
               std::span<CacheEntry> found);

  /// Offers an entry, whose value is not null; the backend may decline silently. Replaces an entry of the same key.
  void Insert(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry);

  /// Makes an entry that Get did not find. Of all callers that ask for one key at the same time, the first runs its
  /// loader and the others share what comes of it: the entry, or the error. An error is not kept: the next caller runs
  /// its loader again. Callers for different keys never wait for each other.
  ///
  /// A loader that fails, throws, gives an entry of another type, or gives up (no one is left who could finish its
  /// future) fails all callers. The loader is not used after Load has returned.
  ///
  /// The backend may go while a load is under way; its callers still get the entry, but it is not kept.
  arrow::Future<CacheEntry> Load(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type,
                                 const CacheLoader& loader);

  /// Drops all entries of a namespace and of those below it.
  void InvalidatePrefix(const CacheNamespace& name_space) { Invalidate(name_space); }
  /// Drops all entries.
  void Clear() { Invalidate(*CacheNamespace::Root()); }

  CacheStats Stats() const;
  /// One report for each place where entries are kept, nearest first.
  virtual std::vector<TierReport> Report() const;

  /// A word for messages and statistics, e.g. "memory". Refers to memory that is never freed.
  virtual std::string_view kind() const = 0;

  /// Which tier holds the entry now, by its kind; empty for none. Counts nothing, decodes nothing.
  virtual std::string_view Locate(const EncodedKey& key) const = 0;
  /// Every tier that holds it, nearest first.
  virtual std::vector<std::string_view> LocateAll(const EncodedKey& key) const {
    const std::string_view where = Locate(key);
    return where.empty() ? std::vector<std::string_view>() : std::vector<std::string_view>{where};
  }

  /// True if entries come from outside the process, so that looking them up is worth timing.
  virtual bool is_outside() const { return is_remote(); }
  /// True if asking costs a round trip to somewhere else.
  virtual bool is_remote() const { return false; }

  /// Sets who is told of evictions, so that a tier below may keep what goes from this one. At most once, before the
  /// backend is used. A backend that evicts bytes rather than values tells nobody.
  virtual void TellEvictionsTo(const EvictionListener&) {}

  /// Returns when what was inserted before is as safe as this backend makes it: on disk, sent, or given up.
  virtual void Flush() {}

  /// How often entries were asked for, as far as it is remembered, hottest first.
  virtual std::vector<EntryUse> Uses() const { return {}; }
  /// The uses since the last call; and the way to tell another tier of them, which sees only what this one did not
  /// have.
  virtual std::vector<EntryUse> TakeUses() { return {}; }
  virtual void NoteUses(std::span<const EntryUse>) {}

 protected:
  /// The entry for a key, or an empty one. Does not count hits and misses; does count an entry that it has to refuse.
  virtual CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) = 0;
  /// Lookup of several, into empty places; by default one after another.
  virtual void LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                          std::span<CacheEntry> found);
  /// Lookup once more, just before an entry that was a miss a moment ago is loaded: only where that is cheap.
  virtual CacheEntry LookupAgain(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) {
    return Lookup(key, codec, type);
  }
  /// Keeps an entry, and counts that, or declines.
  virtual void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) = 0;
  virtual void Invalidate(const CacheNamespace& name_space) = 0;
  /// How many entries there are, and what they cost together in bytes.
  struct Contents {
    uint64_t entries = 0;
    int64_t bytes = 0;
    /// Of mapped files, by entries that are held.
    int64_t mapped_bytes = 0;
    /// Of entries that were dropped but that a caller still uses.
    int64_t pinned_bytes = 0;
  };
  virtual Contents Held() const = 0;

  virtual HealthReport Health() const { return {}; }

  CacheCounters& counters() { return counters_; }

 private:
  class Flights;
  class Pilot;
  struct Landing;

  /// For this backend, and for the query in scope.
  void Count(const EntryType& type, const TypeCounts& counts);
  /// Makes an entry of another type than `type` an empty one.
  void CheckType(const std::type_info& type, CacheEntry* entry);
  /// LookupMany, and how long it took.
  void TimedLookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                       std::span<CacheEntry> found);
  /// Keeps what a loader made and tells those who wait.
  void Land(const EncodedKey& key, const CacheCodec& codec, const arrow::Result<CacheEntry>& loaded, Pilot pilot);

  CacheCounters counters_;
  std::shared_ptr<Flights> flights_;
};

}  // namespace fewter
