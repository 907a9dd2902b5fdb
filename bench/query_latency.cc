/// The latency of warm queries by one thread, as one line of JSON.
///
///     query_latency URI COLUMN QUERIES.npy K NPROBES [ROUNDS]

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

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

arrow::Status Run(char** argv, int rounds) {
  ARROW_ASSIGN_OR_RAISE(auto dataset, fewter::Dataset::Open(argv[1]));
  ARROW_ASSIGN_OR_RAISE(const auto queries, fewter::cli::ReadNpy(argv[3]));
  const fewter::SearchRequest request{.column = argv[2],
                                      .query = {},
                                      .k = static_cast<uint32_t>(std::atoi(argv[4])),
                                      .nprobes = static_cast<uint32_t>(std::atoi(argv[5]))};
  ARROW_RETURN_NOT_OK(dataset->Prewarm(argv[2], "", fewter::PrewarmMode::kStrict).status());
  ARROW_RETURN_NOT_OK(Microseconds(*dataset, request, queries, 1).status());
  const auto before = dataset->io_stats();
  ARROW_ASSIGN_OR_RAISE(const auto times, Microseconds(*dataset, request, queries, rounds));
  const auto io = (dataset->io_stats() - before).total();
  fmt::print("{{\"queries\":{},\"p50_us\":{:.2f},\"p99_us\":{:.2f},\"requests\":{}}}\n", times.size(),
             times[times.size() / 2], times[times.size() * 99 / 100], io.requests);
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: query_latency URI COLUMN QUERIES.npy K NPROBES [ROUNDS]\n");
    return 2;
  }
  const arrow::Status status = Run(argv, argc > 6 ? std::atoi(argv[6]) : 5);
  if (!status.ok()) fmt::print(stderr, "query_latency: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
