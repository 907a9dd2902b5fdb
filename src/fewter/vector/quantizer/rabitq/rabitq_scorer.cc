#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "fewter/simd/distance.h"
#include "fewter/simd/prefetch_internal.h"
#include "fewter/simd/rabitq_ex_codes.h"
#include "fewter/simd/rabitq_rest.h"
#include "fewter/simd/select.h"
#include "fewter/vector/quantizer/rabitq/rabitq_scorer_internal.h"

namespace fewter {

RabitqRotatedQuery::RabitqRotatedQuery(const RabitqShape& shape, ApproxMode mode)
    : code_dimension_(shape.code_dimension),
      is_accurate_(mode == ApproxMode::kAccurate),
      elements_(RoundUp(code_dimension_, simd::kRabitqExBlock)),
      table_(4 * code_dimension_),
      rounded_(table_.size() * (is_accurate_ ? 2 : 1)) {}

void RabitqRotatedQuery::Set(const RabitqRotator& rotator, const float* vector) {
  rotator.Rotate(vector, elements_.data());
  sum_ = static_cast<float>(std::accumulate(elements_.begin(), elements_.end(), 0.0));
  simd::RabitqTable(elements_.data(), code_dimension_, table_.data());
  RoundTable();
}

void RabitqRotatedQuery::RoundTable() {
  const float steps = is_accurate_ ? 65535 : 255;
  float min = 0, max = 0;
  simd::MinAndMax(table_.data(), table_.size(), &min, &max);
  const float factor = steps / (max - min);
  uint8_t* low = rounded_.data();
  uint8_t* high = is_accurate_ ? low + table_.size() : nullptr;
  if (std::isfinite(factor)) {
    simd::RabitqRoundTable(table_.data(), table_.size(), min, factor, low, high);
  } else {
    // All entries are the same, or almost; or they are no numbers, and no distance will be.
    std::fill(rounded_.begin(), rounded_.end(), uint8_t{0});
  }
  const size_t tables = code_dimension_ / 4;
  rounded_table_ = {.low = low, .high = high, .step = (max - min) / steps, .base = static_cast<float>(tables) * min};
}

void RabitqRotatedQuery::Products(const RabitqStorage& storage, size_t begin, size_t num_rows, float* out) const {
  const size_t width = storage.code_bytes();
  const uint8_t* codes = storage.codes() + begin * width;
  const size_t rest = num_rows % simd::kRabitqBlockRows;
  const size_t in_blocks = num_rows - rest;
  simd::RabitqScan(rounded_table_, codes, in_blocks / simd::kRabitqBlockRows, width, out);
  // The rest are the partition's last rows. They are column after column, and are summed from the table as it is.
  simd::RabitqScanRest(table_.data(), codes + in_blocks * width, rest, width, out + in_blocks);
}

float RabitqRotatedQuery::ExProduct(const RabitqStorage& storage, size_t row) const {
  return simd::RabitqExDot(elements_.data(), storage.ex_codes() + row * storage.ex_code_bytes(),
                           storage.num_ex_blocks(), storage.ex_bits());
}

RabitqScorer::RabitqScorer(const RabitqShape& shape, std::shared_ptr<const RabitqRotator> rotator, const float* query,
                           const ScorerOptions& options)
    : shape_(shape),
      rotator_(std::move(rotator)),
      options_(options),
      uses_ex_codes_(UsesExCodes(shape, options)),
      query_(query, query + shape.dimension),
      scratch_(shape.dimension),
      rotated_(is_residual() ? kMaxPartitions : 1, RabitqRotatedQuery(shape, options.approx_mode)) {
  if (!is_residual()) rotated_[0].Set(*rotator_, query_.data());
}

void RabitqScorer::BeginPartitions(std::span<const ProbedPartition> partitions) {
  for (size_t i = 0; i < partitions.size(); ++i) {
    formulas_[i] = is_residual() ? BeginResidual(partitions[i], &rotated_[i]) : BeginRaw(partitions[i]);
  }
}

simd::RabitqFormula RabitqScorer::BeginRaw(const ProbedPartition& partition) {
  simd::RabitqFormula formula{.product_offset = -0.5F * rotated_[0].sum()};
  if (options_.metric != Metric::kDot) {
    formula.offset = partition.distance;
    formula.error_weight = std::sqrt(std::max(partition.distance, 0.0F));
    return formula;
  }
  // The query is its projection on the centroid, t c, and the rest. The rotation keeps inner products, so none of this
  // needs the rotated centroid.
  const float product = simd::Dot(query_.data(), partition.centroid, query_.size());
  const float squares = simd::NormSquared(partition.centroid, query_.size());
  const float t = squares == 0 ? 0 : product / squares;
  for (size_t j = 0; j < query_.size(); ++j) scratch_[j] = t * partition.centroid[j];
  formula.add_weight = t;
  formula.offset = 1 - product - t;
  formula.error_weight = std::sqrt(simd::L2Squared(query_.data(), scratch_.data(), query_.size()));
  return formula;
}

simd::RabitqFormula RabitqScorer::BeginResidual(const ProbedPartition& partition, RabitqRotatedQuery* query) {
  for (size_t j = 0; j < query_.size(); ++j) scratch_[j] = query_[j] - partition.centroid[j];
  if (options_.element_type == ElementType::kFloat16) {
    for (float& value : scratch_) value = RoundTo(options_.element_type, value);
  }
  query->Set(*rotator_, scratch_.data());
  const float root = std::sqrt(static_cast<float>(shape_.code_dimension));
  return {.product_weight = 2 / root,
          .product_offset = -query->sum() / root,
          .offset = options_.metric == Metric::kDot ? partition.distance - 1 : partition.distance};
}

void RabitqScorer::ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) {
  if (announced() != nullptr) static_cast<const RabitqStorage&>(*announced()).Prefetch();
  const auto& rows = static_cast<const RabitqStorage&>(storage);
  const RabitqRotatedQuery& query = rotated_[is_residual() ? i : 0];
  const simd::RabitqFormula& formula = formulas_[i];
  for (size_t begin = 0; begin < rows.num_rows(); begin += kRowsPerScan) {
    const size_t n = std::min(kRowsPerScan, rows.num_rows() - begin);
    query.Products(rows, begin, n, products_.data());
    if (uses_ex_codes_) {
      PushNear(query, formula, rows, begin, n, top_k);
      continue;
    }
    const simd::RabitqFactors factors{.scale = rows.floats(RabitqStorage::kScale) + begin,
                                      .add = rows.floats(RabitqStorage::kAdd) + begin};
    simd::RabitqDistances(formula, products_.data(), factors, n, distances_.data());
    top_k->PushBlock(distances_.data(), rows.row_ids() + begin, n);
  }
}

void RabitqScorer::PushNear(const RabitqRotatedQuery& query, const simd::RabitqFormula& formula,
                            const RabitqStorage& storage, size_t begin, size_t num_rows, TopK* top_k) {
  const simd::RabitqFactors factors{.scale = storage.floats(RabitqStorage::kScale) + begin,
                                    .add = storage.floats(RabitqStorage::kAdd) + begin,
                                    .error = storage.floats(RabitqStorage::kError) + begin};
  simd::RabitqLowerBounds(formula, products_.data(), factors, num_rows, distances_.data());
  const size_t count = simd::SelectAtMost(distances_.data(), num_rows, top_k->threshold(), near_.data());
  const auto unit = static_cast<float>(1U << shape_.ex_bits());
  // Their ex codes lie apart, so some are asked for while others are looked at.
  constexpr size_t kAhead = 4;
  const auto prefetch = [&](size_t n) {
    if (n >= count) return;
    simd::PrefetchAll(storage.ex_codes() + (begin + near_[n]) * storage.ex_code_bytes(), storage.ex_code_bytes());
  };
  for (size_t n = 0; n < kAhead; ++n) prefetch(n);
  for (size_t n = 0; n < count; ++n) {
    prefetch(n + kAhead);
    // The threshold has become lower since they were selected. A bound at the worst distance kept leaves no room below
    // it; one at the threshold of a search that has not found enough is below the upper bound.
    const float bound = distances_[near_[n]];
    if (top_k->size() == top_k->k() ? bound >= top_k->threshold() : bound > top_k->threshold()) continue;
    const size_t row = begin + near_[n];
    const uint64_t row_id = storage.row_ids()[row];
    if (top_k->filter() != nullptr && !top_k->filter()->Allows(row_id)) continue;
    const float product = unit * products_[near_[n]] + query.ExProduct(storage, row) - (unit - 0.5F) * query.sum();
    top_k->Push(product * storage.floats(RabitqStorage::kExScale)[row] +
                    formula.add_weight * storage.floats(RabitqStorage::kExAdd)[row] + formula.offset,
                row_id);
  }
}

}  // namespace fewter
