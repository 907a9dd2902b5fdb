#include "fewter/lance/single_file_index.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/type.h>

#include "fewter/lance/index_messages_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// Of the file's end, read first; all of the message unless the codebook is large.
constexpr uint64_t kTailSize = uint64_t{64} * 1024;
/// i64 position of the message's length | i16 major | i16 minor | "LANC"
constexpr uint64_t kTrailerSize = 16;
constexpr uint64_t kRowIdBytes = sizeof(uint64_t);
/// A list's size is an int32.
constexpr uint64_t kMaxCodeBytes = std::numeric_limits<int32_t>::max();

/// The message between its length and the trailer; `position` becomes that of its length.
arrow::Result<std::shared_ptr<arrow::Buffer>> ReadMessage(ReadableFile* file, uint64_t file_size, uint64_t* position) {
  const uint64_t tail_size = std::min(file_size, kTailSize);
  ARROW_ASSIGN_OR_RAISE(auto tail, file->Read({file_size - tail_size, tail_size}));
  if (tail_size < kTrailerSize || std::memcmp(tail->data() + tail_size - 4, "LANC", 4) != 0) {
    return arrow::Status::Invalid("no LANC at its end");
  }
  const uint8_t* trailer = tail->data() + tail_size - kTrailerSize;
  *position = LoadLittleEndian<uint64_t>(trailer);
  if (LoadLittleEndian<uint16_t>(trailer + 8) != 0 || LoadLittleEndian<uint16_t>(trailer + 10) > 2) {
    return arrow::Status::Invalid("not in the container of before version 2.0");
  }
  const uint64_t end = file_size - kTrailerSize;
  if (!RangeIsInside(*position, sizeof(uint32_t), end)) {
    return arrow::Status::Invalid("the position of its message lies outside the file: ", *position);
  }
  const uint64_t tail_start = file_size - tail_size;
  if (*position < tail_start) {
    ARROW_ASSIGN_OR_RAISE(tail, file->Read({*position, end - *position}));
  } else {
    tail = arrow::SliceBuffer(tail, static_cast<int64_t>(*position - tail_start));
  }
  const auto length = LoadLittleEndian<uint32_t>(tail->data());
  if (length != end - *position - sizeof(uint32_t)) {
    return arrow::Status::Invalid("its message of ", length, " bytes does not end where the trailer starts");
  }
  return arrow::SliceBuffer(tail, sizeof(uint32_t), length);
}

/// The two stages that there must be, and no others.
struct Stages {
  pb::IVF* ivf = nullptr;
  pb::PQ* pq = nullptr;
};

arrow::Result<Stages> FindStages(pb::VectorIndex* message) {
  Stages stages;
  for (pb::VectorIndexStage& stage : *message->mutable_stages()) {
    switch (stage.stage_case()) {
      case pb::VectorIndexStage::kIvf:
        stages.ivf = stage.mutable_ivf();
        break;
      case pb::VectorIndexStage::kPq:
        stages.pq = stage.mutable_pq();
        break;
      case pb::VectorIndexStage::kTransform:
        return arrow::Status::NotImplemented("an index with a rotation before its quantizer (OPQ) is not supported");
      case pb::VectorIndexStage::kDiskann:
        return arrow::Status::NotImplemented("an index of type DiskANN is not supported");
      case pb::VectorIndexStage::kFlat:
        return arrow::Status::NotImplemented("an index of a single file with a flat stage is not supported");
      case pb::VectorIndexStage::STAGE_NOT_SET:
        return arrow::Status::NotImplemented("an index with a stage that is none of Lance's is not supported");
    }
  }
  if (stages.ivf == nullptr || stages.pq == nullptr || message->stages_size() != 2) {
    return arrow::Status::NotImplemented("an index of other stages than one IVF and one PQ is not supported");
  }
  return stages;
}

/// The tensor, or if that is null the numbers that very old files have in its place.
arrow::Result<Tensor> TensorOrFloats(pb::Tensor* tensor, const google::protobuf::RepeatedField<float>& floats,
                                     std::vector<uint64_t> shape, const std::string& what) {
  if (tensor != nullptr) return TensorFromMessage(std::move(*tensor), what);
  uint64_t count = 1;
  for (const uint64_t extent : shape) {
    if (!CheckedMultiply(count, extent, &count)) return arrow::Status::Invalid(what, ": its shape overflows");
  }
  if (count != static_cast<uint64_t>(floats.size())) {
    return arrow::Status::Invalid(what, ": ", floats.size(), " numbers, not ", count);
  }
  std::string bytes(reinterpret_cast<const char*>(floats.data()), count * sizeof(float));
  return Tensor{TensorType::kFloat32, std::move(shape), arrow::Buffer::FromString(std::move(bytes))};
}

arrow::Status TakeTensors(const Stages& stages, uint64_t dimension, SingleFileIndex* index) {
  const auto partitions = static_cast<uint64_t>(stages.ivf->lengths_size());
  auto* centroids = stages.ivf->has_centroids_tensor() ? stages.ivf->mutable_centroids_tensor() : nullptr;
  ARROW_ASSIGN_OR_RAISE(index->centroids,
                        TensorOrFloats(centroids, stages.ivf->centroids(), {partitions, dimension}, "centroids"));
  if (index->centroids.shape != std::vector<uint64_t>{partitions, dimension} || dimension == 0) {
    return arrow::Status::Invalid("centroids: they are not ", partitions, " of dimension ", dimension);
  }
  const pb::PQ& pq = *stages.pq;
  if (pq.dimension() != dimension) {
    return arrow::Status::Invalid("PQ of dimension ", pq.dimension(), " over vectors of ", dimension);
  }
  if (pq.num_bits() != 4 && pq.num_bits() != 8) {
    return arrow::Status::Invalid("PQ of neither 4 nor 8 bits: ", pq.num_bits());
  }
  index->num_bits = pq.num_bits();
  index->num_sub_vectors = pq.num_sub_vectors();
  auto* codebook = pq.has_codebook_tensor() ? stages.pq->mutable_codebook_tensor() : nullptr;
  ARROW_ASSIGN_OR_RAISE(index->codebook,
                        TensorOrFloats(codebook, pq.codebook(), {uint64_t{1} << pq.num_bits(), dimension}, "codebook"));
  return arrow::Status::OK();
}

/// The rows' width follows from the bytes that they share; it must be one that the quantizer may have.
arrow::Status FindLayout(uint64_t first_byte, uint64_t end, uint64_t rows, SingleFileIndex* index) {
  if (first_byte > end || rows == 0 || (end - first_byte) % rows != 0) {
    return arrow::Status::Invalid("IVF: ", rows, " rows from byte ", first_byte, " to ", end);
  }
  const uint64_t row_bytes = (end - first_byte) / rows;
  const uint64_t unpacked = index->num_sub_vectors;
  const uint64_t packed = unpacked * index->num_bits / 8;
  const bool is_unpacked = index->num_bits == 4 && row_bytes == unpacked + kRowIdBytes;
  const uint64_t code_bytes = is_unpacked ? unpacked : packed;
  if (row_bytes != code_bytes + kRowIdBytes || packed == 0 || code_bytes > kMaxCodeBytes) {
    return arrow::Status::Invalid("IVF: rows of ", row_bytes, " bytes, not of ", packed, " with their codes and ",
                                  kRowIdBytes, " with their id");
  }
  index->layout = {first_byte, static_cast<uint32_t>(code_bytes), is_unpacked};
  index->total_rows = rows;
  return arrow::Status::OK();
}

arrow::Status TakeRows(pb::IVF&& message, uint64_t end, SingleFileIndex* index) {
  message.clear_centroids_tensor();
  ARROW_ASSIGN_OR_RAISE(auto ivf, IvfFromMessage(std::move(message), "IVF"));
  if (ivf.offsets.size() != ivf.lengths.size() || ivf.lengths.empty()) {
    return arrow::Status::Invalid("IVF: ", ivf.offsets.size(), " offsets for ", ivf.lengths.size(), " partitions");
  }
  uint64_t rows = 0;
  for (const uint32_t length : ivf.lengths) rows += length;
  const uint64_t first_byte = *std::min_element(ivf.offsets.begin(), ivf.offsets.end());
  ARROW_RETURN_NOT_OK(FindLayout(first_byte, end, rows, index));
  const uint64_t row_bytes = index->layout.code_bytes + kRowIdBytes;
  for (size_t i = 0; i < ivf.offsets.size(); ++i) {
    const uint64_t distance = ivf.offsets[i] - first_byte;
    if (distance % row_bytes != 0 || !RangeIsInside(distance / row_bytes, ivf.lengths[i], rows)) {
      return arrow::Status::Invalid("IVF: partition ", i, " has ", ivf.lengths[i], " rows of ", row_bytes,
                                    " bytes from byte ", ivf.offsets[i], " on, of ", first_byte, " to ", end);
    }
    index->offsets.push_back(distance / row_bytes);
  }
  index->lengths = std::move(ivf.lengths);
  return arrow::Status::OK();
}

/// Codes of 4 bits, two in a byte, the first in the lower half.
arrow::Result<std::shared_ptr<arrow::Buffer>> PackPairs(const arrow::Buffer& codes) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> packed, arrow::AllocateBuffer(codes.size() / 2));
  const uint8_t* from = codes.data();
  uint8_t* to = packed->mutable_data();
  for (int64_t i = 0; i < packed->size(); ++i) {
    to[i] = static_cast<uint8_t>((from[2 * i] & 15) | (from[2 * i + 1] & 15) << 4);
  }
  return packed;
}

arrow::Result<SingleFileIndex> Read(ReadableFile* file) {
  SingleFileIndex index;
  ARROW_ASSIGN_OR_RAISE(index.file_size, file->Size());
  uint64_t position = 0;
  ARROW_ASSIGN_OR_RAISE(const auto bytes, ReadMessage(file, index.file_size, &position));
  pb::Index message;
  ARROW_RETURN_NOT_OK(ParseMessage(*bytes, "index", &message));
  pb::VectorIndex& vector_index = *message.mutable_vector_index();
  if (vector_index.spec_version() != 1) {
    return arrow::Status::NotImplemented("vector index specification ", vector_index.spec_version(),
                                         " is not supported, only 1 is");
  }
  index.metric = static_cast<uint32_t>(vector_index.metric_type());
  ARROW_ASSIGN_OR_RAISE(const Stages stages, FindStages(&vector_index));
  ARROW_RETURN_NOT_OK(TakeTensors(stages, vector_index.dimension(), &index));
  ARROW_RETURN_NOT_OK(TakeRows(std::move(*stages.ivf), position, &index));
  return index;
}

}  // namespace

arrow::Result<SingleFileIndex> ReadSingleFileIndex(ReadableFile* file) {
  auto index = Read(file);
  if (!index.ok()) return index.status().WithMessage(file->path(), ": ", index.status().message());
  return index;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadSingleFileRows(ReadableFile* file,
                                                                      const SingleFileLayout& layout, uint64_t row,
                                                                      uint64_t num_rows) {
  const uint64_t row_bytes = layout.code_bytes + kRowIdBytes;
  uint64_t start = 0, length = 0;
  if (!CheckedMultiply(row, row_bytes, &start) || !CheckedAdd(start, layout.first_byte, &start) ||
      !CheckedMultiply(num_rows, row_bytes, &length) || length > std::numeric_limits<int64_t>::max()) {
    return arrow::Status::Invalid(file->path(), ": rows ", row, " + ", num_rows, " of ", row_bytes, " bytes");
  }
  ARROW_ASSIGN_OR_RAISE(auto bytes, file->Read({start, length}));
  // The codes of all rows, then the ids, which begin anywhere.
  const auto split = static_cast<int64_t>(num_rows * layout.code_bytes);
  ARROW_ASSIGN_OR_RAISE(auto ids, EnsureAligned(arrow::SliceBuffer(bytes, split)));
  std::shared_ptr<arrow::Buffer> codes = arrow::SliceBuffer(std::move(bytes), 0, split);
  uint32_t width = layout.code_bytes;
  if (layout.is_unpacked) {
    ARROW_ASSIGN_OR_RAISE(codes, PackPairs(*codes));
    width /= 2;
  }
  const auto rows = static_cast<int64_t>(num_rows);
  const auto items = std::make_shared<arrow::UInt8Array>(codes->size(), codes);
  const auto list = arrow::fixed_size_list(arrow::field("item", arrow::uint8()), static_cast<int32_t>(width));
  const auto schema = arrow::schema({arrow::field("_rowid", arrow::uint64()), arrow::field("__pq_code", list)});
  return arrow::RecordBatch::Make(schema, rows,
                                  {std::make_shared<arrow::UInt64Array>(rows, std::move(ids)),
                                   std::make_shared<arrow::FixedSizeListArray>(list, rows, items)});
}

}  // namespace fewter::lance
