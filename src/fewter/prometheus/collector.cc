#include "fewter/prometheus/collector.h"

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "fewter/cache/backend.h"

namespace fewter {

namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;
using prometheus::MetricType;

/// Families in the order in which they are first named.
class Families {
 public:
  void Count(const char* name, const char* help, Labels labels, uint64_t value) {
    Add(name, help, MetricType::Counter, std::move(labels)).counter.value = static_cast<double>(value);
  }

  void Gauge(const char* name, const char* help, Labels labels, double value) {
    Add(name, help, MetricType::Gauge, std::move(labels)).gauge.value = value;
  }

  void Latency(const char* name, const char* help, Labels labels, const LatencyCounts& counts) {
    auto& histogram = Add(name, help, MetricType::Histogram, std::move(labels)).histogram;
    histogram.sample_sum = counts.sum_seconds;
    for (size_t i = 0; i < LatencyCounts::kBuckets; ++i) {
      histogram.sample_count += counts.buckets[i];
      // The serializer adds the bucket without a bound.
      if (i + 1 < LatencyCounts::kBuckets) {
        histogram.bucket.push_back({histogram.sample_count, LatencyCounts::UpperBound(i)});
      }
    }
  }

  std::vector<prometheus::MetricFamily> Take() && {
    return {std::make_move_iterator(families_.begin()), std::make_move_iterator(families_.end())};
  }

 private:
  prometheus::ClientMetric& Add(const char* name, const char* help, MetricType type, Labels labels) {
    auto family = families_.begin();
    while (family != families_.end() && family->name != name) ++family;
    if (family == families_.end()) {
      families_.push_back({name, help, type, {}});
      family = families_.end() - 1;
    }
    auto& metric = family->metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  std::deque<prometheus::MetricFamily> families_;
};

Labels With(Labels labels, const char* name, std::string_view value) {
  labels.push_back({name, std::string(value)});
  return labels;
}

void AddCounts(const CacheStats& stats, const Labels& tier, Families* families) {
  for (const auto& [type, counts] : stats.types) {
    const Labels of_type = With(tier, "type", type);
    families->Count("fewter_cache_hits_total", "Entries that were found", of_type, counts.hits);
    families->Count("fewter_cache_misses_total", "Entries that were not found", of_type, counts.misses);
    families->Count("fewter_cache_loads_total", "Loaders that were run", of_type, counts.loads);
    families->Count("fewter_cache_hit_bytes_total", "What the hits handed out", of_type,
                    static_cast<uint64_t>(counts.hit_bytes));
  }
  families->Count("fewter_cache_insertions_total", "Entries that were kept", tier, stats.insertions);
  families->Count("fewter_cache_evictions_total", "Entries that were dropped for room", tier, stats.evictions);
  families->Count("fewter_cache_load_failures_total", "Loaders that failed", tier, stats.load_failures);
  families->Count("fewter_cache_encode_failures_total", "Entries that their codec could not write", tier,
                  stats.encode_failures);
  for (size_t i = 0; i < stats.rejected.size(); ++i) {
    const auto verdict = static_cast<EnvelopeVerdict>(i);
    if (verdict == EnvelopeVerdict::kHit) continue;
    families->Count("fewter_cache_rejected_total", "Entries that were there but could not be used",
                    With(tier, "reason", ToString(verdict)), stats.rejected[i]);
  }
}

void AddHeld(const CacheStats& stats, const Labels& tier, Families* families) {
  families->Gauge("fewter_cache_entries", "Entries held", tier, static_cast<double>(stats.entries));
  families->Gauge("fewter_cache_bytes", "What they cost, in bytes", tier, static_cast<double>(stats.bytes));
  families->Gauge("fewter_cache_mapped_bytes", "Of mapped files, by entries held, in bytes", tier,
                  static_cast<double>(stats.mapped_bytes));
  families->Gauge("fewter_cache_pinned_bytes", "Of entries that were dropped but are in use, in bytes", tier,
                  static_cast<double>(stats.pinned_bytes));
}

void AddHealth(const HealthReport& health, const Labels& tier, Families* families) {
  for (size_t i = 0; i < kTierFaults; ++i) {
    families->Count("fewter_cache_faults_total", "Operations that failed",
                    With(tier, "reason", ToString(static_cast<TierFault>(i))), health.faults[i]);
  }
  families->Count("fewter_cache_skipped_total", "Operations that were not tried because of the tier's state", tier,
                  health.skipped);
  constexpr std::array kStates = {TierState::kHealthy, TierState::kReadOnly, TierState::kBypassed, TierState::kProbing};
  for (const TierState state : kStates) {
    families->Gauge("fewter_cache_state", "1 for the state that the tier is in", With(tier, "state", ToString(state)),
                    health.state == state ? 1 : 0);
  }
}

void AddCache(std::string_view cache, const CacheBackend& backend, Families* families) {
  size_t position = 0;
  for (const TierReport& report : backend.Report()) {
    const Labels tier = {
        {"cache", std::string(cache)}, {"tier", std::string(report.kind)}, {"position", std::to_string(position++)}};
    AddCounts(report.stats, tier, families);
    AddHeld(report.stats, tier, families);
    AddHealth(report.health, tier, families);
    families->Latency("fewter_cache_lookup_seconds",
                      "Looking up all entries that a search wants, in tiers outside the process", tier,
                      report.stats.lookups);
    families->Latency("fewter_cache_load_seconds", "Loading an entry", tier, report.stats.load_times);
  }
}

void AddSearches(const SessionMetrics& metrics, Families* families) {
  families->Latency("fewter_search_seconds", "Searches", {}, metrics.searches.Snapshot());
  families->Count("fewter_search_failures_total", "Searches that failed", {}, metrics.search_failures.load());
  families->Count("fewter_search_queries_total", "Vectors that were searched for", {}, metrics.queries.load());
}

void AddRequests(const lance::RequestMetrics& requests, Families* families) {
  for (int i = 0; i < lance::kIoKinds; ++i) {
    const auto kind = static_cast<lance::IoKind>(i);
    const Labels labels = {{"kind", std::string(ToString(kind))}};
    const lance::RequestCounts counts = requests.Snapshot(kind);
    families->Latency("fewter_store_request_seconds", "Requests to the datasets' stores", labels, counts.latency);
    families->Count("fewter_store_read_bytes_total", "Bytes that were read", labels, counts.bytes);
    families->Count("fewter_store_retries_total", "Requests that repeated one that had failed", labels, counts.retries);
    families->Count("fewter_store_request_failures_total", "Requests that failed", labels, counts.failures);
  }
}

std::vector<prometheus::MetricFamily> CollectFrom(const Session& session) {
  Families families;
  AddSearches(session.metrics(), &families);
  AddRequests(*session.metrics().requests, &families);
  AddCache("index", *session.cache().backend(), &families);
  if (session.data_cache().backend() != session.cache().backend()) {
    AddCache("data", *session.data_cache().backend(), &families);
  }
  return std::move(families).Take();
}

class Collector : public prometheus::Collectable {
 public:
  explicit Collector(std::shared_ptr<const Session> session) : session_(std::move(session)) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return CollectFrom(*session_); }

 private:
  const std::shared_ptr<const Session> session_;
};

}  // namespace

std::shared_ptr<prometheus::Collectable> MakePrometheusCollector(std::shared_ptr<const Session> session) {
  return std::make_shared<Collector>(std::move(session));
}

std::string PrometheusText(const Session& session) {
  return prometheus::TextSerializer().Serialize(CollectFrom(session));
}

}  // namespace fewter
