#include "fewter/cache/backend.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "fewter/cache/query.h"
#include "fewter/util/latency.h"
#include "fewter/util/trace.h"

namespace fewter {
namespace {

/// What one flight is for. Callers who expect different types of one key do not share a flight.
struct Destination {
  KeyDigest key;
  const std::type_info* type;
  bool operator==(const Destination& other) const { return key == other.key && *type == *other.type; }
};

struct DestinationHash {
  size_t operator()(const Destination& destination) const { return KeyDigestHash()(destination.key); }
};

arrow::Result<CacheEntry> Checked(const arrow::Result<CacheEntry>& loaded, const std::type_info& type) {
  if (!loaded.ok()) return loaded;
  if (!*loaded) return arrow::Status::UnknownError("cache: a loader returned no value");
  if (loaded->type == nullptr || *loaded->type != type) {
    return arrow::Status::TypeError("cache: a loader returned a value of another type than ", type.name());
  }
  return loaded;
}

}  // namespace

/// The loads under way, at most one for each key and type.
///
/// The lock is held to find or enter a flight and to remove it, never while a loader runs or a caller is told.
class CacheBackend::Flights {
 public:
  struct Ticket {
    arrow::Future<CacheEntry> entry;
    /// True for the one who must see to it that the future finishes.
    bool leads;
  };

  Ticket Join(const Destination& destination) {
    std::lock_guard lock(mutex_);
    const auto [place, is_new] = under_way_.try_emplace(destination);
    if (is_new) place->second = arrow::Future<CacheEntry>::Make();
    return {place->second, is_new};
  }

  void Remove(const Destination& destination) {
    std::lock_guard lock(mutex_);
    under_way_.erase(destination);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Destination, arrow::Future<CacheEntry>, DestinationHash> under_way_;
};

/// The leader's duty: ends a flight exactly once, with an error when it is destroyed before.
class CacheBackend::Pilot {
 public:
  Pilot(std::weak_ptr<CacheBackend> backend, std::shared_ptr<Flights> flights, Destination destination,
        arrow::Future<CacheEntry> entry)
      : backend_(std::move(backend)),
        flights_(std::move(flights)),
        destination_(destination),
        entry_(std::move(entry)) {}
  Pilot(Pilot&&) = default;
  Pilot& operator=(Pilot&&) = delete;
  ~Pilot() {
    if (flights_ == nullptr) return;
    if (const auto backend = backend_.lock()) backend->counters_.LoadFailure();
    Finish(arrow::Status::UnknownError("cache: a loader gave up without a result"));
  }

  /// The flight ends before those who wait are told: whoever comes then finds the entry, or starts anew.
  void Finish(arrow::Result<CacheEntry> result) {
    const std::shared_ptr<Flights> flights = std::move(flights_);
    flights->Remove(destination_);
    entry_.MarkFinished(std::move(result));
  }

  const std::type_info& type() const { return *destination_.type; }
  LatencyHistogram::Clock::duration elapsed() const { return LatencyHistogram::Clock::now() - begin_; }
  /// Null if it is gone.
  std::shared_ptr<CacheBackend> backend() const { return backend_.lock(); }

 private:
  std::weak_ptr<CacheBackend> backend_;
  /// Null once the flight has ended.
  std::shared_ptr<Flights> flights_;
  Destination destination_;
  arrow::Future<CacheEntry> entry_;
  const LatencyHistogram::Clock::time_point begin_ = LatencyHistogram::Clock::now();
};

/// What happens when a loader that takes its time is done. A future that can never finish destroys it, and so the
/// pilot.
struct CacheBackend::Landing {
  OwnedKey key;
  CacheCodec codec;
  Pilot pilot;

  void operator()(const arrow::Result<CacheEntry>& loaded) && {
    if (const auto backend = pilot.backend()) {
      backend->Land(key.view(), codec, loaded, std::move(pilot));
    } else {
      pilot.Finish(Checked(loaded, pilot.type()));
    }
  }
};

arrow::Future<CacheEntry> RunLoader(const CacheLoader& loader) {
  try {
    arrow::Future<CacheEntry> loading = loader();
    if (loading.is_valid()) return loading;
    return arrow::Status::UnknownError("cache: a loader returned no future");
  } catch (const std::exception& thrown) {
    return arrow::Status::UnknownError("cache: a loader threw: ", thrown.what());
  } catch (...) {
    return arrow::Status::UnknownError("cache: a loader threw something that is not a std::exception");
  }
}

CacheBackend::CacheBackend() : flights_(std::make_shared<Flights>()) {}

CacheBackend::~CacheBackend() = default;

inline void CacheBackend::CheckType(const std::type_info& type, CacheEntry* entry) {
  if (entry->type == &type || !*entry || (entry->type != nullptr && *entry->type == type)) return;
  counters_.Rejected(EnvelopeVerdict::kOtherType);
  *entry = {};
}

inline void CacheBackend::Count(const EntryType& type, const TypeCounts& counts) {
  counters_.Looked(type, counts);
  if (CacheQuery* query = CacheQuery::Current()) query->Count(kind(), type.name(), counts);
}

CacheEntry CacheBackend::Get(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) {
  CacheEntry entry = Lookup(key, codec, type);
  CheckType(type, &entry);
  Count(EntryTypeOf(codec, type),
        {.hits = entry ? 1U : 0U, .misses = entry ? 0U : 1U, .hit_bytes = entry.bytes + entry.mapped_bytes});
  return entry;
}

void CacheBackend::GetMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                           std::span<CacheEntry> found) {
  // What the caller left there is not an answer.
  std::fill(found.begin(), found.end(), CacheEntry());
  if (is_outside()) {
    TimedLookupMany(keys, codec, type, found);
  } else {
    LookupMany(keys, codec, type, found);
  }
  TypeCounts counts;
  for (CacheEntry& entry : found) {
    CheckType(type, &entry);
    (entry ? counts.hits : counts.misses) += 1;
    counts.hit_bytes += entry.bytes + entry.mapped_bytes;
  }
  Count(EntryTypeOf(codec, type), counts);
}

void CacheBackend::TimedLookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec,
                                   const std::type_info& type, std::span<CacheEntry> found) {
  TracedSpan span("fewter.cache.lookup");
  const auto begin = LatencyHistogram::Clock::now();
  LookupMany(keys, codec, type, found);
  counters_.LookupTook(LatencyHistogram::Clock::now() - begin);
  if (!span.is_traced()) return;
  span.Set("fewter.cache.tier", std::string(kind()));
  span.Set("fewter.cache.keys", static_cast<int64_t>(keys.size()));
  span.Set("fewter.cache.found", std::ranges::count_if(found, [](const CacheEntry& entry) { return bool(entry); }));
}

void CacheBackend::LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                              std::span<CacheEntry> found) {
  for (size_t i = 0; i < keys.size(); ++i) found[i] = Lookup(keys[i], codec, type);
}

void CacheBackend::Insert(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) {
  if (entry) Store(key, codec, std::move(entry));
}

arrow::Future<CacheEntry> CacheBackend::Load(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type,
                                             const CacheLoader& loader) {
  const Destination destination{key.digest(), &type};
  auto [entry, leads] = flights_->Join(destination);
  if (!leads) return entry;
  Pilot pilot(weak_from_this(), flights_, destination, entry);

  // Between the caller's miss and this flight another one may have landed.
  CacheEntry found = LookupAgain(key, codec, type);
  CheckType(type, &found);
  if (found) {
    pilot.Finish(std::move(found));
    return entry;
  }
  Count(EntryTypeOf(codec, type), {.loads = 1});
  const arrow::Future<CacheEntry> loading = RunLoader(loader);
  if (loading.is_finished()) {
    Land(key, codec, loading.result(), std::move(pilot));
  } else {
    loading.AddCallback(Landing{OwnedKey(key), codec, std::move(pilot)});
  }
  return entry;
}

void CacheBackend::Land(const EncodedKey& key, const CacheCodec& codec, const arrow::Result<CacheEntry>& loaded,
                        Pilot pilot) {
  counters_.LoadTook(pilot.elapsed());
  arrow::Result<CacheEntry> result = Checked(loaded, pilot.type());
  if (result.ok()) {
    Store(key, codec, *result);
  } else {
    counters_.LoadFailure();
  }
  pilot.Finish(std::move(result));
}

CacheStats CacheBackend::Stats() const {
  CacheStats stats = counters_.Snapshot();
  const Contents held = Held();
  stats.entries = held.entries;
  stats.bytes = held.bytes;
  stats.mapped_bytes = held.mapped_bytes;
  stats.pinned_bytes = held.pinned_bytes;
  return stats;
}

std::vector<TierReport> CacheBackend::Report() const {
  return {{.kind = kind(), .stats = Stats(), .health = Health()}};
}

}  // namespace fewter
