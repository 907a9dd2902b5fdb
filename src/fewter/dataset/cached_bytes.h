#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/dataset/session.h"
#include "fewter/lance/byte_cache.h"

/// Bytes of a dataset's files as cache entries: pages of data files, small files whole, what is known of versions.

namespace fewter {

/// Bytes, as they lie in a file. Immutable.
class CachedBytes {
 public:
  explicit CachedBytes(std::shared_ptr<arrow::Buffer> bytes) : bytes_(std::move(bytes)) {}

  const std::shared_ptr<arrow::Buffer>& bytes() const { return bytes_; }
  int64_t SizeInBytes() const { return bytes_->size() + static_cast<int64_t>(sizeof(*this)); }
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const { buffers->push_back(bytes_); }

  /// The bytes themselves, without a header. Any bytes are well formed: the envelope's checksum says whether they are
  /// what was read, and who asked knows how many there must be.
  static constexpr std::string_view kCacheTypeId = "fewter.lance.Bytes";
  static constexpr uint32_t kCacheTypeVersion = 1;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const CachedBytes>> Deserialize(const std::shared_ptr<arrow::Buffer>& body);

 private:
  std::shared_ptr<arrow::Buffer> bytes_;
};

/// A piece of a file, named by the file's path within its namespace; of length 0 for a note about it.
struct CachedBytesKey {
  using Value = CachedBytes;
  static constexpr std::string_view kTypeId = "fewter.lance.BytesKey";
  static CacheCodec Codec() { return CacheCodec::For<CachedBytes>(); }

  std::string_view path;
  uint64_t offset = 0;
  uint64_t length = 0;

  void AppendFields(KeyWriter& fields) const {
    fields.String(path);
    fields.U64(offset);
    fields.U64(length);
  }
};

/// Keeps the bytes of a dataset's files in a session's caches: those of an index below the namespace of its UUID, as
/// the parts of the index are, the others below that of the dataset.
std::shared_ptr<lance::ByteCache> MakeByteCache(const Session& session, const std::string& dataset);

}  // namespace fewter
