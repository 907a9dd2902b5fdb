#include "fewter/vector/quantizer/flat/flat.h"

#include <string>
#include <vector>

#include <arrow/status.h>
#include <nlohmann/json.hpp>

#include "fewter/vector/quantizer/flat/flat_scorer_internal.h"
#include "fewter/vector/quantizer/flat/flat_storage_internal.h"
#include "fewter/vector/quantizer/row_major_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

const std::vector<std::string>& SectionColumns() {
  static const std::vector<std::string> kColumns = {"dimension", "element_type"};
  return kColumns;
}

RowMajorFormat FormatOf(uint32_t dimension, ElementType element_type) {
  return {StorageKind::kFlat, element_type, dimension, "flat", "vectors"};
}

arrow::Status CheckIsFloat(ElementType type) {
  if (type != ElementType::kUint8) return arrow::Status::OK();
  return arrow::Status::Invalid("flat storage: element type ", ToString(type));
}

class FlatQuantizer final : public Quantizer {
 public:
  explicit FlatQuantizer(const RowMajorFormat& format) : format_(format) {}

  StorageKind kind() const override { return StorageKind::kFlat; }
  uint32_t dimension() const override { return format_.dimension; }
  int64_t SizeInBytes() const override { return sizeof(*this); }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>*) const override {}
  std::string Describe() const override {
    return "flat, " + std::to_string(format_.dimension) + " " + std::string(ToString(format_.element_type)) + "s";
  }

  const std::vector<std::string>& columns() const override {
    static const std::vector<std::string> kColumns = {kRowIdColumn, format_.file_column};
    return kColumns;
  }

  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                     StorageLayout layout,
                                                                     const float* /*centroid*/) const override {
    const RowMajorFormat format = FormatIn(layout);
    ARROW_ASSIGN_OR_RAISE(auto storage, RowMajorStorage::FromRows(format, rows));
    if (!format.has_sketch) return storage;
    return FlatStorage::FromRows(static_cast<const RowMajorStorage&>(*storage));
  }

  arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout layout) const override {
    return FormatIn(layout).Check(storage);
  }

  std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& options) const override {
    return MakeFlatScorer(format_.element_type, query, format_.dimension, options.metric);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    return WriteNumberSection(SectionColumns(), {format_.dimension, static_cast<uint32_t>(format_.element_type)}, out);
  }

 private:
  RowMajorFormat FormatIn(StorageLayout layout) const {
    RowMajorFormat format = format_;
    format.has_sketch = FlatStorage::HasSketch(format.element_type, format.dimension, layout);
    return format;
  }

  RowMajorFormat format_;
};

arrow::Result<std::shared_ptr<const PartitionStorage>> StorageFromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  ARROW_ASSIGN_OR_RAISE(const ElementType type, ElementTypeFrom(parameters[1]));
  ARROW_RETURN_NOT_OK(CheckIsFloat(type));
  RowMajorFormat format = FormatOf(parameters[0], type);
  format.has_sketch = parameters[2] == 1;
  ARROW_ASSIGN_OR_RAISE(auto storage, RowMajorStorage::FromBatch(format, *batch, num_rows, parameters));
  if (!format.has_sketch) return storage;
  return FlatStorage::FromBatch(static_cast<const RowMajorStorage&>(*storage), *batch);
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto numbers, ReadNumberSection(SectionColumns(), sections));
  if (numbers[0] == 0) return arrow::Status::Invalid("column dimension: zero");
  ARROW_ASSIGN_OR_RAISE(const ElementType type, ElementTypeFrom(numbers[1]));
  ARROW_RETURN_NOT_OK(CheckIsFloat(type));
  return std::make_shared<FlatQuantizer>(FormatOf(numbers[0], type));
}

}  // namespace

arrow::Result<std::shared_ptr<const Quantizer>> MakeFlatQuantizer(const QuantizerSource& source) {
  ARROW_RETURN_NOT_OK(CheckIsFloat(source.element_type));
  ARROW_RETURN_NOT_OK(ParseRowMajorMetadata(source.metadata, source.dimension));
  return std::make_shared<FlatQuantizer>(FormatOf(source.dimension, source.element_type));
}

constinit const StorageKindEntry kFlatKind = {
    StorageKind::kFlat, "flat", "FLAT", true, MakeFlatQuantizer, StorageFromBatch, QuantizerFromSections};

}  // namespace fewter
