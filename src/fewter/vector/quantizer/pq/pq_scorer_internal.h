#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fewter/simd/pq_bounds.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/pq/pq_codebook_internal.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/quantizer.h"

namespace fewter {

/// What a scorer keeps, handed on from one scorer of a thread to the next: fresh memory of this size costs more in page
/// faults than what is written to it. What is in it is whatever was there before.
class ReusedFloats {
 public:
  explicit ReusedFloats(size_t size);
  ~ReusedFloats();
  ReusedFloats(const ReusedFloats&) = delete;
  ReusedFloats& operator=(const ReusedFloats&) = delete;

  float* data() { return values_.data(); }

 private:
  std::vector<float> values_;
};

class PqScorer;

/// Where the scorers of a thread compute, one after another: what many queries in turns keep to themselves would push
/// each other's, and the codes, out of the caches. What a scorer left is there until another has taken it.
struct PqWorkspace {
  static constexpr size_t kRows = 1024;

  static PqWorkspace& OfThisThread();

  const PqScorer* owner = nullptr;
  /// Of the partitions; the last is for the bounds of a query.
  std::vector<float> tables;
  std::vector<float> residuals;
  /// Or bounds of them; of two queries where they look at rows together.
  alignas(kBufferAlignment) std::array<std::array<float, kRows>, 2> distances;
  std::array<uint32_t, kRows> near;
};

/// Bounds of distances, by a table of bytes that one query has for all partitions: for L2 and cosine,
///
///     |q - x|^2 = |q|^2 - 2 <q, c> + |x|^2 - 2 <q, w>      x = c + w: a row's centroid and codewords
///
/// where storages bring |x|^2 and the table holds the last term. The distance itself is computed in another order, with
/// a residual q - c that is rounded; limits allow for all that rounding can do.
class PqBounds {
 public:
  /// `table` has table_size() floats, and for dot is the table of distances; `bytes` has as many bytes.
  PqBounds(const PqCodebook& codebook, const float* query, const ScorerOptions& options, float* table, uint8_t* bytes);

  /// False if there are no bounds for such a query: numbers are too large, or not numbers.
  bool exist() const { return exist_; }

  /// Of `num_rows` rows from `begin` on, which is a multiple of 64. Requires storage.squared_lengths() unless for dot.
  void Compute(const PqStorage& storage, size_t begin, size_t num_rows, float* out) const;
  /// The same for this query and another of the same codebook and metric, whose codes are of 4 bits.
  void ComputePair(const PqBounds& other, const PqStorage& storage, size_t begin, size_t num_rows, float* out,
                   float* out_of_other) const;

  /// Turns to a partition; null for dot.
  void SetCentroid(const float* centroid);
  /// No row of the partition whose bound exceeds this has a distance of at most `threshold`.
  float LimitFor(float threshold) const;

 private:
  simd::PqBoundedRows RowsOf(const PqStorage& storage, size_t begin, size_t num_rows) const;

  const PqCodebook& codebook_;
  const float* query_;
  bool is_dot_;
  /// What a residual's element is off by, at most, of itself.
  double residual_rounding_;
  bool exist_ = false;
  uint8_t* bytes_;
  simd::PqByteScale scale_;
  double query_squared_ = 0;
  /// What limits allow for, whatever the partition.
  double allowance_ = 0;
  /// Of the partition: |q|^2 - 2 <q, c>, what it may be off by, and how long an error of the residual may be.
  double offset_ = 0;
  double residual_error_ = 0;
};

/// Scores rows by exact sums of table entries, all of them or, in storages for scans, those that bounds leave.
class PqScorer final : public QueryScorer {
 public:
  PqScorer(std::shared_ptr<const PqCodebook> codebook, const float* query, const ScorerOptions& options);

  void BeginPartitions(std::span<const ProbedPartition> partitions) override;
  void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) override;
  void ScanPair(const PartitionStorage& storage, TopK* top_k, QueryScorer* other, TopK* top_k_of_other) override;
  void ScoreRows(size_t i, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out) override;

 private:
  static constexpr size_t kRowsPerBlock = PqWorkspace::kRows;
  /// Rows whose distances are computed before the next look at the limit.
  static constexpr size_t kRowsTogether = 16;

  /// Rows of a storage for scans, one after another from a multiple of 64 on.
  struct Block {
    const PqStorage& storage;
    size_t begin;
    size_t num_rows;
    const uint8_t* codes() const { return storage.codes() + begin; }
    const uint64_t* row_ids() const { return storage.row_ids() + begin; }
  };

  bool uses_residual() const { return options_.metric != Metric::kDot; }
  float* TableOf(size_t i) {
    return uses_residual() ? workspace_->tables.data() + i * codebook_->shape().table_size() : memory_.data();
  }
  float* ResidualOf(size_t i) { return workspace_->residuals.data() + i * query_.size(); }
  /// Makes the workspace of this thread this scorer's.
  void TakeWorkspace();
  void FillResidual(size_t i);
  /// The tables of `count` partitions from `first` on.
  void FillTables(size_t first, size_t count);
  bool HasBounds(const PqStorage& storage);
  /// Takes the workspace. Whether there are bounds of the i-th partition's rows, which they are then turned to.
  bool TurnBounds(size_t i, const PqStorage& storage);

  /// By bounds if there are any, and they spare much.
  void ScanBlock(size_t i, const Block& block, bool has_bounds, TopK* top_k);
  void ScanAll(size_t i, const Block& block, TopK* top_k);
  /// `bounds`, of the block's rows, are lost.
  void ScanNear(size_t i, const Block& block, float* bounds, TopK* top_k);
  /// Pushes the rows that have a bound of at most `limit`, nearest first, until one exceeds LimitFor(the threshold),
  /// and takes their bounds away.
  void PushNear(size_t i, const Block& block, float limit, float* bounds, TopK* top_k);
  /// Whether a partition's table costs less than it saves over `count` rows of a block.
  bool IsTableWorthIt(size_t count, size_t num_rows) const;
  void Distances(size_t i, const Block& block, std::span<const uint32_t> rows, float* out);

  void SumRows(size_t i, const uint8_t* codes, size_t num_rows, const uint32_t* picks, float* out);
  void SubtractExcess(size_t num_rows, float* out) const;

  std::shared_ptr<const PqCodebook> codebook_;
  ScorerOptions options_;
  std::vector<float> query_;
  std::array<ProbedPartition, kMaxPartitions> partitions_;
  size_t num_partitions_ = 0;
  /// Whether a partition's residual or table is there. L2 and cosine look at the query from the partition's centroid,
  /// dot at the query itself.
  std::array<bool, kMaxPartitions> has_residual_{};
  std::array<bool, kMaxPartitions> has_table_{};
  /// Holds the residuals and tables. Null before the first use.
  PqWorkspace* workspace_ = nullptr;
  /// What serves all partitions: for dot the table, then the bounds' table of bytes.
  ReusedFloats memory_;
  /// Made when first wanted.
  std::optional<PqBounds> bounds_;
};

}  // namespace fewter
