#include "fewter/vector/quantizer/pq/pq.h"

#include <utility>
#include <vector>

#include <arrow/status.h>

#include "fewter/util/array_buffers.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/pq/pq_codebook_internal.h"
#include "fewter/vector/quantizer/pq/pq_scorer_internal.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kShapeColumn[] = "shape";
constexpr char kCodebookColumn[] = "codebook";
class PqQuantizer final : public Quantizer {
 public:
  PqQuantizer(bool transposed, std::shared_ptr<const PqCodebook> codebook)
      : shape_(codebook->shape()), transposed_(transposed), codebook_(std::move(codebook)) {}

  StorageKind kind() const override { return StorageKind::kPq; }
  uint32_t dimension() const override { return shape_.dimension; }
  int64_t SizeInBytes() const override { return codebook_->SizeInBytes() + int64_t{sizeof(*this)}; }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const override {
    AppendArrayBuffers(*codebook_->blocks()->data(), buffers);
  }
  std::string Describe() const override {
    return "PQ, " + std::to_string(shape_.num_sub_vectors) + " sub-vectors of " + std::to_string(shape_.num_bits) +
           " bits";
  }

  const std::vector<std::string>& columns() const override {
    static const std::vector<std::string> kColumns = {kRowIdColumn, "__pq_code"};
    return kColumns;
  }

  arrow::Result<std::shared_ptr<const PartitionStorage>> MakeStorage(const arrow::RecordBatch& rows,
                                                                     StorageLayout layout,
                                                                     const float* centroid) const override {
    return PqStorage::FromRows(rows, *codebook_, transposed_, layout, centroid);
  }

  arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout layout) const override {
    if (storage.kind() != kind()) {
      return arrow::Status::Invalid("storage: expected PQ, not ", ToString(storage.kind()));
    }
    const auto [num_bits, code_width, its_layout, has_lengths] = storage.Parameters();
    if (num_bits != shape_.num_bits || code_width != shape_.code_width()) {
      return arrow::Status::Invalid("PQ storage: expected codes of ", shape_.num_bits, " bits and ",
                                    shape_.code_width(), " bytes, not of ", num_bits, " and ", code_width);
    }
    if (its_layout != static_cast<uint32_t>(layout)) {
      return arrow::Status::Invalid("PQ storage: expected layout ", static_cast<uint32_t>(layout), ", not ",
                                    its_layout);
    }
    return arrow::Status::OK();
  }

  std::unique_ptr<QueryScorer> MakeScorer(const float* query, const ScorerOptions& options) const override {
    return std::make_unique<PqScorer>(codebook_, query, options);
  }

  // Of 4 bits the tables of a partition are small, and most often it needs none.
  bool TurnsCheaply() const override { return shape_.num_bits == 4; }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    const auto shape = arrow::Buffer::FromVector(
        std::vector<uint32_t>{shape_.num_bits, shape_.num_sub_vectors, shape_.dimension, transposed_ ? 1u : 0u});
    return ipc::WriteSection(
        *MakeOneRowBatch({kShapeColumn, kCodebookColumn}, {ArrayOver(arrow::uint32(), shape), codebook_->blocks()}),
        out);
  }

 private:
  PqShape shape_;
  bool transposed_;
  std::shared_ptr<const PqCodebook> codebook_;
};

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections->Next());
  ARROW_ASSIGN_OR_RAISE(const auto numbers, ArrayOfOneRow(*batch, kShapeColumn, *arrow::uint32(), 4));
  const auto& shape = static_cast<const arrow::UInt32Array&>(*numbers);
  PqMetadata metadata;
  metadata.num_bits = shape.Value(0);
  metadata.num_sub_vectors = shape.Value(1);
  metadata.dimension = shape.Value(2);
  ARROW_RETURN_NOT_OK(metadata.CheckShape());
  if (shape.Value(3) > 1) return arrow::Status::Invalid("column ", kShapeColumn, ": transposed is ", shape.Value(3));
  const PqShape checked{metadata.num_bits, metadata.num_sub_vectors, metadata.dimension};
  ARROW_ASSIGN_OR_RAISE(auto codebook,
                        ArrayOfOneRow(*batch, kCodebookColumn, *arrow::float32(), checked.codebook_size()));
  return std::make_shared<PqQuantizer>(
      shape.Value(3) == 1,
      PqCodebook::FromBlocks(checked, std::static_pointer_cast<arrow::FloatArray>(std::move(codebook))));
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFromFile(const QuantizerSource& source) {
  ARROW_ASSIGN_OR_RAISE(const PqMetadata metadata, PqMetadata::Parse(source.metadata));
  auto codebook = metadata.codebook_position != 0 ? source.read_tensor(metadata.codebook_position)
                                                  : source.parse_tensor(metadata.inline_codebook);
  if (!codebook.ok()) return codebook.status().WithMessage("PQ codebook: ", codebook.status().message());
  return MakePqQuantizer(metadata, **codebook);
}

}  // namespace

arrow::Result<std::shared_ptr<const Quantizer>> MakePqQuantizer(const PqMetadata& metadata,
                                                                const arrow::FloatArray& codebook) {
  ARROW_RETURN_NOT_OK(metadata.CheckShape());
  const PqShape shape{metadata.num_bits, metadata.num_sub_vectors, metadata.dimension};
  if (static_cast<uint64_t>(codebook.length()) != shape.codebook_size() || codebook.null_count() != 0) {
    return arrow::Status::Invalid("codebook: expected ", shape.codebook_size(), " values without nulls, found ",
                                  codebook.length(), " of which ", codebook.null_count(), " are null");
  }
  return std::make_shared<PqQuantizer>(metadata.transposed, PqCodebook::FromFile(shape, codebook.raw_values()));
}

constinit const StorageKindEntry kPqKind = {
    StorageKind::kPq, "PQ", "PQ", true, QuantizerFromFile, PqStorage::FromBatch, QuantizerFromSections};

}  // namespace fewter
