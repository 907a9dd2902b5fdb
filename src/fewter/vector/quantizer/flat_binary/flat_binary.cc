#include "fewter/vector/quantizer/flat_binary/flat_binary.h"

#include <string>
#include <vector>

#include <arrow/status.h>
#include <nlohmann/json.hpp>

#include "fewter/simd/hamming.h"
#include "fewter/vector/quantizer/row_major_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

const std::vector<std::string>& SectionColumns() {
  static const std::vector<std::string> kColumns = {"dimension"};
  return kColumns;
}

RowMajorFormat FormatOf(uint32_t dimension) {
  return {StorageKind::kFlatBinary, ElementType::kUint8, dimension, "flat", "vectors"};
}

class FlatBinaryScorer final : public RowMajorScorer {
 public:
  FlatBinaryScorer(const float* query, uint32_t dimension) : query_(ToBytes(query, dimension)) {}

 protected:
  void Score(const Rows& rows, float* out) override {
    simd::HammingRows(query_.data(), rows.values, rows.num_rows, query_.size(), out, rows.picks);
  }

 private:
  std::vector<uint8_t> query_;
};

class FlatBinaryQuantizer final : public Quantizer {
 public:
  explicit FlatBinaryQuantizer(uint32_t dimension) : format_(FormatOf(dimension)) {}

  StorageKind kind() const override { return StorageKind::kFlatBinary; }
  uint32_t dimension() const override { return format_.dimension; }
  int64_t SizeInBytes() const override { return sizeof(*this); }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>*) const override {}
  std::string Describe() const override { return "binary, " + std::to_string(format_.dimension) + " bytes"; }

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

  // Hamming is the only metric that bytes have, so the options say nothing.
  std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& /*options*/) const override {
    return std::make_unique<FlatBinaryScorer>(query, format_.dimension);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    return WriteNumberSection(SectionColumns(), {format_.dimension}, out);
  }

 private:
  RowMajorFormat format_;
};

arrow::Result<std::shared_ptr<const PartitionStorage>> StorageFromBatch(
    const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters) {
  return RowMajorStorage::FromBatch(FormatOf(parameters[0]), *batch, num_rows, parameters);
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto numbers, ReadNumberSection(SectionColumns(), sections));
  if (numbers[0] == 0) return arrow::Status::Invalid("column dimension: zero");
  return std::make_shared<FlatBinaryQuantizer>(numbers[0]);
}

}  // namespace

arrow::Result<std::shared_ptr<const Quantizer>> MakeFlatBinaryQuantizer(const QuantizerSource& source) {
  if (source.element_type != ElementType::kUint8) {
    return arrow::Status::Invalid("element type: binary vectors of ", ToString(source.element_type));
  }
  ARROW_RETURN_NOT_OK(ParseRowMajorMetadata(source.metadata, source.dimension));
  return std::make_shared<FlatBinaryQuantizer>(source.dimension);
}

constinit const StorageKindEntry kFlatBinaryKind = {
    StorageKind::kFlatBinary, "binary", "FLAT", true, MakeFlatBinaryQuantizer, StorageFromBatch, QuantizerFromSections};

}  // namespace fewter
