#include "fewter/vector/partition.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <arrow/io/interfaces.h>
#include <arrow/status.h>

#include "fewter/ipc/sections.h"
#include "fewter/util/array_buffers.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/registry.h"

namespace fewter {
namespace {

/// The first bytes of a partition's body; see docs/format/partition.md.
struct Header {
  uint32_t sub_index = 0;
  uint32_t storage = 0;
  uint32_t num_rows = 0;
  StorageParameters parameters{};
  std::array<uint32_t, 9> reserved{};
};
static_assert(sizeof(Header) == kBufferAlignment);

arrow::Result<Header> ReadHeader(const arrow::Buffer& body) {
  if (body.size() < kBufferAlignment) {
    return arrow::Status::Invalid("partition: ", body.size(), " bytes are too few for its header");
  }
  const auto header = LoadLittleEndian<Header>(body.data());
  if (std::any_of(header.reserved.begin(), header.reserved.end(), [](uint32_t word) { return word != 0; })) {
    return arrow::Status::Invalid("partition: the header's reserved bytes are not zero");
  }
  return header;
}

arrow::Result<std::shared_ptr<const Partition>> ReadParts(const Header& header, std::shared_ptr<arrow::Buffer> run) {
  ARROW_ASSIGN_OR_RAISE(const StorageKindEntry* kind, FindStorageKind(header.storage));
  ARROW_ASSIGN_OR_RAISE(const SubIndexKindEntry* sub_index_kind, FindSubIndexKind(header.sub_index));
  ipc::SectionReader sections(std::move(run));
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections.Next());
  ARROW_ASSIGN_OR_RAISE(auto storage, kind->storage_from_batch(batch, header.num_rows, header.parameters));
  std::shared_ptr<const SubIndex> sub_index;
  if (sub_index_kind->from_batch != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto arrays, sections.Next());
    ARROW_ASSIGN_OR_RAISE(sub_index, sub_index_kind->from_batch(arrays, header.num_rows));
  }
  ARROW_RETURN_NOT_OK(sections.Finish());
  return std::make_shared<Partition>(std::move(storage), std::move(sub_index));
}

void AppendBatch(const arrow::RecordBatch& batch, std::vector<std::shared_ptr<arrow::Buffer>>* buffers) {
  for (const auto& column : batch.column_data()) AppendArrayBuffers(*column, buffers);
}

}  // namespace

void Partition::AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const {
  AppendBatch(*storage_->ToBatch(), buffers);
  if (sub_index_ != nullptr) AppendBatch(*sub_index_->ToBatch(), buffers);
}

arrow::Status Partition::Serialize(arrow::io::OutputStream* out) const {
  const Header header{.sub_index = static_cast<uint32_t>(sub_index_kind()),
                      .storage = static_cast<uint32_t>(storage_->kind()),
                      .num_rows = num_rows(),
                      .parameters = storage_->Parameters()};
  ARROW_RETURN_NOT_OK(out->Write(&header, sizeof(header)));
  ARROW_RETURN_NOT_OK(ipc::WriteSection(*storage_->ToBatch(), out));
  return sub_index_ == nullptr ? arrow::Status::OK() : ipc::WriteSection(*sub_index_->ToBatch(), out);
}

arrow::Result<std::shared_ptr<const Partition>> Partition::Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
  ARROW_ASSIGN_OR_RAISE(const Header header, ReadHeader(*body));
  auto partition = ReadParts(header, arrow::SliceBuffer(body, kBufferAlignment));
  if (!partition.ok()) return partition.status().WithMessage("partition: ", partition.status().message());
  return partition;
}

}  // namespace fewter
