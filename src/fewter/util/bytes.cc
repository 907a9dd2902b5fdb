#include "fewter/util/bytes.h"

namespace fewter {

arrow::Result<std::shared_ptr<arrow::Buffer>> SliceChecked(const std::shared_ptr<arrow::Buffer>& buffer,
                                                           uint64_t offset, uint64_t length, const char* what) {
  const auto total = static_cast<uint64_t>(buffer->size());
  if (!RangeIsInside(offset, length, total)) {
    return arrow::Status::Invalid(what, ": bytes ", offset, " + ", length, " lie outside the ", total, " there are");
  }
  return arrow::SliceBuffer(buffer, static_cast<int64_t>(offset), static_cast<int64_t>(length));
}

arrow::Result<std::shared_ptr<arrow::Buffer>> EnsureAligned(std::shared_ptr<arrow::Buffer> buffer,
                                                            arrow::MemoryPool* pool) {
  if (buffer->address() % kBufferAlignment == 0) return buffer;
  // Arrow's pools align to 64 bytes.
  ARROW_ASSIGN_OR_RAISE(auto aligned, arrow::AllocateBuffer(buffer->size(), pool));
  if (buffer->size() > 0) std::memcpy(aligned->mutable_data(), buffer->data(), static_cast<size_t>(buffer->size()));
  return std::shared_ptr<arrow::Buffer>(std::move(aligned));
}

}  // namespace fewter
