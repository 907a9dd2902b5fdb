#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <vector>

#include "fewter/simd/distance.h"
#include "fewter/simd/select.h"
#include "fewter/vector/quantizer/flat/flat_query_sketch_internal.h"
#include "fewter/vector/quantizer/flat/flat_scorer_internal.h"
#include "fewter/vector/quantizer/flat/flat_storage_internal.h"
#include "fewter/vector/quantizer/row_major_internal.h"

namespace fewter {
namespace {

/// `Element` as the kernels call it.
template <typename Element>
class FlatScorer final : public RowMajorScorer {
 public:
  FlatScorer(const float* query, uint32_t dimension, Metric metric)
      : query_(query, query + dimension), metric_(metric) {}

  void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) override {
    if (!UsesSketches(static_cast<const RowMajorStorage&>(storage))) {
      return RowMajorScorer::ScanPartition(i, storage, top_k);
    }
    const auto& rows = static_cast<const FlatStorage&>(storage);
    const auto& next = announced() == nullptr ? rows : static_cast<const FlatStorage&>(*announced());
    for (size_t begin = 0; begin < rows.num_rows(); begin += FlatQuerySketch::kMaxRows) {
      const size_t n = std::min(FlatQuerySketch::kMaxRows, rows.num_rows() - begin);
      sketch_->Bounds(rows, begin, n, next.sketches(0), bounds_.data());
      PushNear(rows, begin, n, top_k);
    }
  }

 protected:
  void Score(const Rows& rows, float* out) override {
    const auto* vectors = reinterpret_cast<const Element*>(rows.values);
    const size_t num_rows = rows.num_rows;
    const uint32_t* picks = rows.picks;
    switch (metric_) {
      case Metric::kCosine:
        // The norms too, though both sides are normalised: a vector without a direction must give NaN, not 1.
        simd::CosineDistanceRows(query_.data(), vectors, num_rows, query_.size(), out, picks);
        break;
      case Metric::kDot:
        simd::DotRows(query_.data(), vectors, num_rows, query_.size(), out, picks);
        std::transform(out, out + num_rows, out, [](float product) { return 1.0f - product; });
        break;
      default:
        simd::L2SquaredRows(query_.data(), vectors, num_rows, query_.size(), out, picks);
    }
  }

 private:
  static constexpr size_t kRowsPerLook = 16;

  /// Graphs do not, so the query's sketch is made when the first rows come that have some.
  bool UsesSketches(const RowMajorStorage& rows) {
    if (!rows.format().has_sketch) return false;
    if (!sketch_) {
      const std::vector<float> query(query_.begin(), query_.end());
      sketch_.emplace(query.data(), static_cast<uint32_t>(query.size()), metric_);
    }
    return sketch_->is_usable();
  }

  /// Compares the query with those of the rows from `begin` on, whose bounds are computed, that may be near enough.
  void PushNear(const FlatStorage& rows, size_t begin, size_t num_rows, TopK* top_k) {
    const size_t count = simd::SelectAtMost(bounds_.data(), num_rows, top_k->threshold(), near_.data());
    if (top_k->size() < top_k->k()) {
      // As many as are missing of those that are likely to be the nearest come first: then the others can be left out.
      const size_t missing = std::min(count, top_k->k() - top_k->size());
      std::nth_element(near_.begin(), near_.begin() + missing, near_.begin() + count,
                       [this](uint32_t a, uint32_t b) { return bounds_[a] < bounds_[b]; });
    }
    for (size_t next = 0; next < count;) {
      size_t num_picks = 0;
      for (; next < count && num_picks < kRowsPerLook; ++next) {
        // The threshold has become lower since they were selected.
        if (bounds_[near_[next]] > top_k->threshold()) continue;
        const size_t row = begin + near_[next];
        if (top_k->filter() != nullptr && !top_k->filter()->Allows(rows.row_ids()[row])) continue;
        picks_[num_picks++] = static_cast<uint32_t>(row);
      }
      Score({.values = rows.values(), .num_rows = num_picks, .picks = picks_.data()}, distances_.data());
      for (size_t j = 0; j < num_picks; ++j) top_k->Push(distances_[j], rows.row_ids()[picks_[j]]);
    }
  }

  std::vector<std::conditional_t<std::is_same_v<Element, double>, double, float>> query_;
  Metric metric_;
  std::optional<FlatQuerySketch> sketch_;
  alignas(kBufferAlignment) std::array<float, FlatQuerySketch::kMaxRows> bounds_;
  std::array<uint32_t, FlatQuerySketch::kMaxRows> near_;
  std::array<uint32_t, kRowsPerLook> picks_;
  std::array<float, kRowsPerLook> distances_;
};

}  // namespace

std::unique_ptr<QueryScorer> MakeFlatScorer(ElementType element_type, const float* query, uint32_t dimension,
                                            Metric metric) {
  switch (element_type) {
    case ElementType::kFloat16:
      return std::make_unique<FlatScorer<simd::Half>>(query, dimension, metric);
    case ElementType::kFloat64:
      return std::make_unique<FlatScorer<double>>(query, dimension, metric);
    default:
      return std::make_unique<FlatScorer<float>>(query, dimension, metric);
  }
}

}  // namespace fewter
