#include <limits>
#include <string>
#include <utility>

#include <arrow/builder.h>

#include "fewter/dataset/index_files.h"
#include "fewter/dataset/index_tensors_internal.h"
#include "fewter/dataset/single_file_state_internal.h"
#include "fewter/lance/single_file_index.h"
#include "fewter/vector/quantizer/pq/pq.h"

namespace fewter {

namespace {

/// Releases up to 0.16 wrote HNSW indexes in that container, too, with a second file.
arrow::Status CheckIsAlone(const lance::ObjectStore& store, const lance::IndexMetadata& index,
                           const std::string& index_path) {
  const std::string path = IndexFolder(index) + "/auxiliary.idx";
  ARROW_ASSIGN_OR_RAISE(const auto size, store.FileSize(path, lance::IoKind::kIndex));
  if (!size) return arrow::Status::OK();
  return arrow::Status::NotImplemented(index_path, ": an HNSW index in the container of before version 2.0 (", path,
                                       " beside it) is not supported");
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerOf(const lance::SingleFileIndex& file, uint32_t dimension) {
  ARROW_ASSIGN_OR_RAISE(const auto codebook, FloatsOf(file.codebook, "PQ codebook"));
  PqMetadata metadata;
  metadata.num_bits = file.num_bits;
  metadata.num_sub_vectors = file.num_sub_vectors;
  metadata.dimension = dimension;
  return MakePqQuantizer(metadata, *codebook);
}

arrow::Status Fill(const lance::SingleFileIndex& file, IvfIndexState* state) {
  if (file.metric > static_cast<uint32_t>(Metric::kDot)) {
    return arrow::Status::NotImplemented("metric ", file.metric, " under IVF_PQ is not supported");
  }
  state->index_type = "IVF_PQ";
  state->metric = static_cast<Metric>(file.metric);
  ARROW_ASSIGN_OR_RAISE(state->element_type, ElementTypeOf(file.centroids.type, "IVF centroids"));
  if (state->element_type == ElementType::kUint8) {
    return arrow::Status::NotImplemented("IVF_PQ over uint8 is not supported");
  }
  const auto dimension = static_cast<uint32_t>(file.centroids.shape[1]);
  ARROW_ASSIGN_OR_RAISE(auto centroids, ArrayOf(file.centroids, "IVF centroids"));
  ARROW_ASSIGN_OR_RAISE(auto offsets, (Built<arrow::UInt64Array, arrow::UInt64Builder>(file.offsets)));
  ARROW_ASSIGN_OR_RAISE(auto lengths, (Built<arrow::UInt32Array, arrow::UInt32Builder>(file.lengths)));
  ARROW_ASSIGN_OR_RAISE(state->model, IvfModel::Make(dimension, std::move(centroids), std::move(offsets),
                                                     std::move(lengths), file.total_rows));
  ARROW_ASSIGN_OR_RAISE(state->quantizer, QuantizerOf(file, dimension));
  state->index_file.size = file.file_size;
  state->storage_file = state->index_file;
  state->single_file_rows = SingleFileRows{file.layout.first_byte, file.layout.code_bytes, file.layout.is_unpacked};
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::shared_ptr<const IvfIndexState>> ReadSingleFileState(const lance::ObjectStore& store,
                                                                        const lance::IndexMetadata& index) {
  auto state = std::make_shared<IvfIndexState>();
  state->uuid = index.uuid.ToString();
  state->index_file = {IndexFolder(index) + "/index.idx", index.FileSize("index.idx")};
  const auto file = store.OpenFile(state->index_file.path, state->index_file.size, lance::IoKind::kIndex);
  ARROW_RETURN_NOT_OK(CheckIsAlone(store, index, file->path()));
  ARROW_ASSIGN_OR_RAISE(const auto message, lance::ReadSingleFileIndex(file.get()));
  const arrow::Status status = Fill(message, state.get());
  if (!status.ok()) return status.WithMessage(file->path(), ": ", status.message());
  return state;
}

}  // namespace fewter
