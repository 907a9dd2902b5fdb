/// From the start of a process to its first answer; one line of JSON. first_answer.py does the same with pylance.
///
///     first_answer URI COLUMN QUERIES.npy K NPROBES CACHE [prewarm]
///
/// CACHE is a URI such as memory://,disk:///dir. With `prewarm` all of the index is brought into it instead. The clock
/// of answer_ms starts when the cache is opened; measure.py also takes the time from before the process starts. One
/// answer needs the first query's partitions only, which is all that either side reads.

#include <fmt/core.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/cache/clock_internal.h"
#include "fewter/cache/registry/registry.h"
#include "fewter/cli/npy.h"
#include "fewter/dataset/dataset.h"

namespace {

using fewter::bench::Clock;
using fewter::bench::NanosecondsSince;

arrow::Result<std::shared_ptr<fewter::Dataset>> OpenWith(const std::shared_ptr<fewter::CacheBackend>& cache,
                                                         const std::string& uri) {
  return fewter::Dataset::Open(uri, {.session = fewter::Session::Make({.cache = cache})});
}

arrow::Status Prewarm(const std::shared_ptr<fewter::CacheBackend>& cache, char** argv) {
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenWith(cache, argv[1]));
  ARROW_RETURN_NOT_OK(dataset->Prewarm(argv[2], "", fewter::PrewarmMode::kStrict).status());
  cache->Flush();
  fmt::print("{{\"requests\":{}}}\n", dataset->io_stats().total().requests);
  return arrow::Status::OK();
}

arrow::Status Run(int argc, char** argv) {
  ARROW_ASSIGN_OR_RAISE(const auto queries, fewter::cli::ReadNpy(argv[3]));
  const auto start = Clock::now();
  ARROW_ASSIGN_OR_RAISE(const auto cache, fewter::OpenCacheBackend(argv[6]));
  if (argc > 7) return Prewarm(cache, argv);
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenWith(cache, argv[1]));
  const fewter::SearchRequest request{.column = argv[2],
                                      .query = queries.Row(0),
                                      .k = static_cast<uint32_t>(std::atoi(argv[4])),
                                      .nprobes = static_cast<uint32_t>(std::atoi(argv[5]))};
  ARROW_ASSIGN_OR_RAISE(const auto result, dataset->Search(request));
  const double answer_ms = NanosecondsSince(start) / 1e6;
  if (result.rows.empty()) return arrow::Status::Invalid("nothing was found");
  fmt::print("{{\"answer_ms\":{:.3f},\"requests\":{},\"row\":{}}}\n", answer_ms, dataset->io_stats().total().requests,
             result.rows[0].row_id);
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    fmt::print(stderr, "usage: first_answer URI COLUMN QUERIES.npy K NPROBES CACHE [prewarm]\n");
    return 2;
  }
  const arrow::Status status = Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "first_answer: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
