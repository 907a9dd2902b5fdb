/// What a session tells of its searches: counts, latencies and traces, and Prometheus' text of them.

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "fewter/cache/registry/registry.h"
#include "fewter/dataset/dataset.h"
#include "fewter/prometheus/collector.h"
#include "fixtures.h"

namespace fewter {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Observation : public ::testing::Test {
 protected:
  std::shared_ptr<Session> MakeSession(TraceListener listener = {}) {
    const std::string uri = "memory://?capacity=64MiB,disk://" + folder_.path().string() + "/cache?capacity=1GiB";
    return Session::Make({.cache = OpenCacheBackend(uri).ValueOrDie(), .trace_listener = std::move(listener)});
  }

  /// Two searches by two calls, and one that fails.
  static void Search(const std::shared_ptr<Session>& session) {
    const std::string uri = (testing::FixtureFolder("parity") / "combined_ivf_pq8_l2" / "dataset.lance").string();
    const auto dataset = Dataset::Open(uri, {.session = session}).ValueOrDie();
    SearchRequest request{.column = "vector", .k = 5, .nprobes = 3, .indexed_rows_only = true};
    request.query = dataset->ReadVector("vector", 5).ValueOrDie();
    ASSERT_TRUE(dataset->Search(request).ok());
    ASSERT_TRUE(dataset->SearchMany(request, std::vector(2, request.query)).ok());
    request.k = 0;
    ASSERT_FALSE(dataset->Search(request).ok());
  }

 private:
  testing::TemporaryFolder folder_;
};

/// The value of each sample by its name with labels. Fails on a line that is none of the format's.
std::map<std::string, double> Samples(const std::string& text) {
  static const std::regex kComment(R"(# (HELP|TYPE) [a-z_]+ .+)");
  static const std::regex kSample(R"(([a-z_]+(\{([a-z_]+="[^"\n]*",?)*\})?) (\S+))");
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (line.empty() || std::regex_match(line, kComment)) continue;
    if (!std::regex_match(line, parts, kSample)) {
      ADD_FAILURE() << "not a sample: " << line;
      continue;
    }
    EXPECT_TRUE(samples.emplace(parts[1], std::stod(parts[4])).second) << "twice: " << line;
  }
  return samples;
}

TEST_F(Observation, TextHasWhatTheSessionDid) {
  const auto session = MakeSession();
  Search(session);
  auto samples = Samples(PrometheusText(*session));
  EXPECT_EQ(samples.at("fewter_search_seconds_count"), 3);
  EXPECT_EQ(samples.at("fewter_search_failures_total"), 1);
  EXPECT_EQ(samples.at("fewter_search_queries_total"), 4);
  EXPECT_GT(samples.at("fewter_search_seconds_sum"), 0);
  EXPECT_GT(samples.at(R"(fewter_store_request_seconds_count{kind="index"})"), 0);
  EXPECT_GT(samples.at(R"(fewter_store_read_bytes_total{kind="index"})"), 0);
  const std::string memory = R"({cache="index",tier="memory",position="1")";
  const std::string disk = R"({cache="index",tier="disk",position="2")";
  EXPECT_GT(samples.at("fewter_cache_hits_total" + memory + R"(,type="fewter.vector.Partition"})"), 0);
  EXPECT_GT(samples.at("fewter_cache_entries" + memory + "}"), 0);
  EXPECT_GT(samples.at("fewter_cache_lookup_seconds_count" + disk + "}"), 0);
  EXPECT_EQ(samples.at("fewter_cache_lookup_seconds_count" + memory + "}"), 0);
  EXPECT_GT(samples.at(R"(fewter_cache_load_seconds_count{cache="index",tier="tiered",position="0"})"), 0);
  EXPECT_EQ(samples.at("fewter_cache_state" + disk + R"(,state="healthy"})"), 1);
  EXPECT_EQ(samples.at("fewter_cache_state" + disk + R"(,state="bypassed"})"), 0);
}

TEST_F(Observation, BucketsOfHistogramsGrow) {
  const auto session = MakeSession();
  Search(session);
  const auto collector = MakePrometheusCollector(session);
  size_t histograms = 0;
  for (const auto& family : collector->Collect()) {
    if (family.type != prometheus::MetricType::Histogram) continue;
    for (const auto& metric : family.metric) {
      ++histograms;
      uint64_t before = 0;
      for (const auto& bucket : metric.histogram.bucket) {
        EXPECT_LE(before, bucket.cumulative_count) << family.name;
        before = bucket.cumulative_count;
      }
      EXPECT_LE(before, metric.histogram.sample_count) << family.name;
    }
  }
  EXPECT_GE(histograms, 4U);
}

std::vector<std::string> NamesOf(const Trace& trace) {
  std::vector<std::string> names;
  for (const Span& span : trace) names.emplace_back(span.name);
  return names;
}

TEST_F(Observation, TracesSayWhatSearchesWaitedFor) {
  std::vector<Trace> traces;
  Search(MakeSession([&](const Trace& trace) { traces.push_back(trace); }));
  ASSERT_EQ(traces.size(), 4U);
  EXPECT_EQ(traces[0].front().name, "fewter.open");
  EXPECT_THAT(NamesOf(traces[0]), Contains("fewter.request"));
  for (const Trace& trace : traces) {
    for (size_t i = 1; i < trace.size(); ++i) {
      EXPECT_LT(trace[i].parent.value(), i);
      EXPECT_LE(trace[trace[i].parent.value()].begin, trace[i].begin);
    }
  }
  const auto span = [&](std::string_view name) { return std::ranges::find(traces[1], name, &Span::name); };
  const auto parent = [&](auto of) { return traces[1].at(of->parent.value()).name; };
  EXPECT_EQ(traces[1].front().name, "fewter.search");
  EXPECT_EQ(parent(span("fewter.index.open")), "fewter.search");
  EXPECT_EQ(parent(span("fewter.index.search")), "fewter.search");
  EXPECT_EQ(parent(span("fewter.request")), "fewter.index.open");
  EXPECT_THAT(NamesOf(traces[1]), Contains("fewter.cache.lookup"));
  ASSERT_FALSE(span("fewter.request")->attributes.empty());
  EXPECT_EQ(span("fewter.request")->attributes[0],
            (std::pair<std::string_view, Span::Value>("fewter.request.what", "read")));
  EXPECT_TRUE(traces[1].front().status.ok());
  // Everything was in memory by then.
  EXPECT_EQ(NamesOf(traces[2]), (std::vector<std::string>{"fewter.search", "fewter.index.search"}));
  EXPECT_THAT(traces[3].front().status.message(), HasSubstr("k must be at least 1"));
}

}  // namespace
}  // namespace fewter
