#include "fewter/vector/quantizer/rabitq/rabitq.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <arrow/status.h>

#include "fewter/util/array_buffers.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/rabitq/rabitq_rotation_internal.h"
#include "fewter/vector/quantizer/rabitq/rabitq_scorer_internal.h"
#include "fewter/vector/quantizer/rabitq/rabitq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kShapeColumn[] = "shape";
constexpr char kSignsColumn[] = "signs";
constexpr char kMatrixColumn[] = "matrix";
constexpr int64_t kShapeNumbers = 7;

template <typename ArrayType, typename T>
std::shared_ptr<ArrayType> ArrayOf(const std::shared_ptr<arrow::DataType>& type, std::vector<T> values) {
  return std::static_pointer_cast<ArrayType>(ArrayOver(type, arrow::Buffer::FromVector(std::move(values))));
}

class RabitqQuantizer final : public Quantizer {
 public:
  RabitqQuantizer(const RabitqShape& shape, std::shared_ptr<const RabitqRotator> rotator)
      : shape_(shape), rotator_(std::move(rotator)), columns_(RabitqStorage::ColumnsOf(shape)) {}

  StorageKind kind() const override { return StorageKind::kRabitq; }
  uint32_t dimension() const override { return shape_.dimension; }
  int64_t SizeInBytes() const override { return rotator_->SizeInBytes() + int64_t{sizeof(*this)}; }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const override {
    AppendArrayBuffers(*rotator_->signs()->data(), buffers);
    AppendArrayBuffers(*rotator_->matrix()->data(), buffers);
  }
  std::string Describe() const override {
    return "RaBitQ, " + std::to_string(shape_.num_bits) + (shape_.num_bits == 1 ? " bit" : " bits") + " an element";
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                     StorageLayout /*layout*/,
                                                                     const float* /*centroid*/) const override {
    return RabitqStorage::FromRows(rows, shape_);
  }

  arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout /*layout*/) const override {
    if (storage.kind() != kind()) {
      return arrow::Status::Invalid("storage: expected RaBitQ, not ", ToString(storage.kind()));
    }
    const auto [code_dimension, ex_bits, unused2, unused3] = storage.Parameters();
    if (code_dimension != shape_.code_dimension || ex_bits != shape_.ex_bits()) {
      return arrow::Status::Invalid("RaBitQ storage: expected ", shape_.code_dimension, " elements with ",
                                    shape_.ex_bits(), " further bits, not ", code_dimension, " with ", ex_bits);
    }
    return arrow::Status::OK();
  }

  std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& options) const override {
    return std::make_unique<RabitqScorer>(shape_, rotator_, query, options);
  }

  /// Their lower bounds hold with high probability, not always.
  bool ScanDependsOnOrder(const ScorerOptions& options) const override {
    return RabitqScorer::UsesExCodes(shape_, options);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    const auto shape = ArrayOf<arrow::UInt32Array>(
        arrow::uint32(),
        std::vector<uint32_t>{shape_.dimension, shape_.code_dimension, shape_.num_bits,
                              static_cast<uint32_t>(shape_.estimator), static_cast<uint32_t>(shape_.rotation),
                              shape_.packed ? 1U : 0U, shape_.has_blocked_ex_codes ? 1U : 0U});
    return ipc::WriteSection(
        *MakeOneRowBatch({kShapeColumn, kSignsColumn, kMatrixColumn}, {shape, rotator_->signs(), rotator_->matrix()}),
        out);
  }

 private:
  RabitqShape shape_;
  std::shared_ptr<const RabitqRotator> rotator_;
  std::vector<std::string> columns_;
};

arrow::Result<RabitqShape> ShapeOf(const arrow::UInt32Array& numbers) {
  for (int64_t i = 3; i < kShapeNumbers; ++i) {
    if (numbers.Value(i) > 1) return arrow::Status::Invalid("column ", kShapeColumn, ": ", numbers.Value(i), " at ", i);
  }
  const RabitqShape shape{.dimension = numbers.Value(0),
                          .code_dimension = numbers.Value(1),
                          .num_bits = numbers.Value(2),
                          .estimator = static_cast<RabitqEstimator>(numbers.Value(3)),
                          .rotation = static_cast<RabitqRotation>(numbers.Value(4)),
                          .packed = numbers.Value(5) == 1,
                          .has_blocked_ex_codes = numbers.Value(6) == 1};
  ARROW_RETURN_NOT_OK(shape.Check());
  return shape;
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections->Next());
  ARROW_ASSIGN_OR_RAISE(const auto numbers, ArrayOfOneRow(*batch, kShapeColumn, *arrow::uint32(), kShapeNumbers));
  ARROW_ASSIGN_OR_RAISE(const RabitqShape shape, ShapeOf(static_cast<const arrow::UInt32Array&>(*numbers)));
  ARROW_ASSIGN_OR_RAISE(const auto signs, ArrayOfOneRow(*batch, kSignsColumn, *arrow::uint8(), shape.num_sign_bytes()));
  ARROW_ASSIGN_OR_RAISE(const auto matrix,
                        ArrayOfOneRow(*batch, kMatrixColumn, *arrow::float32(), shape.num_matrix_elements()));
  return std::make_shared<RabitqQuantizer>(
      shape, std::make_shared<RabitqRotator>(shape, std::static_pointer_cast<arrow::UInt8Array>(signs),
                                             std::static_pointer_cast<arrow::FloatArray>(matrix)));
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromFile(const QuantizerSource& source) {
  ARROW_ASSIGN_OR_RAISE(RabitqMetadata metadata, RabitqMetadata::Parse(source.metadata));
  metadata.has_blocked_ex_codes = source.has_column("__blocked_ex_codes") || !source.has_column("__ex_codes");
  std::shared_ptr<arrow::FloatArray> matrix;
  if (metadata.matrix_position.has_value()) {
    auto read = source.read_tensor(*metadata.matrix_position);
    if (!read.ok()) return read.status().WithMessage("RaBitQ matrix: ", read.status().message());
    matrix = *read;
  }
  return MakeRabitqQuantizer(metadata, source.dimension, matrix);
}

/// The first `dimension` columns of a matrix of `rows` rows: a vector has zeros where the others are.
arrow::Result<std::shared_ptr<arrow::FloatArray>> FirstColumns(const std::shared_ptr<arrow::FloatArray>& matrix,
                                                               size_t rows, size_t dimension) {
  if (matrix == nullptr || matrix->null_count() != 0) return arrow::Status::Invalid("RaBitQ matrix: missing, or nulls");
  const auto length = static_cast<size_t>(matrix->length());
  if (length == rows * dimension) return matrix;
  if (length != rows * rows) {
    return arrow::Status::Invalid("RaBitQ matrix: ", length, " elements are not ", rows, " rows of ", rows, " or ",
                                  dimension);
  }
  std::vector<float> columns(rows * dimension);
  for (size_t i = 0; i < rows; ++i) {
    std::copy_n(matrix->raw_values() + i * rows, dimension, columns.begin() + static_cast<int64_t>(i * dimension));
  }
  return ArrayOf<arrow::FloatArray>(arrow::float32(), std::move(columns));
}

/// Of a square matrix; 0 if there is none.
uint32_t RowsOf(const arrow::FloatArray* matrix) {
  if (matrix == nullptr) return 0;
  const auto rows = std::llround(std::sqrt(static_cast<double>(matrix->length())));
  return rows * rows == matrix->length() && rows <= RabitqShape::kMaxCodeDimension ? static_cast<uint32_t>(rows) : 0;
}

}  // namespace

arrow::Result<std::shared_ptr<const Quantizer>> MakeRabitqQuantizer(const RabitqMetadata& metadata, uint32_t dimension,
                                                                    const std::shared_ptr<arrow::FloatArray>& matrix) {
  const RabitqShape shape{
      .dimension = dimension,
      .code_dimension = metadata.code_dimension != 0 ? metadata.code_dimension : RowsOf(matrix.get()),
      .num_bits = metadata.num_bits,
      .estimator = metadata.estimator,
      .rotation = metadata.rotation,
      .packed = metadata.packed,
      .has_blocked_ex_codes = metadata.has_blocked_ex_codes};
  ARROW_RETURN_NOT_OK(shape.Check());
  auto signs = ArrayOf<arrow::UInt8Array>(arrow::uint8(), std::vector<uint8_t>{});
  auto columns = ArrayOf<arrow::FloatArray>(arrow::float32(), std::vector<float>{});
  if (shape.rotation == RabitqRotation::kMatrix) {
    ARROW_ASSIGN_OR_RAISE(columns, FirstColumns(matrix, shape.code_dimension, dimension));
  } else if (metadata.signs.size() == shape.num_sign_bytes()) {
    signs = ArrayOf<arrow::UInt8Array>(arrow::uint8(), metadata.signs);
  } else {
    return arrow::Status::Invalid("storage_metadata: fast_rotation_signs has ", metadata.signs.size(), " bytes, not ",
                                  shape.num_sign_bytes());
  }
  return std::make_shared<RabitqQuantizer>(
      shape, std::make_shared<RabitqRotator>(shape, std::move(signs), std::move(columns)));
}

constinit const StorageKindEntry kRabitqKind = {
    StorageKind::kRabitq, "RaBitQ", "RQ", false, QuantizerFromFile, RabitqStorage::FromBatch, QuantizerFromSections};

}  // namespace fewter
