/// Our disk cache through the typed cache; what is measured is in store_workload_internal.h. The value is one array,
/// which is all that most of an index's partition is; decode_cost.cc has what real partitions cost on top.

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include "bench/cache/store_workload_internal.h"
#include "fewter/cache/cache.h"
#include "fewter/cache/disk/disk_backend.h"

namespace fewter::bench {
namespace {

/// Entries that wait to be written; those beyond DiskBackendOptions::max_pending_bytes would not be kept.
constexpr size_t kPendingBytes = size_t{128} << 20;

class Blob {
 public:
  static constexpr std::string_view kCacheTypeId = "fewter.bench.Blob";
  static constexpr uint32_t kCacheTypeVersion = 1;

  explicit Blob(std::shared_ptr<arrow::Buffer> bytes) : bytes_(std::move(bytes)) {}
  const arrow::Buffer& bytes() const { return *bytes_; }
  int64_t SizeInBytes() const { return bytes_->size(); }
  arrow::Status Serialize(arrow::io::OutputStream* out) const { return out->Write(bytes_->data(), bytes_->size()); }
  static arrow::Result<std::shared_ptr<const Blob>> Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
    return std::make_shared<const Blob>(body);
  }

 private:
  std::shared_ptr<arrow::Buffer> bytes_;
};

struct BlobKey {
  using Value = Blob;
  static constexpr std::string_view kTypeId = "fewter.bench.BlobKey";
  static CacheCodec Codec() { return CacheCodec::For<Blob>(); }
  uint32_t partition = 0;
  void AppendFields(KeyWriter& fields) const { fields.U32(partition); }
};

class DiskStore {
 public:
  static arrow::Result<std::unique_ptr<DiskStore>> Open(const std::string& directory, size_t, uint32_t) {
    ARROW_ASSIGN_OR_RAISE(auto backend, MakeDiskBackend({.directory = directory}));
    return std::make_unique<DiskStore>(Cache(std::move(backend)).Child("6a1f8f5e-3c1d-4b8e-9f57-2f0c6f1f4a3b"));
  }
  explicit DiskStore(Cache cache) : cache_(std::move(cache)) {}

  arrow::Status Put(uint32_t entry, std::string_view bytes) {
    cache_.Insert(BlobKey{entry}, std::make_shared<const Blob>(arrow::Buffer::FromString(std::string(bytes))));
    pending_ += bytes.size();
    if (pending_ >= kPendingBytes) return Finish();
    return arrow::Status::OK();
  }

  arrow::Status Finish() {
    cache_.backend()->Flush();
    pending_ = 0;
    return arrow::Status::OK();
  }

  class Found {
   public:
    explicit Found(std::shared_ptr<const Blob> blob) : blob_(std::move(blob)) {}
    const void* data() const { return blob_->bytes().data(); }
    size_t size() const { return blob_ == nullptr ? 0 : static_cast<size_t>(blob_->bytes().size()); }

   private:
    std::shared_ptr<const Blob> blob_;
  };
  Found Get(uint32_t entry) { return Found(cache_.Get(BlobKey{entry})); }

 private:
  Cache cache_;
  size_t pending_ = 0;
};

}  // namespace
}  // namespace fewter::bench

int main(int argc, char** argv) {
  using fewter::bench::DiskStore;
  return fewter::bench::ExitCodeOf("disk_store", fewter::bench::RunStore<DiskStore>(argc, argv, &DiskStore::Open));
}
