#include "fewter/vector/quantizer/pq/pq.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <arrow/status.h>

#include "fewter/simd/pq_rows.h"
#include "fewter/simd/pq_scan.h"
#include "fewter/util/array_buffers.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/pq/pq_storage_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kShapeColumn[] = "shape";
constexpr char kCodebookColumn[] = "codebook";
constexpr size_t kCodewordsPerBlock = 16;

/// The numbers that everything else follows from. Checked: PqMetadata::CheckShape.
struct PqShape {
  uint32_t num_bits;
  uint32_t num_sub_vectors;
  uint32_t dimension;

  size_t num_codewords() const { return size_t{1} << num_bits; }
  size_t sub_dimension() const { return dimension / num_sub_vectors; }
  size_t table_size() const { return num_codewords() * num_sub_vectors; }
  uint64_t codebook_size() const { return uint64_t{num_codewords()} * dimension; }
  uint32_t code_width() const { return num_bits == 8 ? num_sub_vectors : num_sub_vectors / 2; }
};

// From the file's order, codeword after codeword, to that of simd::PqTableL2: 16 codewords side by side.
std::shared_ptr<arrow::FloatArray> ArrangeForKernels(const PqShape& shape, const float* codebook) {
  const size_t sub_dimension = shape.sub_dimension();
  std::vector<float> arranged(shape.codebook_size());
  // The blocks follow one another through all sub-vectors, as the codewords do in the file.
  for (size_t block = 0; block < arranged.size(); block += kCodewordsPerBlock * sub_dimension) {
    for (size_t c = 0; c < kCodewordsPerBlock; ++c) {
      for (size_t t = 0; t < sub_dimension; ++t) {
        arranged[block + t * kCodewordsPerBlock + c] = codebook[block + c * sub_dimension + t];
      }
    }
  }
  const auto buffer = arrow::Buffer::FromVector(std::move(arranged));
  return std::static_pointer_cast<arrow::FloatArray>(ArrayOver(arrow::float32(), buffer));
}

/// Memory for a scorer, handed on from one scorer of a thread to the next: fresh memory of this size costs more in page
/// faults than the tables that are written to it. What is in it is whatever was there before.
class ReusedFloats {
 public:
  explicit ReusedFloats(size_t size) : values_(std::move(Spare())) {
    if (values_.size() < size) values_.resize(size);
  }
  ~ReusedFloats() { Spare() = std::move(values_); }
  ReusedFloats(const ReusedFloats&) = delete;
  ReusedFloats& operator=(const ReusedFloats&) = delete;

  float* data() { return values_.data(); }

 private:
  static std::vector<float>& Spare() {
    static thread_local std::vector<float> spare;
    return spare;
  }

  std::vector<float> values_;
};

class PqScorer final : public QueryScorer {
 public:
  PqScorer(const PqShape& shape, std::shared_ptr<arrow::FloatArray> codebook, const float* query,
           const ScorerOptions& options)
      : shape_(shape),
        codebook_(std::move(codebook)),
        uses_residual_(options.metric != Metric::kDot),
        element_type_(options.element_type),
        query_(query, query + shape.dimension),
        residuals_(uses_residual_ ? kMaxPartitions * shape.dimension : 0),
        tables_(uses_residual_ ? kMaxPartitions * shape.table_size() : shape.table_size()) {
    if (!uses_residual_) {
      simd::PqTableDot(query_.data(), codebook_->raw_values(), shape_.num_sub_vectors, shape_.sub_dimension(),
                       shape_.num_codewords(), tables_.data());
    }
  }

  void BeginPartitions(std::span<const ProbedPartition> partitions) override {
    if (!uses_residual_) return;
    float* residual = residuals_.data();
    for (const ProbedPartition& partition : partitions) {
      for (size_t i = 0; i < query_.size(); ++i) *residual++ = query_[i] - partition.centroid[i];
    }
    // Lance subtracts halves from halves.
    if (element_type_ == ElementType::kFloat16) {
      std::transform(residuals_.data(), residual, residuals_.data(),
                     [](float value) { return RoundTo(ElementType::kFloat16, value); });
    }
    simd::PqTablesL2(residuals_.data(), partitions.size(), codebook_->raw_values(), shape_.num_sub_vectors,
                     shape_.sub_dimension(), shape_.num_codewords(), tables_.data());
  }

  void ScanPartition(size_t i, const PartitionStorage& storage, TopK* top_k) override {
    const auto& pq = static_cast<const PqStorage&>(storage);
    const size_t num_rows = pq.num_rows();
    for (size_t begin = 0; begin < num_rows; begin += kRowsPerBlock) {
      const size_t rows = std::min(kRowsPerBlock, num_rows - begin);
      float* out = distances_.data();
      if (pq.layout() == StorageLayout::kScan) {
        const auto scan = shape_.num_bits == 8 ? simd::PqScan8 : simd::PqScan4;
        scan(TableOf(i), pq.codes() + begin, pq.stride(), rows, shape_.num_sub_vectors, out);
      } else {
        SumRows(i, pq.codes() + begin * shape_.code_width(), rows, nullptr, out);
      }
      SubtractExcess(rows, out);
      top_k->PushBlock(out, pq.row_ids() + begin, rows);
    }
  }

  void ScoreRows(size_t i, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out) override {
    const auto& pq = static_cast<const PqStorage&>(storage);
    if (pq.layout() != StorageLayout::kRandomAccess) return QueryScorer::ScoreRows(i, storage, rows, out);
    SumRows(i, pq.codes(), rows.size(), rows.data(), out);
    SubtractExcess(rows.size(), out);
  }

 private:
  static constexpr size_t kRowsPerBlock = 1024;

  const float* TableOf(size_t i) { return tables_.data() + (uses_residual_ ? i * shape_.table_size() : 0); }

  void SumRows(size_t i, const uint8_t* codes, size_t num_rows, const uint32_t* picks, float* out) {
    const auto sum_rows = shape_.num_bits == 8 ? simd::PqSumRows8 : simd::PqSumRows4;
    sum_rows(TableOf(i), codes, num_rows, shape_.num_sub_vectors, out, picks);
  }

  // For dot each entry is 1 - <.,.>, so the sum has too many ones. Subtracted last, as Lance does.
  void SubtractExcess(size_t num_rows, float* out) const {
    if (uses_residual_) return;
    const auto excess = static_cast<float>(shape_.num_sub_vectors - 1);
    std::transform(out, out + num_rows, out, [excess](float sum) { return sum - excess; });
  }

  PqShape shape_;
  std::shared_ptr<arrow::FloatArray> codebook_;
  /// L2 and cosine look at the query from the partition's centroid, dot at the query itself.
  bool uses_residual_;
  ElementType element_type_;
  std::vector<float> query_;
  /// One a partition turned to, one behind the other; a single table for dot.
  std::vector<float> residuals_;
  ReusedFloats tables_;
  alignas(kBufferAlignment) std::array<float, kRowsPerBlock> distances_;
};

class PqQuantizer final : public Quantizer {
 public:
  /// `codebook` as simd::PqTableL2 wants it.
  PqQuantizer(const PqShape& shape, bool transposed, std::shared_ptr<arrow::FloatArray> codebook)
      : shape_(shape), transposed_(transposed), codebook_(std::move(codebook)) {}

  StorageKind kind() const override { return StorageKind::kPq; }
  uint32_t dimension() const override { return shape_.dimension; }
  int64_t SizeInBytes() const override { return codebook_->length() * int64_t{sizeof(float)} + int64_t{sizeof(*this)}; }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const override {
    AppendArrayBuffers(*codebook_->data(), buffers);
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
                                                                     StorageLayout layout) const override {
    return PqStorage::FromRows(rows, shape_.num_bits, shape_.code_width(), transposed_, layout);
  }

  arrow::Status CheckStorage(const PartitionStorage& storage, StorageLayout layout) const override {
    if (storage.kind() != kind()) {
      return arrow::Status::Invalid("storage: expected PQ, not ", ToString(storage.kind()));
    }
    const auto [num_bits, code_width, its_layout, unused] = storage.Parameters();
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
    return std::make_unique<PqScorer>(shape_, codebook_, query, options);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    const auto shape = arrow::Buffer::FromVector(
        std::vector<uint32_t>{shape_.num_bits, shape_.num_sub_vectors, shape_.dimension, transposed_ ? 1u : 0u});
    return ipc::WriteSection(
        *MakeOneRowBatch({kShapeColumn, kCodebookColumn}, {ArrayOver(arrow::uint32(), shape), codebook_}), out);
  }

 private:
  PqShape shape_;
  bool transposed_;
  std::shared_ptr<arrow::FloatArray> codebook_;
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
  return std::make_shared<PqQuantizer>(checked, shape.Value(3) == 1,
                                       std::static_pointer_cast<arrow::FloatArray>(std::move(codebook)));
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
  return std::make_shared<PqQuantizer>(shape, metadata.transposed, ArrangeForKernels(shape, codebook.raw_values()));
}

constinit const StorageKindEntry kPqKind = {
    StorageKind::kPq, "PQ", "PQ", true, QuantizerFromFile, PqStorage::FromBatch, QuantizerFromSections};

}  // namespace fewter
