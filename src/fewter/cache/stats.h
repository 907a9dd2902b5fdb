#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "fewter/cache/codec.h"
#include "fewter/cache/envelope.h"
#include "fewter/util/latency.h"

/// What a cache has done. Cheap enough to be counted always, and the first thing to look at when a query is slow.

namespace fewter {

/// What happened to entries of one type.
struct TypeCounts {
  /// Each Get is one hit or one miss; so is each GetOrLoad, whether it then runs a loader or waits for another's.
  uint64_t hits = 0;
  uint64_t misses = 0;
  /// Loaders that were run; callers that waited for another's loader are not counted.
  uint64_t loads = 0;
  /// What the hits handed out.
  int64_t hit_bytes = 0;

  TypeCounts& operator+=(const TypeCounts& other);
  TypeCounts& operator-=(const TypeCounts& other);
};

/// A type of entry as it is counted.
struct EntryType {
  const std::type_info* type = nullptr;
  /// The codec's; empty for a type without one.
  std::string_view id;

  /// What it is called: its id, or the compiler's name. Refers to memory that is never freed.
  std::string_view name() const { return id.empty() ? std::string_view(type->name()) : id; }
};
inline EntryType EntryTypeOf(const CacheCodec& codec, const std::type_info& type) {
  return {&type, codec.type_id()};
}

/// What a backend has done and holds. Counts run from its creation; subtract two snapshots for what happened between.
struct CacheStats {
  /// Of all types together, as TypeCounts.
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t loads = 0;
  uint64_t load_failures = 0;
  /// Entries that the backend kept; those that it declined are not counted.
  uint64_t insertions = 0;
  /// Entries dropped for room; those replaced or invalidated are not counted.
  uint64_t evictions = 0;
  /// Entries not kept because their codec failed to write them.
  uint64_t encode_failures = 0;
  /// Misses because an entry was there but could not be used, by EnvelopeVerdict (kHit stays 0).
  std::array<uint64_t, kEnvelopeVerdicts> rejected{};
  /// The same by type of entry, in the order in which types were first seen.
  struct OfType {
    std::string_view type;
    TypeCounts counts;
  };
  std::vector<OfType> types = {};
  /// Held now: on the heap, or for tiers outside the process, there.
  uint64_t entries = 0;
  int64_t bytes = 0;
  /// Of mapped files that held entries refer to; not part of bytes.
  int64_t mapped_bytes = 0;
  /// Of entries that were dropped but that somebody still uses.
  int64_t pinned_bytes = 0;
  /// How long looking up the entries of a search took, all that it wanted at once; of tiers outside the process alone,
  /// since a look into memory takes no longer than a look at the clock.
  LatencyCounts lookups = {};
  /// How long loaders took.
  LatencyCounts load_times = {};

  /// Differences of the counts; what is held stays that of `this`.
  CacheStats operator-(const CacheStats& earlier) const;
  /// One line for people.
  std::string ToString() const;
};

/// The counts as a backend keeps them. Thread safe. Counts of the hit path are striped, so that threads that hit do not
/// write to the same cache line.
class CacheCounters {
 public:
  /// Types beyond the first ones seen share the last place.
  static constexpr size_t kTypes = 16;
  /// The first threads have a stripe each, those beyond share the last one.
  static constexpr size_t kStripes = 32;

  CacheCounters();

  /// Adds to the counts of a type.
  void Looked(const EntryType& type, const TypeCounts& counts);
  void LoadFailure() { Add(load_failures_); }
  void Insertion() { Add(insertions_); }
  void Evictions(uint64_t count) { evictions_.fetch_add(count, std::memory_order_relaxed); }
  void EncodeFailure() { Add(encode_failures_); }
  void LookupTook(LatencyHistogram::Clock::duration duration) { lookups_.Record(duration); }
  void LoadTook(LatencyHistogram::Clock::duration duration) { load_times_.Record(duration); }
  void Rejected(EnvelopeVerdict verdict) { Add(rejected_[static_cast<size_t>(verdict)]); }
  /// Fills all but what is held.
  CacheStats Snapshot() const;

 private:
  struct Counts {
    std::atomic<uint64_t> hits{0};
    std::atomic<uint64_t> misses{0};
    std::atomic<uint64_t> loads{0};
    std::atomic<int64_t> hit_bytes{0};
  };
  struct alignas(64) Stripe {
    std::array<Counts, kTypes> types;
  };
  struct KnownType {
    std::atomic<const std::type_info*> type{nullptr};
    std::atomic<const char*> name{nullptr};
    std::atomic<size_t> name_size{0};
  };

  static void AddShared(const TypeCounts& counts, Counts* shared);
  static void Add(std::atomic<uint64_t>& count) { count.fetch_add(1, std::memory_order_relaxed); }
  /// The place of a type, which it takes if it has none.
  size_t PlaceOf(const EntryType& type) {
    if (known_[0].type.load(std::memory_order_acquire) == type.type) return 0;
    return FindPlace(type);
  }
  size_t FindPlace(const EntryType& type);

  std::vector<Stripe> stripes_;
  std::array<KnownType, kTypes> known_;
  std::atomic<uint64_t> load_failures_{0};
  std::atomic<uint64_t> insertions_{0};
  std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> encode_failures_{0};
  std::array<std::atomic<uint64_t>, kEnvelopeVerdicts> rejected_{};
  LatencyHistogram lookups_;
  LatencyHistogram load_times_;
};

}  // namespace fewter
