#include "fewter/cache/stats.h"

#include <fmt/format.h>

#include "fewter/cache/epoch_internal.h"

namespace fewter {

TypeCounts& TypeCounts::operator+=(const TypeCounts& other) {
  hits += other.hits;
  misses += other.misses;
  loads += other.loads;
  hit_bytes += other.hit_bytes;
  return *this;
}

TypeCounts& TypeCounts::operator-=(const TypeCounts& other) {
  hits -= other.hits;
  misses -= other.misses;
  loads -= other.loads;
  hit_bytes -= other.hit_bytes;
  return *this;
}

CacheStats CacheStats::operator-(const CacheStats& earlier) const {
  CacheStats difference = *this;
  difference.hits -= earlier.hits;
  difference.misses -= earlier.misses;
  difference.loads -= earlier.loads;
  difference.load_failures -= earlier.load_failures;
  difference.insertions -= earlier.insertions;
  difference.evictions -= earlier.evictions;
  difference.encode_failures -= earlier.encode_failures;
  for (size_t i = 0; i < rejected.size(); ++i) difference.rejected[i] -= earlier.rejected[i];
  difference.lookups = lookups - earlier.lookups;
  difference.load_times = load_times - earlier.load_times;
  // A type keeps its place.
  for (size_t i = 0; i < earlier.types.size(); ++i) difference.types[i].counts -= earlier.types[i].counts;
  return difference;
}

std::string CacheStats::ToString() const {
  std::string line = fmt::format("{} entries, {} bytes; {} hits, {} misses, {} loads, {} insertions, {} evictions",
                                 entries, bytes, hits, misses, loads, insertions, evictions);
  if (mapped_bytes > 0) line += fmt::format(", {} bytes mapped", mapped_bytes);
  if (pinned_bytes > 0) line += fmt::format(", {} bytes pinned", pinned_bytes);
  if (load_failures > 0) line += fmt::format(", {} loads failed", load_failures);
  if (encode_failures > 0) line += fmt::format(", {} could not be encoded", encode_failures);
  for (size_t i = 0; i < rejected.size(); ++i) {
    if (rejected[i] > 0) line += fmt::format(", {} rejected ({})", rejected[i], fewter::ToString(EnvelopeVerdict(i)));
  }
  return line;
}

CacheCounters::CacheCounters() : stripes_(kStripes) {}

size_t CacheCounters::FindPlace(const EntryType& type) {
  for (size_t i = 0; i + 1 < kTypes; ++i) {
    const std::type_info* known = known_[i].type.load(std::memory_order_acquire);
    if (known == type.type) return i;
    if (known != nullptr) continue;
    if (known_[i].type.compare_exchange_strong(known, type.type, std::memory_order_acq_rel)) {
      const std::string_view name = type.name();
      known_[i].name_size.store(name.size(), std::memory_order_relaxed);
      known_[i].name.store(name.data(), std::memory_order_release);
      return i;
    }
    if (known == type.type) return i;
  }
  return kTypes - 1;
}

void CacheCounters::Looked(const EntryType& type, const TypeCounts& counts) {
  const size_t thread = internal::ThreadNumber();
  const size_t place = PlaceOf(type);
  if (thread >= kStripes - 1) return AddShared(counts, &stripes_[kStripes - 1].types[place]);
  // Only this thread writes to a stripe of its own.
  Counts& mine = stripes_[thread].types[place];
  const auto add = [](auto& count, auto amount) {
    count.store(count.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  };
  add(mine.hits, counts.hits);
  add(mine.misses, counts.misses);
  add(mine.loads, counts.loads);
  add(mine.hit_bytes, counts.hit_bytes);
}

void CacheCounters::AddShared(const TypeCounts& counts, Counts* shared) {
  shared->hits.fetch_add(counts.hits, std::memory_order_relaxed);
  shared->misses.fetch_add(counts.misses, std::memory_order_relaxed);
  shared->loads.fetch_add(counts.loads, std::memory_order_relaxed);
  shared->hit_bytes.fetch_add(counts.hit_bytes, std::memory_order_relaxed);
}

CacheStats CacheCounters::Snapshot() const {
  CacheStats stats;
  for (size_t i = 0; i < kTypes; ++i) {
    CacheStats::OfType of_type;
    for (const Stripe& stripe : stripes_) {
      const Counts& counts = stripe.types[i];
      of_type.counts += {.hits = counts.hits.load(std::memory_order_relaxed),
                         .misses = counts.misses.load(std::memory_order_relaxed),
                         .loads = counts.loads.load(std::memory_order_relaxed),
                         .hit_bytes = counts.hit_bytes.load(std::memory_order_relaxed)};
    }
    stats.hits += of_type.counts.hits;
    stats.misses += of_type.counts.misses;
    stats.loads += of_type.counts.loads;
    const bool is_shared = i == kTypes - 1;
    if (!is_shared && known_[i].type.load(std::memory_order_acquire) == nullptr) continue;
    if (is_shared && of_type.counts.hits + of_type.counts.misses == 0) continue;
    // The name follows the type by an instant.
    const char* name = known_[i].name.load(std::memory_order_acquire);
    of_type.type = is_shared ? "other" : name == nullptr ? "?" : std::string_view(name, known_[i].name_size.load());
    stats.types.push_back(of_type);
  }
  stats.load_failures = load_failures_.load(std::memory_order_relaxed);
  stats.insertions = insertions_.load(std::memory_order_relaxed);
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  stats.encode_failures = encode_failures_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < rejected_.size(); ++i) stats.rejected[i] = rejected_[i].load(std::memory_order_relaxed);
  stats.lookups = lookups_.Snapshot();
  stats.load_times = load_times_.Snapshot();
  return stats;
}

}  // namespace fewter
