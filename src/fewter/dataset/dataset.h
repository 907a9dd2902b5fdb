#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/cache/query.h"
#include "fewter/dataset/segment.h"
#include "fewter/dataset/session.h"
#include "fewter/filter/filter.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

/// The front door: open a Lance dataset, ask for the rows nearest to a vector.
///
///     ARROW_ASSIGN_OR_RAISE(auto dataset, fewter::Dataset::Open("packages.lance"));
///     fewter::SearchRequest request{.column = "vector", .query = vector, .k = 10, .nprobes = 20};
///     ARROW_ASSIGN_OR_RAISE(auto result, dataset->Search(request));
///     for (const auto& row : result.rows) std::cout << row.row_id << " " << row.distance << "\n";

namespace fewter {

class BoundFilter;
class FilteredRows;
class FragmentFilter;
class RowLocations;
class RowReader;
class TakenRows;
class VectorColumn;

struct DatasetOptions {
  /// The version to open; the latest if empty.
  std::optional<uint64_t> version = {};
  /// Cache and threads to share with other datasets; null for a session of its own.
  std::shared_ptr<Session> session = {};
  /// How the store is talked to, by pylance's names (docs/object_stores.md). Never printed, and not part of what is
  /// cached.
  lance::StorageOptions storage_options = {};
  /// Told of every request.
  lance::IoTracer io_tracer = {};
};

struct SearchRequest {
  /// The vector column; one inside a struct by its path, "struct.vector".
  std::string column;
  /// As many elements as the column's vectors have; all finite. For uint8 vectors whole numbers from 0 to 255. They are
  /// rounded to the column's type.
  std::vector<float> query = {};
  /// How many rows to return at most; at least 1.
  uint32_t k = 10;
  /// How many partitions of each index segment to search; at least 1.
  uint32_t nprobes = 20;
  /// If larger: how many to search at most, one more at a time while fewer than k rows have been found (which a filter
  /// may bring about).
  uint32_t max_nprobes = 0;
  /// Of HNSW: how many candidates to keep on the way, at least k (times the refine factor); 0 for half as many again.
  uint32_t ef = 0;
  /// If not 0: takes this many times k rows from the index, and orders them by their exact distances.
  uint32_t refine_factor = 0;
  /// Only rows at this distance or farther, and nearer than that; for estimates, the estimated distance.
  std::optional<float> distance_from = {};
  std::optional<float> distance_below = {};
  /// Only rows that it lets pass; see row_filters.h. Called from several threads.
  std::shared_ptr<const RowFilter> prefilter = {};
  /// Only rows that it takes (filter/filter.h, docs/filters.md). It is evaluated for all rows, once: what it takes
  /// stays in the cache.
  std::shared_ptr<const Filter> filter = {};
  /// To look for the k nearest rows of all, and to return those of them that the filter takes, maybe none.
  bool filter_after = false;
  ApproxMode approx_mode = ApproxMode::kNormal;
  /// How many threads may work on the search, as pylance counts them: 0 or 1 for the caller's alone, -1 for as many as
  /// the session's CPU executor has; the others are that executor's. More than one makes a long search shorter, and
  /// less of many at a time. Only RaBitQ of several bits may then find other rows.
  int32_t query_parallelism = 0;
  /// If it is not the index's, the search is exact; without an index, L2 (Hamming for uint8) is the default.
  std::optional<Metric> metric = {};
  /// False for an exact search of all rows.
  bool use_index = true;
  /// Which index, if the column has several; the first of the manifest if empty, as pylance does.
  std::string index = {};
  /// Leave out rows that no index segment covers: all of them if the search has to be exact. Without it they are
  /// searched exactly, and all distances are exact.
  bool indexed_rows_only = false;
  /// Only these fragments.
  std::optional<std::vector<uint64_t>> fragments = {};
  /// No request to the dataset's store is sent after so long, and the search fails.
  std::optional<std::chrono::nanoseconds> io_timeout = {};
  /// Cancels the search before its next request.
  arrow::StopToken stop_token = arrow::StopToken::Unstoppable();
  /// Only these segments of the index, by UUID, and no rows beside them.
  std::optional<std::vector<std::string>> segments = {};
  /// What to return of the rows beside their ids and distances, by the names that Scan knows, each once; `_distance`
  /// may be among them. Empty for nothing. Errors as Scan's, before anything is searched.
  std::vector<std::string> columns = {};
};

struct SearchResult {
  /// Nearest first, ties by row id. Distances are as Lance reports them for this kind of index: for IVF_PQ an estimate,
  /// and under cosine the squared L2 distance of the normalised vectors. With a refine factor, or rows that no index
  /// covers, they are exact, and 1 - cos.
  std::vector<Neighbor> rows;
  /// What the request's `columns` name, in that order, of these rows; null if it names none.
  std::shared_ptr<arrow::RecordBatch> columns = {};
  IvfSearchCounts counts;
  /// Rows whose vectors were read from the data files.
  uint64_t rows_compared_exactly = 0;
  /// What each tier of the cache did for this search (or for all of SearchMany), by type of entry.
  std::vector<QueryActivity> cache = {};
  /// What was read for it, likewise.
  lance::IoStats io = {};

  static constexpr const char* kDistance = "_distance";

  /// As pylance returns it: the columns and, unless it is among them, `_distance` (float32); without columns
  /// `_distance` and `_rowid` (uint64).
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ToRecordBatch() const;
};

/// How values are presented that are so large that a column only says where they lie.
enum class BlobHandling {
  /// By what says it, as Lance does: structs of position, size and the like.
  kDescriptions,
  /// As large binary values.
  kBinary,
};

struct ScanRequest {
  /// What to return, in this order; all columns of the table if empty. One inside a struct by its path,
  /// "struct.column", which is then its name, and null where the struct is. `_rowid` and `_rowaddr` are a row's id and
  /// where it lies (fragment << 32 | offset).
  std::vector<std::string> columns = {};
  /// Only rows that it takes; the columns that it names need not be returned.
  std::shared_ptr<const Filter> filter = {};
  /// How many rows a batch has at most; at least 1.
  uint64_t batch_size = 8192;
  /// With the bytes of blobs, a batch has at most 64 MiB of these, or one row.
  BlobHandling blobs = BlobHandling::kDescriptions;
};

/// The k nearest rows of what several searches of one query found, over different fragments or segments: the way to
/// spread an index over machines. Their distances must be of one kind (all estimates, or all exact). Columns are best
/// taken of these rows alone (Dataset::Take).
std::vector<Neighbor> MergeNearest(std::span<const SearchResult> parts, uint32_t k);

enum class PrewarmMode { kBestEffort, kStrict };

/// What an index is made of, for people.
struct SegmentDescription {
  std::string uuid;
  uint64_t dataset_version = 0;
  std::vector<uint32_t> fragments;
  std::string index_type;
  Metric metric = Metric::kL2;
  uint32_t dimension = 0;
  uint32_t num_partitions = 0;
  uint32_t largest_partition = 0;
  uint32_t empty_partitions = 0;
  uint64_t num_rows = 0;
  std::string storage;
  IndexFileReference index_file;
  IndexFileReference storage_file;
};

/// One version of a Lance dataset. Immutable, thread safe.
class Dataset {
 public:
  /// Reads the manifest: two requests, of a remote store one less for what the session's cache knows of it. `uri` is a
  /// path or a URI that lance/storage_options.h knows.
  static arrow::Result<std::shared_ptr<Dataset>> Open(const std::string& uri, DatasetOptions options = {});
  static arrow::Result<std::shared_ptr<Dataset>> Open(std::shared_ptr<lance::ObjectStore> store,
                                                      DatasetOptions options = {});

  /// As read; only indexes whose rows were moved by compactions that left them as they were (the fragment reuse index)
  /// show the fragments that they cover now.
  const lance::Manifest& manifest() const { return *manifest_; }
  const Session& session() const { return *session_; }
  lance::IoStats io_stats() const { return store_->counter()->Snapshot(); }

  /// The rows nearest to a vector; a column without an index is searched exactly.
  ///
  /// KeyError if there is no such column or index; an argument error (see util/argument_error.h) for a query that does
  /// not fit; NotImplemented for indexes and datasets that we cannot search yet.
  arrow::Result<SearchResult> Search(const SearchRequest& request) const;

  /// The same for several queries; `request.query` is not looked at. What each finds is what Search finds, by one
  /// thread, but parts of the index and of the data files are read once for many of them, and they are shared among as
  /// many threads as `query_parallelism` allows. The columns of all their rows are read together, and each result has
  /// a slice. What the cache did for all of them stands in the first result. One that fails fails them all.
  arrow::Result<std::vector<SearchResult>> SearchMany(const SearchRequest& request,
                                                      std::span<const std::vector<float>> queries) const;

  /// The vector of the row-th row in dataset order, deleted rows left out, as floats.
  arrow::Result<std::vector<float>> ReadVector(const std::string& column, uint64_t row) const;

  /// The ids of all rows in dataset order, deleted rows left out: what turns row numbers into the ids that a search
  /// returns. Takes 8 bytes a row; reads the deletion files, and the stable row ids where the dataset has them.
  arrow::Result<std::vector<uint64_t>> RowIds() const;

  /// The schema of the table's rows, metadata included. A column of an extension type has the type that it is stored
  /// as, and says in its metadata which one it is, as Arrow's files and its C interface do: there it is one again.
  arrow::Result<std::shared_ptr<arrow::Schema>> Schema() const;

  /// All rows in dataset order, deleted rows left out, in batches none of which spans two fragments. Columns are what
  /// the table calls them now, and null where they were added later.
  ///
  /// With a filter, fragments are looked at as the rows are asked for, a few ahead; a row that it has no value for is
  /// an error of the reader.
  ///
  /// KeyError for a column that the table does not have; NotImplemented, naming it, for one that is not read: of a type
  /// that is not, or in data files of before version 2.0. With BlobHandling::kBinary the same for a blob outside of the
  /// dataset, from the reader.
  arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Scan(const ScanRequest& request = {}) const;

  /// How many rows there are, or how many of them a filter takes.
  arrow::Result<uint64_t> CountRows(const std::shared_ptr<const Filter>& filter = {}) const;

  /// The rows with these ids, in their order; columns as in Scan. KeyError for an id that no live row has.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Take(std::span<const uint64_t> row_ids,
                                                          const std::vector<std::string>& columns = {},
                                                          BlobHandling blobs = BlobHandling::kDescriptions) const;

  /// Brings every part of the column's index into the cache, so that searches read nothing, and says what is there
  /// afterwards. `index` as in SearchRequest. Tiers behind the first get what they lack, too. With
  /// PrewarmMode::kStrict, the error of the first partition that could not be read, and CapacityError if one is missing
  /// in a tier behind the first (or in the only one). `limits` hold for each segment of the index.
  arrow::Result<PrewarmReport> Prewarm(const std::string& column, const std::string& index = "",
                                       PrewarmMode mode = PrewarmMode::kBestEffort,
                                       const PrewarmLimits& limits = {}) const;

  /// The segments of every vector index by that name. Reads what is not in the cache.
  arrow::Result<std::vector<SegmentDescription>> DescribeIndex(const std::string& index) const;
  /// The names of the vector indexes, in order.
  std::vector<std::string> VectorIndexNames() const;

 private:
  static arrow::Result<std::shared_ptr<Dataset>> Open(std::shared_ptr<lance::ObjectStore> store,
                                                      std::shared_ptr<const lance::Manifest> manifest,
                                                      std::shared_ptr<Session> session);
  Dataset(std::shared_ptr<lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
          std::shared_ptr<const RowMoves> moves, std::shared_ptr<Session> session);

  using Segments = std::vector<const lance::IndexMetadata*>;

  /// A result for each query, of which there is at least one; what it cost stands in the first.
  arrow::Result<std::vector<SearchResult>> RunSearch(const SearchRequest& request,
                                                     std::span<const std::vector<float>> queries) const;

  /// Prewarm, untraced.
  arrow::Result<PrewarmReport> PrewarmIndex(const std::string& column, const std::string& index, PrewarmMode mode,
                                            const PrewarmLimits& limits) const;
  arrow::Result<const lance::Field*> FindColumn(const std::string& column) const;
  arrow::Result<std::shared_ptr<VectorColumn>> GetVectorColumn(const lance::Field& field) const;
  /// The segments of the index to use for a column; none if `index` is empty and there is none.
  arrow::Result<Segments> FindIndex(const std::string& column, const std::string& index) const;
  /// The same, but KeyError if there is none.
  arrow::Result<Segments> ChooseIndex(const std::string& column, const std::string& index) const;
  arrow::Result<std::shared_ptr<const Segment>> GetSegment(const lance::IndexMetadata& metadata) const;
  arrow::Result<std::shared_ptr<const RowLocations>> GetRowLocations() const;
  std::shared_ptr<RowReader> GetRowReader() const;
  arrow::Result<BoundFilter> Bind(const Filter& filter) const;
  FragmentFilter GetFragmentFilter() const;
  /// What a filter takes of each of some fragments.
  arrow::Result<std::vector<std::shared_ptr<const TakenRows>>> TakenOfEach(
      const Filter& filter, const std::vector<const lance::Fragment*>& fragments) const;
  /// What it takes of all fragments, for searches; kept.
  arrow::Result<std::shared_ptr<const FilteredRows>> RowsTaken(const std::shared_ptr<const Filter>& filter) const;
  /// Take with a schema that the row reader made. `are_live` says that all the rows are known to be there.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> TakeRows(std::span<const uint64_t> row_ids,
                                                              const std::shared_ptr<arrow::Schema>& schema,
                                                              bool are_live) const;
  /// The namespace of what lies at the dataset's place.
  WeakCache OfDataset() const;

  /// The latest version, which shares this one's store and session; null if this is it. One listing, and the reads of
  /// opening if it is not.
  arrow::Result<std::shared_ptr<Dataset>> OpenLatest() const;

  friend class DatasetSearch;
  friend class LatestDataset;

  std::shared_ptr<lance::ObjectStore> store_;
  std::shared_ptr<const lance::Manifest> manifest_;
  /// Of the fragment reuse index; null without one.
  std::shared_ptr<const RowMoves> moves_;
  std::shared_ptr<Session> session_;
  /// Tells it from all others that this process has opened.
  const uint64_t number_;

  /// Never held while anything is read.
  mutable std::mutex mutex_;
  /// Live segments by their entry in the manifest.
  mutable std::unordered_map<const lance::IndexMetadata*, std::shared_ptr<const Segment>> segments_;
  /// By field.
  mutable std::unordered_map<int32_t, std::shared_ptr<VectorColumn>> columns_;
  /// Null until they are needed.
  mutable std::shared_ptr<const RowLocations> row_locations_;
  mutable std::shared_ptr<RowReader> row_reader_;
};

}  // namespace fewter
