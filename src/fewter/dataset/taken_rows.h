#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>

#include "fewter/cache/codec.h"
#include "fewter/cache/key.h"

namespace fewter {

/// Which rows of one fragment a filter takes: a bit a row, by offset. Of deleted rows it takes none. Immutable.
class TakenRows {
 public:
  /// Requires (num_rows + 7) / 8 bytes, little-endian, with no bit beyond the last row.
  TakenRows(std::shared_ptr<arrow::Buffer> bits, uint64_t num_rows);

  /// Of the fragment, taken or not.
  uint64_t num_rows() const { return num_rows_; }
  uint64_t num_taken() const { return num_taken_; }
  bool Takes(uint64_t offset) const {
    return offset < num_rows_ && (bits_->data()[offset / 8] >> (offset % 8) & 1) != 0;
  }
  /// Of the taken ones, ascending.
  std::vector<uint64_t> Offsets() const;

  int64_t SizeInBytes() const { return bits_->size() + static_cast<int64_t>(sizeof(*this)); }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const { buffers->push_back(bits_); }

  /// For the cache: the number of rows in 8 bytes, then the bits.
  static constexpr std::string_view kCacheTypeId = "fewter.dataset.TakenRows";
  static constexpr uint32_t kCacheTypeVersion = 1;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const TakenRows>> Deserialize(const std::shared_ptr<arrow::Buffer>& body);

 private:
  std::shared_ptr<arrow::Buffer> bits_;
  uint64_t num_rows_;
  uint64_t num_taken_;
};

/// In the namespace of the dataset. A fragment's data files never change, and are named by UUID; deletions, columns
/// that are added and columns that are written anew change what stands here.
struct TakenRowsKey {
  using Value = TakenRows;
  static constexpr std::string_view kTypeId = "fewter.dataset.TakenRowsKey";
  static CacheCodec Codec() { return CacheCodec::For<TakenRows>(); }

  uint64_t fragment = 0;
  uint64_t physical_rows = 0;
  /// The deletion file's path; empty without one.
  std::string deletion_file;
  /// Paths and fields.
  std::string data;
  std::string_view filter;

  void AppendFields(KeyWriter& fields) const {
    fields.U64(fragment);
    fields.U64(physical_rows);
    fields.String(deletion_file);
    fields.String(data);
    fields.String(filter);
  }
};

}  // namespace fewter
