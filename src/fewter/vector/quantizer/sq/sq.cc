#include "fewter/vector/quantizer/sq/sq.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <arrow/status.h>
#include <nlohmann/json.hpp>

#include "fewter/simd/distance.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/row_major_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kDimensionColumn[] = "dimension";
constexpr char kBoundsColumn[] = "bounds";

RowMajorFormat FormatOf(uint32_t dimension) {
  return {StorageKind::kSq, ElementType::kUint8, dimension, "__sq_code", "codes"};
}

// What everything else relies on: distances are computed from floats, and byte sums fit in 32 bits.
arrow::Status CheckShape(uint32_t dimension, const SqBounds& bounds) {
  if (dimension == 0 || dimension > simd::kMaxByteDimension) {
    return arrow::Status::Invalid("dim is ", dimension, ", not from 1 to ", simd::kMaxByteDimension);
  }
  const auto is_float = [](double value) { return std::abs(value) <= std::numeric_limits<float>::max(); };
  // False for NaN.
  if (bounds.start <= bounds.end && is_float(bounds.start) && is_float(bounds.end - bounds.start)) {
    return arrow::Status::OK();
  }
  return arrow::Status::Invalid("bounds from ", bounds.start, " to ", bounds.end, " are not a finite range of floats");
}

/// What a difference of 1 between bytes is worth.
float StepOf(const SqBounds& bounds) {
  return static_cast<float>(bounds.end - bounds.start) / 255.0f;
}

class SqL2Scorer final : public RowMajorScorer {
 public:
  SqL2Scorer(const float* query, uint32_t dimension, const SqBounds& bounds)
      : query_(dimension), scale_(StepOf(bounds) * StepOf(bounds)) {
    std::transform(query, query + dimension, query_.begin(),
                   [&bounds](float value) { return QuantizeToByte(bounds, value); });
  }

 protected:
  void Score(const Rows& rows, float* out) override {
    if (rows.picks == nullptr) {
      simd::L2SquaredRows(query_.data(), rows.values, rows.num_rows, query_.size(), out, rows.read_ahead);
    } else {
      simd::L2SquaredRows(query_.data(), rows.values, rows.num_rows, query_.size(), out, rows.picks);
    }
    std::transform(out, out + rows.num_rows, out, [this](float sum) { return sum * scale_; });
  }

 private:
  std::vector<uint8_t> query_;
  float scale_;
};

class SqDotScorer final : public RowMajorScorer {
 public:
  SqDotScorer(const float* query, uint32_t dimension, const SqBounds& bounds)
      : query_(query, query + dimension),
        step_(StepOf(bounds)),
        product_with_start_(static_cast<float>(bounds.start) * std::accumulate(query_.begin(), query_.end(), 0.0)) {}

 protected:
  void Score(const Rows& rows, float* out) override {
    simd::DotRows(query_.data(), rows.values, rows.num_rows, query_.size(), out, rows.picks);
    // The two parts of the product often cancel, so they meet in float64.
    std::transform(out, out + rows.num_rows, out,
                   [this](float product) { return static_cast<float>(1 - (product_with_start_ + step_ * product)); });
  }

 private:
  std::vector<float> query_;
  double step_;
  double product_with_start_;
};

class SqQuantizer final : public Quantizer {
 public:
  /// As CheckShape wants them.
  SqQuantizer(uint32_t dimension, const SqBounds& bounds) : format_(FormatOf(dimension)), bounds_(bounds) {}

  StorageKind kind() const override { return StorageKind::kSq; }
  uint32_t dimension() const override { return format_.dimension; }
  int64_t SizeInBytes() const override { return sizeof(*this); }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>*) const override {}
  std::string Describe() const override { return "SQ, " + std::to_string(format_.dimension) + " bytes"; }

  const std::vector<std::string>& columns() const override {
    static const std::vector<std::string> kColumns = {kRowIdColumn, format_.file_column};
    return kColumns;
  }

  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                     StorageLayout /*layout*/,
                                                                     const float* /*centroid*/) const override {
    return RowMajorStorage::FromRows(format_, rows);
  }

  arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout /*layout*/) const override {
    return format_.Check(storage);
  }

  std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& options) const override {
    if (options.metric == Metric::kDot) return std::make_unique<SqDotScorer>(query, format_.dimension, bounds_);
    return std::make_unique<SqL2Scorer>(query, format_.dimension, bounds_);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    const auto dimension = arrow::Buffer::FromVector(std::vector<uint32_t>{format_.dimension});
    const auto bounds = arrow::Buffer::FromVector(std::vector<double>{bounds_.start, bounds_.end});
    return ipc::WriteSection(*MakeOneRowBatch({kDimensionColumn, kBoundsColumn}, {ArrayOver(arrow::uint32(), dimension),
                                                                                  ArrayOver(arrow::float64(), bounds)}),
                             out);
  }

 private:
  RowMajorFormat format_;
  SqBounds bounds_;
};

arrow::Result<double> ParseBound(const nlohmann::json& metadata, const char* name) {
  const auto bounds = metadata.find("bounds");
  if (bounds == metadata.end() || !bounds->is_object()) {
    return arrow::Status::Invalid("storage_metadata: bounds is missing or not an object");
  }
  const auto bound = bounds->find(name);
  if (bound == bounds->end() || !bound->is_number()) {
    return arrow::Status::Invalid("storage_metadata: bounds.", name, " is missing or not a number");
  }
  return bound->get<double>();
}

arrow::Status CheckNumBits(const nlohmann::json& metadata) {
  const auto field = metadata.find("num_bits");
  if (field == metadata.end() || !field->is_number_unsigned() || field->get<uint64_t>() != 8) {
    return arrow::Status::Invalid("storage_metadata: num_bits is missing or not 8");
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<const PartitionStorage>> StorageFromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  return RowMajorStorage::FromBatch(FormatOf(parameters[0]), *batch, num_rows, parameters);
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections->Next());
  ARROW_ASSIGN_OR_RAISE(const auto dimensions, ArrayOfOneRow(*batch, kDimensionColumn, *arrow::uint32(), 1));
  ARROW_ASSIGN_OR_RAISE(const auto values, ArrayOfOneRow(*batch, kBoundsColumn, *arrow::float64(), 2));
  const uint32_t dimension = static_cast<const arrow::UInt32Array&>(*dimensions).Value(0);
  const auto& doubles = static_cast<const arrow::DoubleArray&>(*values);
  const SqBounds bounds{doubles.Value(0), doubles.Value(1)};
  const auto status = CheckShape(dimension, bounds);
  if (!status.ok()) return status.WithMessage("SQ quantizer: ", status.message());
  return std::make_shared<SqQuantizer>(dimension, bounds);
}

}  // namespace

arrow::Result<std::shared_ptr<const Quantizer>> MakeSqQuantizer(const QuantizerSource& source) {
  ARROW_ASSIGN_OR_RAISE(const auto metadata, ParseRowMajorMetadata(source.metadata, source.dimension));
  ARROW_RETURN_NOT_OK(CheckNumBits(metadata));
  SqBounds bounds;
  ARROW_ASSIGN_OR_RAISE(bounds.start, ParseBound(metadata, "start"));
  ARROW_ASSIGN_OR_RAISE(bounds.end, ParseBound(metadata, "end"));
  const auto status = CheckShape(source.dimension, bounds);
  if (!status.ok()) return status.WithMessage("storage_metadata: ", status.message());
  return std::make_shared<SqQuantizer>(source.dimension, bounds);
}

uint8_t QuantizeToByte(const SqBounds& bounds, float value) {
  if (bounds.start == bounds.end) return 0;
  const double scaled = (double{value} - bounds.start) * 255.0 / (bounds.end - bounds.start);
  // The comparison is false for a NaN.
  return scaled >= 0 ? static_cast<uint8_t>(std::min(scaled, 255.0)) : 0;
}

constinit const StorageKindEntry kSqKind = {StorageKind::kSq,     "SQ", "SQ", true, MakeSqQuantizer, StorageFromBatch,
                                            QuantizerFromSections};

}  // namespace fewter
