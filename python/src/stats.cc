#include "stats.h"

#include <array>
#include <string>
#include <string_view>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

constexpr std::array kIoKinds = {lance::IoKind::kManifest, lance::IoKind::kIndex, lance::IoKind::kData};

nb::str Text(std::string_view text) {
  return nb::str(text.data(), text.size());
}

nb::dict TypesOf(const CacheStats& stats) {
  nb::dict types;
  for (const auto& [type, counts] : stats.types) {
    nb::dict one;
    one["hits"] = counts.hits;
    one["misses"] = counts.misses;
    one["loads"] = counts.loads;
    one["hit_bytes"] = counts.hit_bytes;
    types[Text(type)] = one;
  }
  return types;
}

nb::dict FaultsOf(const TierReport& tier) {
  nb::dict faults;
  for (size_t i = 0; i < tier.health.faults.size(); ++i) {
    if (tier.health.faults[i] > 0) faults[Text(ToString(TierFault(i)))] = tier.health.faults[i];
  }
  for (size_t i = 0; i < tier.stats.rejected.size(); ++i) {
    if (tier.stats.rejected[i] > 0) faults[Text(ToString(EnvelopeVerdict(i)))] = tier.stats.rejected[i];
  }
  return faults;
}

nb::dict TierOf(const TierReport& tier) {
  nb::dict result;
  result["kind"] = Text(tier.kind);
  result["state"] = Text(ToString(tier.health.state));
  result["hits"] = tier.stats.hits;
  result["misses"] = tier.stats.misses;
  result["loads"] = tier.stats.loads;
  result["insertions"] = tier.stats.insertions;
  result["evictions"] = tier.stats.evictions;
  result["entries"] = tier.stats.entries;
  result["bytes"] = tier.stats.bytes;
  result["mapped_bytes"] = tier.stats.mapped_bytes;
  result["types"] = TypesOf(tier.stats);
  result["faults"] = FaultsOf(tier);
  result["last_message"] = tier.health.last_message;
  return result;
}

}  // namespace

nb::dict StatsOf(const CacheBackend& cache) {
  // A backend written in Python, or a remote one, is asked.
  const auto [whole, tiers] = WithoutLock([&] { return std::pair(cache.Stats(), cache.Report()); });
  nb::dict stats;
  stats["hits"] = whole.hits;
  stats["misses"] = whole.misses;
  stats["loads"] = whole.loads;
  stats["entries"] = whole.entries;
  stats["bytes"] = whole.bytes;
  nb::list reports;
  for (const TierReport& tier : tiers) {
    if (tier.kind != "tiered") reports.append(TierOf(tier));
  }
  stats["tiers"] = reports;
  return stats;
}

nb::dict StatsOf(const lance::IoStats& io) {
  nb::dict stats;
  for (const lance::IoKind kind : kIoKinds) {
    nb::dict count;
    count["requests"] = io[kind].requests;
    count["bytes"] = io[kind].bytes;
    stats[Text(ToString(kind))] = count;
  }
  stats["retries"] = io.retries;
  stats["rounds"] = io.rounds;
  stats["seconds"] = io.seconds;
  return stats;
}

}  // namespace fewter::python
