/// Warm queries by one caller, as one line of JSON: the latency of one at a time, and the throughput of all in one
/// call.
///
///     query_latency URI COLUMN QUERIES.npy K NPROBES [ROUNDS [PARALLELISM [FOLDER]]]
///
/// Entries of the cache are on the heap. With a folder they are in files there, as another process left them: mapped,
/// and searched where they lie.

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/cli/npy.h"
#include "fewter/dataset/dataset.h"

namespace {

using Clock = std::chrono::steady_clock;

arrow::Result<std::vector<double>> Microseconds(const fewter::Dataset& dataset, fewter::SearchRequest request,
                                                const fewter::cli::Matrix& queries, int rounds) {
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    for (uint64_t i = 0; i < queries.rows; ++i) {
      request.query = queries.Row(i);
      const auto start = Clock::now();
      ARROW_ASSIGN_OR_RAISE(const auto result, dataset.Search(request));
      const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
      if (result.rows.empty()) return arrow::Status::Invalid("query ", i, " found nothing");
      times.push_back(elapsed.count());
    }
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// Queries a second of calls with all of them, after a first that finds its memory: for half a second and more.
arrow::Result<double> Throughput(const fewter::Dataset& dataset, const fewter::SearchRequest& request,
                                 const fewter::cli::Matrix& queries) {
  constexpr std::chrono::duration<double> kLeast(0.5);
  std::vector<std::vector<float>> all;
  for (uint64_t i = 0; i < queries.rows; ++i) all.push_back(queries.Row(i));
  ARROW_RETURN_NOT_OK(dataset.SearchMany(request, all).status());
  uint64_t calls = 0;
  std::chrono::duration<double> elapsed{};
  for (const auto start = Clock::now(); elapsed < kLeast; elapsed = Clock::now() - start, ++calls) {
    ARROW_RETURN_NOT_OK(dataset.SearchMany(request, all).status());
  }
  return static_cast<double>(calls * queries.rows) / elapsed.count();
}

arrow::Result<std::shared_ptr<fewter::Session>> OpenSession(const std::string& folder) {
  auto memory = fewter::MakeMemoryBackend(fewter::SessionOptions::kDefaultCacheBytes);
  if (folder.empty()) return fewter::Session::Make({.cache = std::move(memory)});
  ARROW_ASSIGN_OR_RAISE(auto disk, fewter::MakeDiskBackend({.directory = folder}));
  return fewter::Session::Make({.cache = fewter::MakeTieredBackend({std::move(memory), std::move(disk)})});
}

arrow::Result<std::shared_ptr<fewter::Dataset>> OpenWarm(const std::string& uri, const std::string& column,
                                                         const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(auto session, OpenSession(folder));
  ARROW_ASSIGN_OR_RAISE(auto dataset, fewter::Dataset::Open(uri, {.version = {}, .session = std::move(session)}));
  ARROW_RETURN_NOT_OK(dataset->Prewarm(column, "", fewter::PrewarmMode::kStrict).status());
  return dataset;
}

arrow::Status Run(const std::vector<std::string>& arguments) {
  const auto number = [&](size_t i, int otherwise) {
    return i < arguments.size() ? std::atoi(arguments[i].c_str()) : otherwise;
  };
  const std::string &uri = arguments[0], &column = arguments[1];
  const std::string folder = arguments.size() > 7 ? arguments[7] : "";
  const int rounds = number(5, 5);
  ARROW_ASSIGN_OR_RAISE(const auto queries, fewter::cli::ReadNpy(arguments[2]));
  // The first fills the folder.
  if (!folder.empty()) ARROW_RETURN_NOT_OK(OpenWarm(uri, column, folder).status());
  ARROW_ASSIGN_OR_RAISE(auto dataset, OpenWarm(uri, column, folder));
  fewter::SearchRequest request{.column = column};
  request.k = static_cast<uint32_t>(number(3, 10));
  request.nprobes = static_cast<uint32_t>(number(4, 20));
  request.query_parallelism = static_cast<int32_t>(number(6, 1));
  ARROW_RETURN_NOT_OK(Microseconds(*dataset, request, queries, 1).status());
  const auto before = dataset->io_stats();
  ARROW_ASSIGN_OR_RAISE(const auto times, Microseconds(*dataset, request, queries, rounds));
  ARROW_ASSIGN_OR_RAISE(const double throughput, Throughput(*dataset, request, queries));
  const auto io = (dataset->io_stats() - before).total();
  fmt::print(
      "{{\"queries\":{},\"p50_us\":{:.2f},\"p99_us\":{:.2f},\"batch_qps\":{:.0f},\"mapped_bytes\":{},\"requests\":{}}}"
      "\n",
      times.size(), times[times.size() / 2], times[times.size() * 99 / 100], throughput,
      dataset->session().cache().Stats().mapped_bytes, io.requests);
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: query_latency URI COLUMN QUERIES.npy K NPROBES [ROUNDS [PARALLELISM [FOLDER]]]\n");
    return 2;
  }
  const arrow::Status status = Run({argv + 1, argv + argc});
  if (!status.ok()) fmt::print(stderr, "query_latency: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
