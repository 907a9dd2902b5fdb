#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/util/cancel.h>

#include "fewter/cache/cache.h"
#include "fewter/vector/ivf/moved_rows.h"
#include "fewter/vector/ivf/state.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// Rows [first, first + count) of a file.
struct RowSpan {
  uint64_t first = 0;
  uint64_t count = 0;
};

/// Reads rows of an index segment's files, several spans of them at once so that they can be fetched together; each has
/// a result of its own. Opens a file on its first read, if it comes to one. Thread safe.
class PartitionReader {
 public:
  using Batches = std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>>;

  virtual ~PartitionReader() = default;
  /// Of auxiliary.idx.
  virtual Batches ReadRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) = 0;
  /// Of index.idx.
  virtual Batches ReadSubIndexRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) = 0;
};

struct IvfSearchOptions {
  /// How many rows to return at most.
  uint32_t k = 10;
  /// How many partitions to search; all of them if there are fewer.
  uint32_t nprobes = 20;
  /// Of these, how many of the nearest to leave out, since an earlier call has searched them.
  uint32_t skipped_probes = 0;
  /// Rows that may be returned; null for all. Not owned.
  const RowFilter* filter = nullptr;
  /// Distances that may be returned: from `lower` on, below `upper`. The defaults are Lance's.
  float lower = std::numeric_limits<float>::lowest();
  float upper = std::numeric_limits<float>::max();
  /// Of HNSW; see SubIndexSearchOptions.
  uint32_t ef = 0;
  ApproxMode approx_mode = ApproxMode::kNormal;
  /// How many threads may work on it, the caller's included; at least 1. The others are the executor's; they are left
  /// alone where they would not be worth waking.
  uint32_t threads = 1;
  /// Of SearchMany: looked at between queries, or groups of them. Null for none. Not owned.
  const arrow::StopToken* stop_token = nullptr;
  /// A thread of the executor takes some tens of microseconds to wake up: worth it from so many bytes of partitions a
  /// thread on.
  int64_t bytes_worth_a_thread = 512 << 10;
  /// An index of so many bytes is taken not to stay in the processor's caches.
  int64_t bytes_beyond_caches = 16 << 20;
  /// Of SearchMany: partitions of fewer bytes, of an index that stays there, are searched query after query: a scorer
  /// that turns to several at once saves more than queries that share them.
  int64_t bytes_worth_sharing = 64 << 10;
};

/// What a search did; added to, so that one can serve several searches.
struct IvfSearchCounts {
  uint64_t partitions_searched = 0;
  uint64_t rows_scanned = 0;
};

/// What Prewarm did, and what is in the cache after it.
struct PrewarmReport {
  /// Partitions that have rows.
  uint64_t partitions = 0;
  /// Of these: read from the file by this call.
  uint64_t loaded = 0;
  /// Could not be read; the first error says why.
  uint64_t failed = 0;
  arrow::Status first_error;
  /// Which tier holds how many of them now, nearest first; a partition may be in several.
  std::vector<std::pair<std::string, uint64_t>> resident = {};

  /// How many a tier holds.
  uint64_t ResidentIn(std::string_view tier) const;
  PrewarmReport& operator+=(const PrewarmReport& other);
};

/// How far a prewarming has come.
struct PrewarmProgress {
  uint64_t partitions_done = 0;
  uint64_t partitions = 0;
  /// Of the files, about; what was in the cache costs nothing.
  uint64_t bytes_read = 0;
};

/// What a prewarming may cost.
struct PrewarmLimits {
  /// No partition is read with which more than so many bytes would have been, about; those that are left out are not
  /// counted as failed.
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  /// How fast it may read, on average; 0 for as fast as it goes.
  uint64_t bytes_per_second = 0;
  /// Called after every window of partitions, on the caller's thread.
  std::function<void(const PrewarmProgress&)> progress = {};
  /// Ends it before the next window.
  arrow::StopToken stop_token = arrow::StopToken::Unstoppable();
};

/// Whose threads an index uses besides its callers'. Not owned.
struct IvfExecutors {
  /// Reads absent partitions, side by side.
  arrow::internal::Executor* io = nullptr;
  /// Compares rows, for searches that may use several threads.
  arrow::internal::Executor* cpu = nullptr;
};

/// A live IVF index segment: made from its state without IO, it takes partitions from the cache and reads those that
/// are not there. Cheap to make, thread safe.
class IvfIndex {
 public:
  /// `cache` is where its partitions are kept: a namespace of the index segment, and of the moves. `moves` are applied
  /// to partitions that are read; null if no row was moved. With a sub-index, who searches must then filter
  /// kDeletedRowId out.
  IvfIndex(std::shared_ptr<const IvfIndexState> state, WeakCache cache, std::shared_ptr<PartitionReader> reader,
           IvfExecutors executors, std::shared_ptr<const RowMoves> moves = nullptr);

  const IvfIndexState& state() const { return *state_; }
  const std::shared_ptr<const IvfIndexState>& shared_state() const { return state_; }

  /// The k nearest rows of the nprobes nearest partitions, nearest first. `query` has dimension floats; they are
  /// rounded to the column's type, and normalised for cosine. Rows whose distance is NaN or infinite are never
  /// returned.
  ///
  /// How many threads work on it does not change the result, but for kinds of storage whose scan leaves out rows by
  /// what was found before (Quantizer::ScanDependsOnOrder): with several threads it is at least as near there.
  arrow::Result<std::vector<Neighbor>> Search(const float* query, const IvfSearchOptions& options,
                                              IvfSearchCounts* counts = nullptr) const;

  /// The same for several queries; what each finds is what Search by one thread finds. Queries that look at the same
  /// partition do it one after another, so that it comes from memory once for all of them; threads share the queries.
  /// `counts` has as many elements as `queries`, or none.
  arrow::Result<std::vector<std::vector<Neighbor>>> SearchMany(std::span<const float* const> queries,
                                                               const IvfSearchOptions& options,
                                                               std::span<IvfSearchCounts> counts = {}) const;

  /// A partition from the cache, or read. IndexError if there is no such partition.
  arrow::Result<std::shared_ptr<const Partition>> GetPartition(uint32_t partition) const;

  /// Brings every partition into the cache, as far as it has room: windows of adjacent ones, each read with few large
  /// requests. What one of the tiers of these kinds lacks is offered to it, also if another has it. Waits for tiers
  /// that write behind only as often as their queues need it, and does not fill in `resident`.
  PrewarmReport Prewarm(std::span<const std::string_view> tiers = {}, const PrewarmLimits& limits = {}) const;
  /// Adds to `resident` where the partitions are now.
  void AddResidency(PrewarmReport* report) const;

  /// How many partitions have been read from the file since this was made.
  uint64_t partitions_loaded() const { return partitions_loaded_.load(std::memory_order_relaxed); }

 private:
  using Partitions = std::vector<std::shared_ptr<const Partition>>;
  using LoadedPartitions = std::vector<arrow::Result<std::shared_ptr<const Partition>>>;
  /// SearchMany on one thread, query after query or partition after partition.
  arrow::Status SearchByQuery(std::span<const float* const> queries, IvfSearchOptions options,
                              std::span<std::vector<Neighbor>> found, std::span<IvfSearchCounts> counts) const;
  arrow::Status SearchByPartition(std::span<const float* const> queries, const IvfSearchOptions& options,
                                  std::span<std::vector<Neighbor>> found, std::span<IvfSearchCounts> counts) const;

  /// Whether an entry that is well formed in itself is the partition of this index.
  bool Fits(const Partition& found, uint32_t partition) const;
  /// What a partition takes in the files, about.
  uint64_t BytesInFiles(uint32_t partition) const;
  /// The partitions from `first` on that are prewarmed together: about `usual_bytes`, but at least a few; none if the
  /// first has more than `max_bytes`.
  std::vector<uint32_t> PrewarmWindow(uint32_t first, uint64_t max_bytes, uint64_t usual_bytes) const;
  /// From the cache, null where there is none, in the order of the keys.
  Partitions FindPartitions(const std::vector<PartitionKey>& keys) const;
  /// From the file, through the cache; a result for each.
  LoadedPartitions LoadPartitions(const std::vector<uint32_t>& partitions) const;
  LoadedPartitions ReadPartitions(const std::vector<uint32_t>& partitions) const;
  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(uint32_t partition,
                                                                     const arrow::RecordBatch& rows) const;
  arrow::Result<std::shared_ptr<const SubIndex>> MakeSubIndex(uint32_t partition, const arrow::RecordBatch& rows) const;
  /// Inserts a partition again if one of the tiers does not hold it.
  void OfferTo(std::span<const std::string_view> tiers, uint32_t partition,
               const std::shared_ptr<const Partition>& loaded) const;
  /// The partitions of `wanted`, in that order; null for empty ones, and for those that failed.
  Partitions GetPartitions(const std::vector<uint32_t>& wanted, std::vector<arrow::Status>* failures) const;

  std::shared_ptr<const IvfIndexState> state_;
  WeakCache cache_;
  std::shared_ptr<PartitionReader> reader_;
  IvfExecutors executors_;
  std::shared_ptr<const RowMoves> moves_;
  mutable std::atomic<uint64_t> partitions_loaded_{0};
};

}  // namespace fewter
