#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fewter/lance/object_store.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {

/// A file that is a buffer, for tests and fuzzing. Every range is handed out in memory of its own that ends where the
/// range does, so that a sanitizer sees any access past it. Every second buffer of ReadMany begins at an odd address,
/// as one that shares its request with others may.
class InMemoryFile : public ReadableFile {
 public:
  /// One that is a remote index is read with few requests rather than with few bytes.
  InMemoryFile(std::string path, std::shared_ptr<arrow::Buffer> bytes, bool is_remote_index = false)
      : path_(std::move(path)), bytes_(std::move(bytes)), is_remote_index_(is_remote_index) {}

  const std::string& path() const override { return path_; }
  IoKind kind() const override { return is_remote_index_ ? IoKind::kIndex : IoKind::kData; }
  bool is_remote() const override { return is_remote_index_; }
  arrow::Result<uint64_t> Size() override { return static_cast<uint64_t>(bytes_->size()); }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) override {
    ++reads_;
    return Copy(range, 0);
  }

  using ReadableFile::ReadMany;
  arrow::Result<FileBytes> ReadMany(const std::vector<ByteRange>& ranges, size_t /*enough_requests*/) override {
    ++reads_;
    FileBytes buffers;
    for (const ByteRange& range : ranges) {
      ARROW_ASSIGN_OR_RAISE(auto buffer, Copy(range, buffers.size() % 2));
      buffers.push_back(std::move(buffer));
    }
    return buffers;
  }

  /// Calls of Read and ReadMany so far.
  uint64_t reads() const { return reads_; }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  arrow::Result<std::shared_ptr<arrow::Buffer>> Copy(ByteRange range, size_t shift) {
    bytes_read_ += range.length;
    if (!RangeIsInside(range.offset, range.length, static_cast<uint64_t>(bytes_->size()))) {
      return arrow::Status::IOError("'", path_, "' has ", bytes_->size(), " bytes, not ", range.offset, " + ",
                                    range.length);
    }
    ARROW_ASSIGN_OR_RAISE(auto copy, arrow::AllocateBuffer(static_cast<int64_t>(range.length + shift)));
    if (range.length > 0) std::memcpy(copy->mutable_data() + shift, bytes_->data() + range.offset, range.length);
    return arrow::SliceBuffer(std::shared_ptr<arrow::Buffer>(std::move(copy)), static_cast<int64_t>(shift));
  }

  const std::string path_;
  const std::shared_ptr<arrow::Buffer> bytes_;
  const bool is_remote_index_;
  std::atomic<uint64_t> reads_ = 0;
  std::atomic<uint64_t> bytes_read_ = 0;
};

}  // namespace fewter::lance
