#include "fewter/vector/ivf/state.h"

#include <limits>

#include <arrow/builder.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/ipc/sections.h"
#include "fewter/util/array_buffers.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/registry.h"

namespace fewter {

namespace {

/// The first section: one row of scalars.
const std::shared_ptr<arrow::Schema>& HeaderSchema() {
  static const auto schema = arrow::schema({
      arrow::field("uuid", arrow::utf8()),
      arrow::field("index_type", arrow::utf8()),
      arrow::field("metric", arrow::uint32()),
      arrow::field("sub_index_kind", arrow::uint32()),
      arrow::field("storage_kind", arrow::uint32()),
      arrow::field("element_type", arrow::uint32()),
      arrow::field("dimension", arrow::uint32()),
      arrow::field("num_partitions", arrow::uint32()),
      arrow::field("total_rows", arrow::uint64()),
      arrow::field("index_path", arrow::utf8()),
      arrow::field("index_size", arrow::uint64()),
      arrow::field("storage_path", arrow::utf8()),
      arrow::field("storage_size", arrow::uint64()),
      // All 0 unless the index is a single file.
      arrow::field("first_byte", arrow::uint64()),
      arrow::field("code_bytes", arrow::uint32()),
      arrow::field("is_unpacked", arrow::uint32()),
  });
  return schema;
}

template <typename Builder, typename Value>
arrow::Status AppendScalar(const Value& value, arrow::ArrayVector* columns) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Append(value));
  ARROW_ASSIGN_OR_RAISE(auto array, builder.Finish());
  columns->push_back(std::move(array));
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> HeaderBatch(const IvfIndexState& state) {
  using arrow::StringBuilder;
  using arrow::UInt32Builder;
  using arrow::UInt64Builder;
  arrow::ArrayVector columns;
  ARROW_RETURN_NOT_OK(AppendScalar<StringBuilder>(state.uuid, &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<StringBuilder>(state.index_type, &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(static_cast<uint32_t>(state.metric), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(static_cast<uint32_t>(state.sub_index_kind()), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(static_cast<uint32_t>(state.quantizer->kind()), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(static_cast<uint32_t>(state.element_type), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(state.model->dimension(), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(state.model->num_partitions(), &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt64Builder>(state.model->total_rows(), &columns));
  for (const auto* file : {&state.index_file, &state.storage_file}) {
    ARROW_RETURN_NOT_OK(AppendScalar<StringBuilder>(file->path, &columns));
    ARROW_RETURN_NOT_OK(AppendScalar<UInt64Builder>(file->size, &columns));
  }
  const auto single = state.single_file_rows.value_or(SingleFileRows{});
  ARROW_RETURN_NOT_OK(AppendScalar<UInt64Builder>(single.first_byte, &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(single.code_bytes, &columns));
  ARROW_RETURN_NOT_OK(AppendScalar<UInt32Builder>(single.is_unpacked ? 1U : 0U, &columns));
  return arrow::RecordBatch::Make(HeaderSchema(), 1, std::move(columns));
}

/// Reads the header's columns by position; the schema has been compared by the section reader.
class HeaderRow {
 public:
  static arrow::Result<HeaderRow> Read(ipc::SectionReader* sections) {
    ARROW_ASSIGN_OR_RAISE(auto batch, sections->Next(HeaderSchema().get()));
    if (batch->num_rows() != 1) return arrow::Status::Invalid("index state: header has ", batch->num_rows(), " rows");
    for (const auto& column : batch->columns()) {
      if (column->null_count() != 0) return arrow::Status::Invalid("index state: null in the header");
    }
    return HeaderRow(std::move(batch));
  }

  std::string String(int column) const {
    return static_cast<const arrow::StringArray&>(*batch_->column(column)).GetString(0);
  }
  uint32_t U32(int column) const { return static_cast<const arrow::UInt32Array&>(*batch_->column(column)).Value(0); }
  uint64_t U64(int column) const { return static_cast<const arrow::UInt64Array&>(*batch_->column(column)).Value(0); }

 private:
  explicit HeaderRow(std::shared_ptr<arrow::RecordBatch> batch) : batch_(std::move(batch)) {}
  std::shared_ptr<arrow::RecordBatch> batch_;
};

arrow::Result<std::shared_ptr<const IvfModel>> ReadModel(const HeaderRow& header, Metric metric,
                                                         ipc::SectionReader* sections) {
  const uint32_t dimension = header.U32(6);
  const uint64_t partitions = header.U32(7);
  const auto type = metric == Metric::kHamming ? arrow::uint8() : arrow::float32();
  ARROW_ASSIGN_OR_RAISE(auto batch, sections->Next());
  // Both factors are below 2^32, so the product cannot overflow.
  ARROW_ASSIGN_OR_RAISE(auto centroids, ArrayOfOneRow(*batch, "centroids", *type, partitions * dimension));
  ARROW_ASSIGN_OR_RAISE(auto offsets, ArrayOfOneRow(*batch, "offsets", *arrow::uint64(), partitions));
  ARROW_ASSIGN_OR_RAISE(auto lengths, ArrayOfOneRow(*batch, "lengths", *arrow::uint32(), partitions));
  return IvfModel::Make(dimension, std::move(centroids), std::static_pointer_cast<arrow::UInt64Array>(offsets),
                        std::static_pointer_cast<arrow::UInt32Array>(lengths), header.U64(8));
}

/// The rows of an index of a single file, checked to lie in it.
arrow::Status ReadSingleFileRows(const HeaderRow& header, IvfIndexState* state) {
  const SingleFileRows rows{header.U64(13), header.U32(14), header.U32(15) == 1};
  if (rows == SingleFileRows{}) return arrow::Status::OK();
  uint64_t bytes = 0;
  const uint64_t row_bytes = uint64_t{rows.code_bytes} + sizeof(uint64_t);
  if (header.U32(15) > 1 || state->sub_index != nullptr || rows.code_bytes == 0 ||
      rows.code_bytes > std::numeric_limits<int32_t>::max() ||
      !CheckedMultiply(state->model->total_rows(), row_bytes, &bytes) ||
      !RangeIsInside(rows.first_byte, bytes, state->storage_file.size) || state->storage_file != state->index_file) {
    return arrow::Status::Invalid("index state: ", state->model->total_rows(), " rows of ", row_bytes,
                                  " bytes from byte ", rows.first_byte, " on");
  }
  state->single_file_rows = rows;
  return arrow::Status::OK();
}

/// Reads the sub-index model, if there is one, and checks that the parts go together.
arrow::Status ReadSubIndex(const SubIndexKindEntry& sub_index, const StorageKindEntry& storage,
                           ipc::SectionReader* sections, IvfIndexState* state) {
  if ((storage.kind == StorageKind::kFlatBinary) != (state->metric == Metric::kHamming)) {
    return arrow::Status::Invalid("index state: storage ", storage.name, " under ", ToString(state->metric));
  }
  if (sub_index.model_from_sections == nullptr) return arrow::Status::OK();
  if (!storage.has_random_access) {
    return arrow::Status::Invalid("index state: ", sub_index.name, " over ", storage.name);
  }
  ARROW_ASSIGN_OR_RAISE(state->sub_index, sub_index.model_from_sections(sections));
  if (state->sub_index->num_partitions() == state->model->num_partitions()) return arrow::Status::OK();
  return arrow::Status::Invalid("index state: ", state->model->num_partitions(), " centroids, sub-indexes of ",
                                state->sub_index->num_partitions(), " partitions");
}

}  // namespace

int64_t IvfIndexState::SizeInBytes() const {
  return static_cast<int64_t>(sizeof(IvfIndexState) + uuid.size() + index_file.path.size() + storage_file.path.size()) +
         model->SizeInBytes() + quantizer->SizeInBytes() + (sub_index == nullptr ? 0 : sub_index->SizeInBytes());
}

void IvfIndexState::AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const {
  AppendArrayBuffers(*model->centroids()->data(), buffers);
  AppendArrayBuffers(*model->offsets()->data(), buffers);
  AppendArrayBuffers(*model->lengths()->data(), buffers);
  quantizer->AppendBuffers(buffers);
  if (sub_index != nullptr) sub_index->AppendBuffers(buffers);
}

arrow::Status IvfIndexState::Serialize(arrow::io::OutputStream* out) const {
  ARROW_ASSIGN_OR_RAISE(auto header, HeaderBatch(*this));
  ARROW_RETURN_NOT_OK(ipc::WriteSection(*header, out));
  auto arrays =
      MakeOneRowBatch({"centroids", "offsets", "lengths"}, {model->centroids(), model->offsets(), model->lengths()});
  ARROW_RETURN_NOT_OK(ipc::WriteSection(*arrays, out));
  ARROW_RETURN_NOT_OK(quantizer->Serialize(out));
  return sub_index == nullptr ? arrow::Status::OK() : sub_index->Serialize(out);
}

arrow::Result<std::shared_ptr<const IvfIndexState>> IvfIndexState::Deserialize(
    const std::shared_ptr<arrow::Buffer>& body) {
  ipc::SectionReader sections(body);
  ARROW_ASSIGN_OR_RAISE(auto header, HeaderRow::Read(&sections));
  auto state = std::make_shared<IvfIndexState>();
  state->uuid = header.String(0);
  state->index_type = header.String(1);
  const uint32_t metric = header.U32(2);
  if (metric > static_cast<uint32_t>(Metric::kHamming)) return arrow::Status::Invalid("index state: metric ", metric);
  state->metric = static_cast<Metric>(metric);
  ARROW_ASSIGN_OR_RAISE(const auto* sub_index_kind, FindSubIndexKind(header.U32(3)));
  ARROW_ASSIGN_OR_RAISE(const auto* kind, FindStorageKind(header.U32(4)));
  ARROW_ASSIGN_OR_RAISE(state->element_type, ElementTypeFrom(header.U32(5)));
  state->index_file = {header.String(9), header.U64(10)};
  state->storage_file = {header.String(11), header.U64(12)};
  ARROW_ASSIGN_OR_RAISE(state->model, ReadModel(header, state->metric, &sections));
  ARROW_ASSIGN_OR_RAISE(state->quantizer, kind->quantizer_from_sections(&sections));
  if (state->quantizer->dimension() != state->model->dimension()) {
    return arrow::Status::Invalid("index state: centroids of dimension ", state->model->dimension(),
                                  ", quantizer of dimension ", state->quantizer->dimension());
  }
  ARROW_RETURN_NOT_OK(ReadSubIndex(*sub_index_kind, *kind, &sections, state.get()));
  ARROW_RETURN_NOT_OK(ReadSingleFileRows(header, state.get()));
  ARROW_RETURN_NOT_OK(sections.Finish());
  return state;
}

}  // namespace fewter
