/// Writes down what searches ask the cache for: a line "digest bytes" for each look-up of an index part, in order.
///
///     record_trace TRACE (URI COLUMN QUERIES.npy NPROBES)…
///
/// With several datasets their queries take turns, as when one process serves them all.

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <fmt/os.h>

#include "fewter/cli/npy.h"
#include "fewter/dataset/dataset.h"

namespace {

using namespace fewter;

/// Keeps everything, and remembers the order in which it was asked for.
class RecordingBackend final : public CacheBackend {
 public:
  std::string_view kind() const override { return "recording"; }
  std::string_view Locate(const EncodedKey&) const override { return kind(); }

  arrow::Status Write(const std::string& path) const {
    auto out = fmt::output_file(path);
    for (const KeyDigest& digest : order_) {
      const auto found = entries_.find(digest);
      if (found != entries_.end()) out.print("{:016x} {}\n", digest.low, found->second.bytes);
    }
    fmt::print("{}: {} look-ups of {} entries\n", path, order_.size(), entries_.size());
    return arrow::Status::OK();
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec&, const std::type_info&) override {
    std::lock_guard lock(mutex_);
    order_.push_back(key.digest());
    const auto found = entries_.find(key.digest());
    return found == entries_.end() ? CacheEntry() : found->second;
  }
  CacheEntry LookupAgain(const EncodedKey&, const CacheCodec&, const std::type_info&) override { return {}; }
  void Store(const EncodedKey& key, const CacheCodec&, CacheEntry entry) override {
    std::lock_guard lock(mutex_);
    entries_[key.digest()] = std::move(entry);
  }
  void Invalidate(const CacheNamespace&) override {}
  Contents Held() const override { return {}; }

 private:
  std::mutex mutex_;
  std::vector<KeyDigest> order_;
  std::unordered_map<KeyDigest, CacheEntry, KeyDigestHash> entries_;
};

struct Workload {
  std::shared_ptr<Dataset> dataset;
  SearchRequest request;
  cli::Matrix queries;
};

arrow::Status Run(int argc, char** argv) {
  const auto backend = std::make_shared<RecordingBackend>();
  const auto session = Session::Make({.cache = backend});
  std::vector<Workload> workloads;
  uint64_t most = 0;
  for (int i = 2; i + 3 < argc; i += 4) {
    Workload workload;
    ARROW_ASSIGN_OR_RAISE(workload.dataset, Dataset::Open(argv[i], {.version = {}, .session = session}));
    workload.request.column = argv[i + 1];
    ARROW_ASSIGN_OR_RAISE(workload.queries, cli::ReadNpy(argv[i + 2]));
    workload.request.nprobes = static_cast<uint32_t>(std::atoi(argv[i + 3]));
    most = std::max(most, workload.queries.rows);
    workloads.push_back(std::move(workload));
  }
  for (uint64_t row = 0; row < most; ++row) {
    for (Workload& workload : workloads) {
      if (row >= workload.queries.rows) continue;
      workload.request.query = workload.queries.Row(row);
      ARROW_RETURN_NOT_OK(workload.dataset->Search(workload.request).status());
    }
  }
  return backend->Write(argv[1]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: record_trace TRACE (URI COLUMN QUERIES.npy NPROBES)...\n");
    return 2;
  }
  const arrow::Status status = Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
