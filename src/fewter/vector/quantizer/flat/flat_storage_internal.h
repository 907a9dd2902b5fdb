#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/simd/sketch.h"
#include "fewter/vector/quantizer/row_major_internal.h"

namespace fewter {

/// Rows for scans: vectors, and beside them their sketches (see simd/sketch.h), which are a quarter as many bytes for
/// float32 and bound the distances, so that most of the vectors stay unread.
class FlatStorage final : public RowMajorStorage {
 public:
  struct Sketch {
    /// sketch_stride() a row.
    std::shared_ptr<arrow::Buffer> bytes;
    /// A float a row each, see simd::SketchFactors.
    std::shared_ptr<arrow::Buffer> scale, error, norm;
  };

  /// Whether storages of a format have sketches: where rows are scanned, and if a sketch has at most half the bytes.
  static bool HasSketch(ElementType element_type, uint32_t dimension, StorageLayout layout);

  /// Computes the sketches of rows whose format says that they have some.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromRows(const RowMajorStorage& rows);

  /// From a cache entry that gave the rows.
  static arrow::Result<std::shared_ptr<const PartitionStorage>> FromBatch(const RowMajorStorage& rows,
                                                                          const arrow::RecordBatch& batch);

  FlatStorage(const RowMajorStorage& rows, Sketch sketch) : RowMajorStorage(rows), sketch_(std::move(sketch)) {}

  int64_t SizeInBytes() const override;
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override;
  arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> rows,
                                                                std::vector<uint64_t> row_ids) const override;

  size_t sketch_stride() const { return simd::SketchStride(format().dimension); }
  /// Of rows from `begin` on.
  const uint8_t* sketches(size_t begin) const { return sketch_.bytes->data() + begin * sketch_stride(); }
  simd::SketchFactorArrays factors(size_t begin) const {
    return {.scale = sketch_.scale->data_as<float>() + begin,
            .error = sketch_.error->data_as<float>() + begin,
            .norm = sketch_.norm->data_as<float>() + begin};
  }

 private:
  Sketch sketch_;
};

}  // namespace fewter
