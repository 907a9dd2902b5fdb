#include <algorithm>

#include <nlohmann/json.hpp>

#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/row_major_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {

arrow::Status RowMajorFormat::Check(const PartitionStorage& storage) const {
  if (storage.kind() != kind) {
    return arrow::Status::Invalid("storage: expected ", ToString(kind), ", not ", ToString(storage.kind()));
  }
  const StorageParameters ours = Parameters(), theirs = storage.Parameters();
  if (theirs == ours) return arrow::Status::OK();
  return arrow::Status::Invalid(ToString(kind), " storage: expected vectors of ", dimension, " ",
                                ToString(element_type), ", parameters ", ours[0], ", ", ours[1], " and ", ours[2],
                                ", not ", theirs[0], ", ", theirs[1], " and ", theirs[2]);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RowMajorStorage::FromRows(const RowMajorFormat& format,
                                                                                 const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(auto row_ids, RowIdsOf(rows));
  ARROW_ASSIGN_OR_RAISE(auto values,
                        ListValuesOf(rows, format.file_column, *ArrowTypeOf(format.element_type), format.dimension));
  ARROW_ASSIGN_OR_RAISE(values, EnsureAligned(std::move(values)));
  return std::make_shared<RowMajorStorage>(format, std::move(row_ids), std::move(values));
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RowMajorStorage::FromBatch(const RowMajorFormat& format,
                                                                                  const arrow::RecordBatch& batch,
                                                                                  uint32_t num_rows,
                                                                                  const StorageParameters& parameters) {
  if (format.dimension == 0 || parameters != format.Parameters()) {
    return arrow::Status::Invalid(ToString(format.kind), " storage: parameters ", parameters[0], ", ", parameters[1],
                                  ", ", parameters[2], ", ", parameters[3]);
  }
  ARROW_ASSIGN_OR_RAISE(auto row_ids, BufferOfOneRow(batch, kRowIdColumn, *arrow::uint64(), num_rows));
  // Two numbers of 32 bits: their product cannot exceed 64, and is compared with what there is.
  const uint64_t num_values = uint64_t{num_rows} * format.dimension;
  ARROW_ASSIGN_OR_RAISE(auto values,
                        BufferOfOneRow(batch, format.batch_column, *ArrowTypeOf(format.element_type), num_values));
  return std::make_shared<RowMajorStorage>(format, std::move(row_ids), std::move(values));
}

std::shared_ptr<arrow::RecordBatch> RowMajorStorage::ToBatch() const {
  return MakeBatch({}, {});
}

std::shared_ptr<arrow::RecordBatch> RowMajorStorage::MakeBatch(const std::vector<std::string>& more_names,
                                                               const arrow::ArrayVector& more_arrays) const {
  std::vector<std::string> names = {kRowIdColumn, format_.batch_column};
  arrow::ArrayVector arrays = {ArrayOver(arrow::uint64(), row_ids_),
                               ArrayOver(ArrowTypeOf(format_.element_type), values_)};
  names.insert(names.end(), more_names.begin(), more_names.end());
  arrays.insert(arrays.end(), more_arrays.begin(), more_arrays.end());
  return MakeOneRowBatch(names, arrays);
}

arrow::Result<std::shared_ptr<const PartitionStorage>> RowMajorStorage::Select(std::span<const uint32_t> rows,
                                                                               std::vector<uint64_t> row_ids) const {
  ARROW_ASSIGN_OR_RAISE(auto values, SelectRows(values_->data(), row_bytes(), rows));
  ARROW_ASSIGN_OR_RAISE(auto ids, EnsureAligned(arrow::Buffer::FromVector(std::move(row_ids))));
  return std::make_shared<RowMajorStorage>(format_, std::move(ids), std::move(values));
}

void RowMajorScorer::BeginPartitions(std::span<const ProbedPartition> /*partitions*/) {}

void RowMajorScorer::ScanPartition(size_t /*i*/, const PartitionStorage& storage, TopK* top_k) {
  const auto& rows = static_cast<const RowMajorStorage&>(storage);
  const size_t num_rows = rows.num_rows();
  const auto& next = announced() == nullptr ? rows : static_cast<const RowMajorStorage&>(*announced());
  const simd::ReadAhead read_ahead{.end = rows.values() + num_rows * rows.row_bytes(), .next = next.values()};
  for (size_t begin = 0; begin < num_rows; begin += kRowsPerBlock) {
    const size_t size = std::min(kRowsPerBlock, num_rows - begin);
    Score({.values = rows.values() + begin * rows.row_bytes(), .num_rows = size, .read_ahead = read_ahead},
          distances_.data());
    top_k->PushBlock(distances_.data(), rows.row_ids() + begin, size);
  }
}

void RowMajorScorer::ScoreRows(size_t /*i*/, const PartitionStorage& storage, std::span<const uint32_t> rows,
                               float* out) {
  const auto& all = static_cast<const RowMajorStorage&>(storage);
  Score({.values = all.values(), .num_rows = rows.size(), .picks = rows.data()}, out);
}

arrow::Result<nlohmann::json> ParseRowMajorMetadata(std::string_view storage_metadata, uint32_t dimension) {
  auto json = nlohmann::json::parse(storage_metadata, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return arrow::Status::Invalid("storage_metadata: not a JSON object");
  const auto field = json.find("dim");
  if (field == json.end() || !field->is_number_unsigned()) {
    return arrow::Status::Invalid("storage_metadata: dim is missing or not a number");
  }
  const auto dim = field->get<uint64_t>();
  if (dimension != 0 && dim == dimension) return json;
  return arrow::Status::Invalid("storage_metadata: dim is ", dim, " but the vectors have ", dimension, " elements");
}

arrow::Status WriteNumberSection(const std::vector<std::string>& names, const std::vector<uint32_t>& numbers,
                                 arrow::io::OutputStream* out) {
  arrow::ArrayVector arrays;
  for (const uint32_t number : numbers) {
    arrays.push_back(ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::vector<uint32_t>{number})));
  }
  return ipc::WriteSection(*MakeOneRowBatch(names, arrays), out);
}

arrow::Result<std::vector<uint32_t>> ReadNumberSection(const std::vector<std::string>& names,
                                                       ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections->Next());
  std::vector<uint32_t> numbers;
  for (const std::string& name : names) {
    ARROW_ASSIGN_OR_RAISE(const auto array, ArrayOfOneRow(*batch, name, *arrow::uint32(), 1));
    numbers.push_back(static_cast<const arrow::UInt32Array&>(*array).Value(0));
  }
  return numbers;
}

}  // namespace fewter
