#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "fewter/simd/pq_rows.h"
#include "fewter/simd/pq_scan.h"
#include "fewter/simd/pq_tables.h"
#include "fewter/simd/select.h"
#include "fewter/vector/quantizer/pq/pq_scorer_internal.h"

namespace fewter {
namespace {

std::vector<float>& SpareFloats() {
  static thread_local std::vector<float> spare;
  return spare;
}

/// A table of bytes, and for dot one of distances.
size_t FloatsFor(const PqShape& shape, bool uses_residual) {
  const size_t bytes = (shape.table_size() + sizeof(float) - 1) / sizeof(float);
  return (uses_residual ? 0 : shape.table_size()) + bytes;
}

/// Until there are k rows a bound says nothing: the most promising rows are taken for them, unless these were many of
/// all, or the filter may refuse them.
bool BoundsSpareMany(size_t num_rows, const TopK& top_k) {
  const size_t wanted = top_k.k() - top_k.size();
  return wanted == 0 || (wanted <= num_rows / 4 && top_k.filter() == nullptr);
}

}  // namespace

ReusedFloats::ReusedFloats(size_t size) : values_(std::move(SpareFloats())) {
  if (values_.size() < size) values_.resize(size);
}

ReusedFloats::~ReusedFloats() {
  SpareFloats() = std::move(values_);
}

PqWorkspace& PqWorkspace::OfThisThread() {
  // On the heap: memory of threads is scarce in a library that Python loads late.
  static thread_local const auto workspace = std::make_unique<PqWorkspace>();
  return *workspace;
}

PqScorer::PqScorer(std::shared_ptr<const PqCodebook> codebook, const float* query, const ScorerOptions& options)
    : codebook_(std::move(codebook)),
      options_(options),
      query_(query, query + codebook_->shape().dimension),
      memory_(FloatsFor(codebook_->shape(), uses_residual())) {
  if (uses_residual()) return;
  has_table_.fill(true);
  const PqShape& shape = codebook_->shape();
  simd::PqTableDot(query_.data(), codebook_->blocks()->raw_values(), shape.num_sub_vectors, shape.sub_dimension(),
                   shape.num_codewords(), TableOf(0));
}

void PqScorer::BeginPartitions(std::span<const ProbedPartition> partitions) {
  std::copy(partitions.begin(), partitions.end(), partitions_.begin());
  num_partitions_ = partitions.size();
  has_residual_.fill(!uses_residual());
  has_table_.fill(!uses_residual());
}

void PqScorer::TakeWorkspace() {
  PqWorkspace& workspace = PqWorkspace::OfThisThread();
  // Another may have had it meanwhile, or this scorer was on another thread.
  if (workspace_ == &workspace && workspace.owner == this) return;
  workspace_ = &workspace;
  workspace.owner = this;
  if (!uses_residual()) return;
  has_residual_.fill(false);
  has_table_.fill(false);
  const size_t tables = (kMaxPartitions + 1) * codebook_->shape().table_size();
  if (workspace.tables.size() < tables) workspace.tables.resize(tables);
  if (workspace.residuals.size() < kMaxPartitions * query_.size()) {
    workspace.residuals.resize(kMaxPartitions * query_.size());
  }
}

void PqScorer::FillResidual(size_t i) {
  if (std::exchange(has_residual_[i], true)) return;
  float* residual = ResidualOf(i);
  const float* centroid = partitions_[i].centroid;
  for (size_t t = 0; t < query_.size(); ++t) residual[t] = query_[t] - centroid[t];
  // Lance subtracts halves from halves.
  if (options_.element_type != ElementType::kFloat16) return;
  for (size_t t = 0; t < query_.size(); ++t) residual[t] = RoundTo(ElementType::kFloat16, residual[t]);
}

void PqScorer::FillTables(size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) FillResidual(i);
  const PqShape& shape = codebook_->shape();
  simd::PqTablesL2(ResidualOf(first), count, codebook_->blocks()->raw_values(), shape.num_sub_vectors,
                   shape.sub_dimension(), shape.num_codewords(), TableOf(first));
  std::fill_n(has_table_.begin() + first, count, true);
}

bool PqScorer::HasBounds(const PqStorage& storage) {
  if (uses_residual() && storage.squared_lengths() == nullptr) return false;
  if (!bounds_.has_value()) {
    float* bytes = memory_.data() + (uses_residual() ? 0 : codebook_->shape().table_size());
    bounds_.emplace(*codebook_, query_.data(), options_, TableOf(kMaxPartitions), reinterpret_cast<uint8_t*>(bytes));
  }
  return bounds_->exist();
}

bool PqScorer::TurnBounds(size_t i, const PqStorage& storage) {
  TakeWorkspace();
  if (storage.layout() != StorageLayout::kScan || storage.num_rows() == 0 || !HasBounds(storage)) return false;
  bounds_->SetCentroid(partitions_[i].centroid);
  return true;
}

void PqScorer::ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) {
  const auto& pq = static_cast<const PqStorage&>(storage);
  if (announced() != nullptr) static_cast<const PqStorage&>(*announced()).Prefetch();
  const bool has_bounds = TurnBounds(i, pq);
  for (size_t begin = 0; begin < pq.num_rows(); begin += kRowsPerBlock) {
    ScanBlock(i, {pq, begin, std::min(kRowsPerBlock, pq.num_rows() - begin)}, has_bounds, top_k);
  }
}

void PqScorer::ScanPair(const PartitionStorage& storage, TopK* top_k, QueryScorer* other, TopK* top_k_of_other) {
  const auto& pq = static_cast<const PqStorage&>(storage);
  auto& second = static_cast<PqScorer&>(*other);
  if (codebook_->shape().num_bits != 4 || !TurnBounds(0, pq) || !second.TurnBounds(0, pq)) {
    return QueryScorer::ScanPair(storage, top_k, other, top_k_of_other);
  }
  if (announced() != nullptr) static_cast<const PqStorage&>(*announced()).Prefetch();
  for (size_t begin = 0; begin < pq.num_rows(); begin += kRowsPerBlock) {
    const Block block{pq, begin, std::min(kRowsPerBlock, pq.num_rows() - begin)};
    const bool together = BoundsSpareMany(block.num_rows, *top_k) && BoundsSpareMany(block.num_rows, *top_k_of_other);
    auto& [bounds, bounds_of_second] = PqWorkspace::OfThisThread().distances;
    if (together) {
      bounds_->ComputePair(*second.bounds_, pq, begin, block.num_rows, bounds.data(), bounds_of_second.data());
    }
    TakeWorkspace();
    together ? ScanNear(0, block, bounds.data(), top_k) : ScanBlock(0, block, true, top_k);
    second.TakeWorkspace();
    together ? second.ScanNear(0, block, bounds_of_second.data(), top_k_of_other)
             : second.ScanBlock(0, block, true, top_k_of_other);
  }
}

void PqScorer::ScanBlock(size_t i, const Block& block, bool has_bounds, TopK* top_k) {
  if (!has_bounds || !BoundsSpareMany(block.num_rows, *top_k)) return ScanAll(i, block, top_k);
  float* bounds = workspace_->distances[0].data();
  bounds_->Compute(block.storage, block.begin, block.num_rows, bounds);
  ScanNear(i, block, bounds, top_k);
}

void PqScorer::ScanAll(size_t i, const Block& block, TopK* top_k) {
  const PqShape& shape = codebook_->shape();
  float* out = workspace_->distances[0].data();
  if (block.storage.layout() == StorageLayout::kScan) {
    if (!has_table_[i]) FillTables(i, 1);
    const auto scan = shape.num_bits == 8 ? simd::PqScan8 : simd::PqScan4;
    scan(TableOf(i), block.codes(), block.storage.stride(), block.num_rows, shape.num_sub_vectors, out);
  } else {
    SumRows(i, block.storage.codes() + block.begin * shape.code_width(), block.num_rows, nullptr, out);
  }
  SubtractExcess(block.num_rows, out);
  top_k->PushBlock(out, block.row_ids(), block.num_rows);
}

void PqScorer::ScanNear(size_t i, const Block& block, float* bounds, TopK* top_k) {
  if (const size_t wanted = top_k->k() - top_k->size(); wanted > 0) {
    PushNear(i, block, simd::LimitForAtLeast(bounds, block.num_rows, wanted), bounds, top_k);
  }
  PushNear(i, block, bounds_->LimitFor(top_k->threshold()), bounds, top_k);
}

void PqScorer::PushNear(size_t i, const Block& block, float limit, float* bounds, TopK* top_k) {
  auto& near = workspace_->near;
  const size_t count = simd::SelectAtMost(bounds, block.num_rows, limit, near.data());
  if (!has_table_[i] && IsTableWorthIt(count, block.num_rows)) FillTables(i, 1);
  std::sort(near.begin(), near.begin() + count, [bounds](uint32_t a, uint32_t b) { return bounds[a] < bounds[b]; });
  for (size_t n = 0, end = 0; n < count;) {
    const float now = bounds_->LimitFor(top_k->threshold());
    while (end < std::min(count, n + kRowsTogether) && bounds[near[end]] <= now) ++end;
    if (end == n) break;
    std::array<float, kRowsTogether> found;
    Distances(i, block, {near.data() + n, end - n}, found.data());
    for (size_t j = 0; n < end; ++n, ++j) {
      top_k->Push(found[j], block.row_ids()[near[n]]);
      bounds[near[n]] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

bool PqScorer::IsTableWorthIt(size_t count, size_t num_rows) const {
  // Of 4 bits it costs as much as two rows without it.
  return codebook_->shape().num_bits == 4 ? count > 2 : 8 * count > codebook_->shape().num_codewords() + num_rows;
}

void PqScorer::Distances(size_t i, const Block& block, std::span<const uint32_t> rows, float* out) {
  const PqShape& shape = codebook_->shape();
  const uint8_t* codes = block.codes();
  const size_t stride = block.storage.stride();
  if (!has_table_[i]) {
    FillResidual(i);
    return simd::PqDistancesL2(ResidualOf(i), codebook_->codewords(), shape.num_sub_vectors, shape.sub_dimension(),
                               shape.num_codewords(), codes, stride, rows.data(), rows.size(), out);
  }
  if (shape.num_bits == 4) {
    simd::PqScanPicked4(TableOf(i), codes, stride, rows.data(), rows.size(), shape.num_sub_vectors, out);
  } else {
    for (size_t j = 0; j < rows.size(); ++j) {
      simd::PqScan8(TableOf(i), codes + rows[j], stride, 1, shape.num_sub_vectors, out + j);
    }
  }
  SubtractExcess(rows.size(), out);
}

void PqScorer::ScoreRows(size_t i, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out) {
  const auto& pq = static_cast<const PqStorage&>(storage);
  if (pq.layout() != StorageLayout::kRandomAccess) return QueryScorer::ScoreRows(i, storage, rows, out);
  TakeWorkspace();
  SumRows(i, pq.codes(), rows.size(), rows.data(), out);
  SubtractExcess(rows.size(), out);
}

void PqScorer::SumRows(size_t i, const uint8_t* codes, size_t num_rows, const uint32_t* picks, float* out) {
  // All partitions will want theirs, and the codebook passes by only once.
  if (!has_table_[i]) FillTables(0, num_partitions_);
  const auto sum_rows = codebook_->shape().num_bits == 8 ? simd::PqSumRows8 : simd::PqSumRows4;
  sum_rows(TableOf(i), codes, num_rows, codebook_->shape().num_sub_vectors, out, picks);
}

// For dot each entry is 1 - <.,.>, so the sum has too many ones. Subtracted last, as Lance does.
void PqScorer::SubtractExcess(size_t num_rows, float* out) const {
  if (uses_residual()) return;
  const auto excess = static_cast<float>(codebook_->shape().num_sub_vectors - 1);
  std::transform(out, out + num_rows, out, [excess](float sum) { return sum - excess; });
}

}  // namespace fewter
