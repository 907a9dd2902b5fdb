#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/buffer.h>

#include "fewter/ipc/aligned_payload_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::ipc::internal {
namespace {

// The parts of Arrow's format/Message.fbs and format/Schema.fbs that are needed here.
constexpr int kMessageHeader = 2;
constexpr int kMessageBodyLength = 3;
constexpr int kRecordBatchBuffers = 2;

/// `struct Buffer` of Schema.fbs: where a buffer lies in the body.
struct BufferPlace {
  int64_t offset;
  int64_t length;
};
static_assert(sizeof(BufferPlace) == 16);

/// The byte that an offset field of a flatbuffer refers to.
uint8_t* Follow(uint8_t* field) {
  return field + LoadLittleEndian<uint32_t>(field);
}

/// The field of a flatbuffer table, or null if it has its default. Only for flatbuffers that Arrow has just written:
/// nothing is checked.
uint8_t* Field(uint8_t* table, int index) {
  const uint8_t* const vtable = table - LoadLittleEndian<int32_t>(table);
  const size_t slot = 2 * sizeof(uint16_t) + static_cast<size_t>(index) * sizeof(uint16_t);
  if (slot >= LoadLittleEndian<uint16_t>(vtable)) return nullptr;
  const auto offset = LoadLittleEndian<uint16_t>(vtable + slot);
  return offset == 0 ? nullptr : table + offset;
}

int64_t Aligned(int64_t size, int64_t alignment) {
  return static_cast<int64_t>(RoundUp(static_cast<uint64_t>(size), static_cast<uint64_t>(alignment)));
}

/// The body's buffers with zeros between them. Arrow itself pads each to a multiple of 8.
std::vector<std::shared_ptr<arrow::Buffer>> Spread(const std::vector<std::shared_ptr<arrow::Buffer>>& buffers) {
  static constexpr uint8_t kZeros[kBufferAlignment] = {};
  std::vector<std::shared_ptr<arrow::Buffer>> spread;
  spread.reserve(2 * buffers.size());
  for (const auto& buffer : buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    spread.push_back(buffer);
    const int64_t padding = Aligned(buffer->size(), kBufferAlignment) - Aligned(buffer->size(), 8);
    if (padding > 0) spread.push_back(std::make_shared<arrow::Buffer>(kZeros, padding));
  }
  return spread;
}

}  // namespace

arrow::Status AlignBuffers(arrow::ipc::IpcPayload* payload) {
  if (payload->body_length == 0) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> metadata,
                        payload->metadata->CopySlice(0, payload->metadata->size()));
  uint8_t* const message = Follow(metadata->mutable_data());
  uint8_t* const header = Field(message, kMessageHeader);
  uint8_t* const body_length = Field(message, kMessageBodyLength);
  uint8_t* const places = header == nullptr ? nullptr : Field(Follow(header), kRecordBatchBuffers);
  if (body_length == nullptr || places == nullptr ||
      LoadLittleEndian<uint32_t>(Follow(places)) != payload->body_buffers.size()) {
    return arrow::Status::UnknownError("section: Arrow's record batch message is not laid out as expected");
  }

  uint8_t* place = Follow(places) + sizeof(uint32_t);
  int64_t offset = 0;
  for (const auto& buffer : payload->body_buffers) {
    BufferPlace rewritten{.offset = offset, .length = buffer == nullptr ? 0 : buffer->size()};
    std::memcpy(place, &rewritten, sizeof(rewritten));
    place += sizeof(rewritten);
    offset += Aligned(rewritten.length, kBufferAlignment);
  }
  std::memcpy(body_length, &offset, sizeof(offset));
  payload->metadata = std::move(metadata);
  payload->body_buffers = Spread(payload->body_buffers);
  payload->body_length = offset;
  return arrow::Status::OK();
}

}  // namespace fewter::ipc::internal
