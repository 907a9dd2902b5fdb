#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "fewter/simd/rabitq_scan.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/rabitq/rabitq.h"
#include "fewter/vector/quantizer/rabitq/rabitq_rotation_internal.h"
#include "fewter/vector/quantizer/rabitq/rabitq_storage_internal.h"

namespace fewter {

/// A vector of the query's side, rotated, with the tables that rows are compared by.
class RabitqRotatedQuery {
 public:
  RabitqRotatedQuery(const RabitqShape& shape, ApproxMode mode);

  /// Rotates `vector` and fills the tables.
  void Set(const RabitqRotator& rotator, const float* vector);

  /// Of the rotated elements.
  float sum() const { return sum_; }
  /// out[i] = the inner product with the bits of row begin + i. `begin` is the first row of a block.
  void Products(const RabitqStorage& storage, size_t begin, size_t num_rows, float* out) const;
  float ExProduct(const RabitqStorage& storage, size_t row) const;

 private:
  void RoundTable();

  size_t code_dimension_;
  bool is_accurate_;
  /// Followed by zeros to a whole number of an ex code's blocks.
  std::vector<float> elements_;
  float sum_ = 0;
  std::vector<float> table_;
  /// The entries' lower bytes; then, if they are to be accurate, their upper ones.
  std::vector<uint8_t> rounded_;
  simd::RabitqByteTable rounded_table_;
};

class RabitqScorer final : public QueryScorer {
 public:
  RabitqScorer(const RabitqShape& shape, std::shared_ptr<const RabitqRotator> rotator, const float* query,
               const ScorerOptions& options);

  /// Whether distances are more than the estimate by one bit an element.
  static bool UsesExCodes(const RabitqShape& shape, const ScorerOptions& options) {
    return shape.ex_bits() > 0 && options.approx_mode != ApproxMode::kFast;
  }

  void BeginPartitions(std::span<const ProbedPartition> partitions) override;
  void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) override;

 private:
  static constexpr size_t kRowsPerScan = 256;
  static_assert(kRowsPerScan % simd::kRabitqBlockRows == 0);

  simd::RabitqFormula BeginRaw(const ProbedPartition& partition);
  simd::RabitqFormula BeginResidual(const ProbedPartition& partition, RabitqRotatedQuery* query);
  bool is_residual() const { return shape_.estimator == RabitqEstimator::kResidualQuery; }
  /// Of the rows from `begin` on, whose inner products are computed, those that may be near.
  void PushNear(const RabitqRotatedQuery& query, const simd::RabitqFormula& formula, const RabitqStorage& storage,
                size_t begin, size_t num_rows, TopK* top_k);

  RabitqShape shape_;
  std::shared_ptr<const RabitqRotator> rotator_;
  ScorerOptions options_;
  bool uses_ex_codes_;
  std::vector<float> query_;
  /// For a difference to a centroid, or a multiple of one.
  std::vector<float> scratch_;
  /// One for all partitions, or one for each.
  std::vector<RabitqRotatedQuery> rotated_;
  std::array<simd::RabitqFormula, kMaxPartitions> formulas_;
  alignas(kBufferAlignment) std::array<float, kRowsPerScan> products_;
  alignas(kBufferAlignment) std::array<float, kRowsPerScan> distances_;
  std::array<uint32_t, kRowsPerScan> near_;
};

}  // namespace fewter
