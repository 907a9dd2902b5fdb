#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/vector/element_type.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/top_k.h"

/// How an index stores vectors, and what scores them. Three roles:
///
///   Quantizer          what all partitions share (dimension, codebook); part of IvfIndexState
///   PartitionStorage   the rows of one partition, laid out as the kernels read them; part of a cache entry
///   QueryScorer        one query made ready: scans storages and keeps the nearest rows
///
/// A new kind of storage implements the three in a folder of its own and adds a line to registry.cc.

namespace fewter {

/// The numbers are written into cache entries and never change.
enum class StorageKind : uint32_t { kFlat = 0, kFlatBinary = 1, kPq = 2, kSq = 3, kRabitq = 4 };
std::string_view ToString(StorageKind kind);

/// How the rows of a storage will be looked at: one after another, or one here and one there, as a graph leads. The
/// numbers are written into cache entries and never change.
enum class StorageLayout : uint32_t { kScan = 0, kRandomAccess = 1 };

/// Numbers of the kind's own that stand in an entry's header, e.g. the width of a code; those without a meaning are 0.
using StorageParameters = std::array<uint32_t, 4>;

/// The rows of one partition. Immutable, thread safe.
class PartitionStorage {
 public:
  virtual ~PartitionStorage() = default;

  virtual StorageKind kind() const = 0;
  virtual uint32_t num_rows() const = 0;
  /// num_rows() row ids, 64-byte aligned.
  virtual const uint64_t* row_ids() const = 0;
  /// All that it keeps, in bytes.
  virtual int64_t SizeInBytes() const = 0;

  /// One row whose columns are lists: the arrays of the storage, whatever their lengths (see one_row_batch.h). What
  /// the cache keeps; the kind's storage_from_batch reads it back without a copy.
  virtual std::shared_ptr<arrow::RecordBatch> ToBatch() const = 0;
  virtual StorageParameters Parameters() const = 0;

  /// A storage of some of its rows, all below num_rows(), in that order; the i-th gets the id row_ids[i]. A copy.
  virtual arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> rows,
                                                                        std::vector<uint64_t> row_ids) const = 0;
};

/// A partition that a query is compared with.
struct ProbedPartition {
  uint32_t number = 0;
  /// From the query to its centroid: squared L2 for L2 and cosine, 1 - <q, c> for dot, differing bits for Hamming.
  float distance = 0;
  /// As many floats as a vector has elements; null under Hamming.
  const float* centroid = nullptr;
};

/// How exactly an estimate is computed, where the storage leaves a choice; pylance's approx_mode.
enum class ApproxMode : uint8_t { kNormal = 0, kFast = 1, kAccurate = 2 };

struct ScorerOptions {
  Metric metric = Metric::kL2;
  /// Of the column. The query has been rounded to it; what is computed from the query is rounded where Lance does.
  ElementType element_type = ElementType::kFloat32;
  ApproxMode approx_mode = ApproxMode::kNormal;
};

/// One query, ready to be compared with rows. Not thread safe.
class QueryScorer {
 public:
  virtual ~QueryScorer() = default;

  /// What a scorer may be turned to at a time. More would not fit in the second-level cache with what they prepare.
  static constexpr size_t kMaxPartitions = 4;

  /// Turns to some partitions, at most kMaxPartitions. Several at once cost less than one after the other.
  virtual void BeginPartitions(std::span<const ProbedPartition> partitions) = 0;

  /// Says what will be scanned after the partition that comes next, null for nothing that is known: its first bytes are
  /// asked for before that scan ends, where scans wait for memory. It comes from the same quantizer, and lives as long.
  void Announce(const PartitionStorage* storage) { announced_ = storage; }

  /// Pushes every row of the i-th of these partitions that may belong to the nearest. `storage` must come from the same
  /// quantizer.
  virtual void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) = 0;

  /// Scans for two queries, this one's and another's, whose scorers come from the same quantizer and are each turned to
  /// the partition alone. What is found is what two scans find; some kinds look at the rows for both at once.
  virtual void ScanPair(const PartitionStorage& storage, TopK* top_k, QueryScorer* other, TopK* top_k_of_other) {
    Scan(storage, top_k);
    other->Scan(storage, top_k_of_other);
  }

  /// out[j] = the distance of row rows[j] of the i-th of these partitions, all of them below num_rows(). For graphs;
  /// only for kinds that have random access (see registry.h), others give NaN.
  virtual void ScoreRows(size_t i, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out);

  /// The same for one partition.
  void BeginPartition(const ProbedPartition& partition) { BeginPartitions({&partition, 1}); }
  void Scan(const PartitionStorage& storage, TopK* top_k) { ScanPartition(0, storage, top_k); }

 protected:
  const PartitionStorage* announced() const { return announced_; }

 private:
  const PartitionStorage* announced_ = nullptr;
};

/// What all partitions of an index share. Immutable, thread safe.
class Quantizer {
 public:
  virtual ~Quantizer() = default;

  virtual StorageKind kind() const = 0;
  /// Elements of a vector.
  virtual uint32_t dimension() const = 0;
  virtual int64_t SizeInBytes() const = 0;
  /// Appends the buffers that it refers to, for the cache; see CacheEntry.
  virtual void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const = 0;
  /// For people, e.g. "PQ, 48 sub-vectors of 8 bits".
  virtual std::string Describe() const = 0;

  /// The columns of auxiliary.idx that a partition is made of.
  virtual const std::vector<std::string>& columns() const = 0;

  /// Makes a storage of a partition's rows as read from auxiliary.idx. With the partition's centroid, if rows are
  /// compared by their residuals to it, some kinds keep what makes scans faster; it may be null. Invalid, naming the
  /// column, if the rows do not fit.
  virtual arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                             StorageLayout layout,
                                                                             const float* centroid) const = 0;
  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                     StorageLayout layout) const {
    return MakeStorage(rows, layout, nullptr);
  }

  /// Whether a storage (which may come from a cache entry) has this quantizer's shape, in that layout.
  virtual arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout layout) const = 0;

  /// `query` has dimension() floats, is already normalised for cosine and rounded to the element type, and is copied.
  virtual std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& options) const = 0;

  /// Whether a scan leaves out rows by what its TopK holds at that moment, though their distances could still enter:
  /// then what is found depends on the order of the partitions.
  virtual bool ScanDependsOnOrder(const ScorerOptions& /*options*/) const { return false; }

  /// Whether a scorer that turns to one partition after the other costs hardly more than one that turns to several at
  /// once: then even small partitions are better shared by many queries.
  virtual bool TurnsCheaply() const { return false; }

  /// For IvfIndexState: writes what the kind's quantizer_from_sections reads back (sections, see ipc/sections.h).
  virtual arrow::Status Serialize(arrow::io::OutputStream* out) const = 0;
};

}  // namespace fewter
