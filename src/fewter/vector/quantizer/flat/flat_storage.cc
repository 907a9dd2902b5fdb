#include <algorithm>
#include <utility>
#include <vector>

#include <arrow/status.h>

#include "fewter/vector/quantizer/flat/flat_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kSketchColumn[] = "sketches";
constexpr char kScaleColumn[] = "sketch_scale";
constexpr char kErrorColumn[] = "sketch_error";
constexpr char kNormColumn[] = "norm";

/// Sketches a row after another.
class Sketcher {
 public:
  explicit Sketcher(const RowMajorFormat& format) : format_(format) {
    if (format.element_type == ElementType::kFloat64) floats_.resize(format.dimension);
  }

  simd::SketchFactors Sketch(const uint8_t* row, uint8_t* bytes) {
    switch (format_.element_type) {
      case ElementType::kFloat16:
        return simd::SketchRow(reinterpret_cast<const simd::Half*>(row), format_.dimension, bytes);
      case ElementType::kFloat64: {
        const auto* doubles = reinterpret_cast<const double*>(row);
        std::transform(doubles, doubles + format_.dimension, floats_.begin(), [](double v) { return float(v); });
        return simd::SketchRow(floats_.data(), format_.dimension, bytes);
      }
      default:
        return simd::SketchRow(reinterpret_cast<const float*>(row), format_.dimension, bytes);
    }
  }

 private:
  const RowMajorFormat& format_;
  std::vector<float> floats_;
};

}  // namespace

bool FlatStorage::HasSketch(ElementType element_type, uint32_t dimension, StorageLayout layout) {
  return layout == StorageLayout::kScan && dimension <= simd::kMaxSketchDimension &&
         2 * simd::SketchStride(dimension) <= size_t{dimension} * SizeOf(element_type);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> FlatStorage::FromRows(const RowMajorStorage& rows) {
  const int64_t num_rows = rows.num_rows();
  const auto stride = static_cast<int64_t>(simd::SketchStride(rows.format().dimension));
  const auto num_bytes = num_rows * int64_t{sizeof(float)};
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> bytes, arrow::AllocateBuffer(num_rows * stride));
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> scale, arrow::AllocateBuffer(num_bytes));
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> error, arrow::AllocateBuffer(num_bytes));
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> norm, arrow::AllocateBuffer(num_bytes));
  Sketcher sketcher(rows.format());
  for (int64_t i = 0; i < num_rows; ++i) {
    const auto factors =
        sketcher.Sketch(rows.values() + static_cast<size_t>(i) * rows.row_bytes(), bytes->mutable_data() + i * stride);
    scale->mutable_data_as<float>()[i] = factors.scale;
    error->mutable_data_as<float>()[i] = factors.error;
    norm->mutable_data_as<float>()[i] = factors.norm;
  }
  return std::make_shared<FlatStorage>(rows, Sketch{bytes, scale, error, norm});
}

arrow::Result<std::shared_ptr<const PartitionStorage>> FlatStorage::FromBatch(const RowMajorStorage& rows,
                                                                              const arrow::RecordBatch& batch) {
  const uint32_t dimension = rows.format().dimension;
  if (dimension > simd::kMaxSketchDimension) {
    return arrow::Status::Invalid("flat storage: sketches of ", dimension, " elements");
  }
  // Cannot exceed 64 bits, and is compared with what there is.
  const uint64_t num_bytes = uint64_t{rows.num_rows()} * simd::SketchStride(dimension);
  ARROW_ASSIGN_OR_RAISE(auto bytes, BufferOfOneRow(batch, kSketchColumn, *arrow::uint8(), num_bytes));
  ARROW_ASSIGN_OR_RAISE(auto scale, BufferOfOneRow(batch, kScaleColumn, *arrow::float32(), rows.num_rows()));
  ARROW_ASSIGN_OR_RAISE(auto error, BufferOfOneRow(batch, kErrorColumn, *arrow::float32(), rows.num_rows()));
  ARROW_ASSIGN_OR_RAISE(auto norm, BufferOfOneRow(batch, kNormColumn, *arrow::float32(), rows.num_rows()));
  return std::make_shared<FlatStorage>(rows, Sketch{bytes, scale, error, norm});
}

int64_t FlatStorage::SizeInBytes() const {
  const int64_t arrays = sketch_.bytes->size() + sketch_.scale->size() + sketch_.error->size() + sketch_.norm->size();
  return RowMajorStorage::SizeInBytes() + arrays + int64_t{sizeof(sketch_)};
}

std::shared_ptr<arrow::RecordBatch> FlatStorage::ToBatch() const {
  return MakeBatch({kSketchColumn, kScaleColumn, kErrorColumn, kNormColumn},
                   {ArrayOver(arrow::uint8(), sketch_.bytes), ArrayOver(arrow::float32(), sketch_.scale),
                    ArrayOver(arrow::float32(), sketch_.error), ArrayOver(arrow::float32(), sketch_.norm)});
}

arrow::Result<std::shared_ptr<const PartitionStorage>> FlatStorage::Select(std::span<const uint32_t> rows,
                                                                           std::vector<uint64_t> row_ids) const {
  ARROW_ASSIGN_OR_RAISE(const auto vectors, RowMajorStorage::Select(rows, std::move(row_ids)));
  const auto select = [&](const std::shared_ptr<arrow::Buffer>& from, size_t width) {
    return SelectRows(from->data(), width, rows);
  };
  Sketch selected;
  ARROW_ASSIGN_OR_RAISE(selected.bytes, select(sketch_.bytes, sketch_stride()));
  ARROW_ASSIGN_OR_RAISE(selected.scale, select(sketch_.scale, sizeof(float)));
  ARROW_ASSIGN_OR_RAISE(selected.error, select(sketch_.error, sizeof(float)));
  ARROW_ASSIGN_OR_RAISE(selected.norm, select(sketch_.norm, sizeof(float)));
  return std::make_shared<FlatStorage>(static_cast<const RowMajorStorage&>(*vectors), std::move(selected));
}

}  // namespace fewter
