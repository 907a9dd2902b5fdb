#include "fewter/cli/stats_output.h"

#include <fmt/core.h>

#include <array>

namespace fewter::cli {

namespace {

constexpr std::array kIoKinds = {lance::IoKind::kManifest, lance::IoKind::kIndex, lance::IoKind::kData};

nlohmann::json TypesJson(const CacheStats& stats) {
  auto types = nlohmann::json::object();
  for (const auto& [type, counts] : stats.types) {
    types[std::string(type)] = {
        {"hits", counts.hits}, {"misses", counts.misses}, {"loads", counts.loads}, {"hit_bytes", counts.hit_bytes}};
  }
  return types;
}

nlohmann::json FaultsJson(const TierReport& tier) {
  auto faults = nlohmann::json::object();
  for (size_t i = 0; i < tier.health.faults.size(); ++i) {
    if (tier.health.faults[i] > 0) faults[std::string(ToString(TierFault(i)))] = tier.health.faults[i];
  }
  for (size_t i = 0; i < tier.stats.rejected.size(); ++i) {
    if (tier.stats.rejected[i] > 0) faults[std::string(ToString(EnvelopeVerdict(i)))] = tier.stats.rejected[i];
  }
  return faults;
}

nlohmann::json TierJson(const TierReport& tier) {
  nlohmann::json json = {{"kind", tier.kind},
                         {"state", ToString(tier.health.state)},
                         {"hits", tier.stats.hits},
                         {"misses", tier.stats.misses},
                         {"loads", tier.stats.loads},
                         {"insertions", tier.stats.insertions},
                         {"evictions", tier.stats.evictions},
                         {"entries", tier.stats.entries},
                         {"bytes", tier.stats.bytes},
                         {"mapped_bytes", tier.stats.mapped_bytes},
                         {"types", TypesJson(tier.stats)},
                         {"faults", FaultsJson(tier)}};
  if (!tier.health.last_message.empty()) json["last_message"] = tier.health.last_message;
  return json;
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

nlohmann::json CacheStatsJson(const CacheBackend& cache) {
  const CacheStats whole = cache.Stats();
  auto tiers = nlohmann::json::array();
  for (const TierReport& tier : cache.Report()) {
    if (tier.kind != "tiered") tiers.push_back(TierJson(tier));
  }
  return {{"hits", whole.hits},   {"misses", whole.misses},   {"loads", whole.loads},
          {"bytes", whole.bytes}, {"entries", whole.entries}, {"tiers", std::move(tiers)}};
}

void PrintCacheStats(const CacheBackend& cache) {
  const CacheStats whole = cache.Stats();
  fmt::print("{:>10}: {} hits, {} misses, {} loads\n", "cache", whole.hits, whole.misses, whole.loads);
  for (const TierReport& tier : cache.Report()) {
    if (tier.kind == "tiered") continue;
    fmt::print("{:>10}: {}", tier.kind, tier.stats.ToString());
    if (tier.health.state != TierState::kHealthy || !tier.health.last_message.empty()) {
      fmt::print("; {}: {}", ToString(tier.health.state), tier.health.last_message);
    }
    fmt::print("\n");
  }
}

nlohmann::json IoStatsJson(const lance::IoStats& io) {
  nlohmann::json json;
  for (const auto kind : kIoKinds) {
    json[std::string(ToString(kind))] = {{"requests", io[kind].requests}, {"bytes", io[kind].bytes}};
  }
  json["retries"] = io.retries;
  json["rounds"] = io.rounds;
  json["seconds"] = io.seconds;
  return json;
}

void PrintIoStats(const lance::IoStats& io) {
  for (const auto kind : kIoKinds) {
    fmt::print("{:>10}: {} requests, {} bytes\n", ToString(kind), io[kind].requests, io[kind].bytes);
  }
  fmt::print("{:>10}: {} round trips one after another, {:.3f} ms, {} retries\n", "waiting", io.rounds,
             io.seconds * 1e3, io.retries);
}

}  // namespace fewter::cli
