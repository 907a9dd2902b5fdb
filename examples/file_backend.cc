/// A cache backend of one's own: every entry in a file of a file system that Arrow knows.
///
///     file_backend FOLDER examples/packages.lance        (run it twice: the second time nothing of the index is read)
///
/// docs/backends.md explains it step by step.

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>

#include "fewter/cache/envelope.h"
#include "fewter/cache/registry/registry.h"
#include "fewter/dataset/dataset.h"

namespace {

using namespace fewter;

class FileBackend final : public CacheBackend {
 public:
  FileBackend(std::shared_ptr<arrow::fs::FileSystem> files, std::string folder)
      : files_(std::move(files)), folder_(std::move(folder)) {}

  std::string_view kind() const override { return "files"; }
  std::string_view Locate(const EncodedKey& key) const override {
    const auto info = files_->GetFileInfo(PathOf(key));
    return info.ok() && info->IsFile() ? kind() : std::string_view();
  }
  /// So that the tiers above do not ask it for what they evict.
  bool is_remote() const override { return true; }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    if (!codec) return {};
    const auto bytes = ReadAll(PathOf(key));
    if (!bytes.ok()) return {};
    // Trusts nothing: another key, a cut file, another version are misses, with a reason that is counted.
    DecodedEntry decoded = DecodeEntry(key, codec, *bytes);
    if (!decoded.hit()) {
      counters().Rejected(decoded.verdict);
      return {};
    }
    return {.value = std::move(decoded.value), .type = &type, .bytes = (*bytes)->size(), .encoded = *bytes};
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    // Without a codec a value cannot leave the process.
    if (!codec) return;
    auto bytes = entry.encoded;
    if (bytes == nullptr && !EncodeEntry(key, codec, entry.value.get()).Value(&bytes).ok()) {
      return counters().EncodeFailure();
    }
    if (WriteAll(PathOf(key), *bytes).ok()) counters().Insertion();
  }

  void Invalidate(const CacheNamespace& name_space) override {
    // Entries are never stale, so what cannot be deleted only takes up room.
    (void)files_->DeleteDirContents(FolderOf(name_space), /*missing_dir_ok=*/true);
  }

  Contents Held() const override { return {}; }

 private:
  static std::string Hex(uint64_t number, int digits) {
    char text[17];
    std::snprintf(text, sizeof(text), "%0*llx", digits, static_cast<unsigned long long>(number));
    return text;
  }
  /// A folder for each segment of the namespace, in hex, since a segment may hold anything.
  std::string FolderOf(const CacheNamespace& name_space) const {
    std::string folder = folder_;
    for (const std::string_view segment : name_space.segments()) {
      folder += "/s";
      for (const char byte : segment) folder += Hex(static_cast<unsigned char>(byte), 2);
    }
    return folder;
  }
  std::string PathOf(const EncodedKey& key) const {
    return FolderOf(key.name_space()) + "/" + Hex(key.digest().high, 16) + Hex(key.digest().low, 16);
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAll(const std::string& path) const {
    ARROW_ASSIGN_OR_RAISE(const auto file, files_->OpenInputFile(path));
    ARROW_ASSIGN_OR_RAISE(const int64_t size, file->GetSize());
    return file->ReadAt(0, size);
  }

  /// Written beside, then renamed: nobody sees half of it. An object store does that by itself.
  arrow::Status WriteAll(const std::string& path, const arrow::Buffer& bytes) {
    ARROW_RETURN_NOT_OK(files_->CreateDir(path.substr(0, path.rfind('/')), /*recursive=*/true));
    const std::string temporary = path + "." + std::to_string(next_temporary_.fetch_add(1)) + ".tmp";
    ARROW_ASSIGN_OR_RAISE(const auto out, files_->OpenOutputStream(temporary));
    ARROW_RETURN_NOT_OK(out->Write(bytes.data(), bytes.size()));
    ARROW_RETURN_NOT_OK(out->Close());
    return files_->Move(temporary, path);
  }

  const std::shared_ptr<arrow::fs::FileSystem> files_;
  const std::string folder_;
  std::atomic<uint64_t> next_temporary_{0};
};

/// files:///folder
arrow::Result<std::shared_ptr<CacheBackend>> OpenFileBackend(const std::string& uri) {
  std::string folder;
  ARROW_ASSIGN_OR_RAISE(auto files, arrow::fs::FileSystemFromUri("file" + uri.substr(uri.find("://")), &folder));
  return std::make_shared<FileBackend>(std::move(files), folder);
}

arrow::Status Run(const std::string& folder, const std::string& uri) {
  ARROW_RETURN_NOT_OK(RegisterCacheKind("files", OpenFileBackend));
  ARROW_ASSIGN_OR_RAISE(auto cache, OpenCacheBackend("memory://?capacity=64MiB,files://" + folder));
  ARROW_ASSIGN_OR_RAISE(const auto dataset,
                        Dataset::Open(uri, {.version = {}, .session = Session::Make({.cache = cache})}));
  ARROW_ASSIGN_OR_RAISE(const auto query, dataset->ReadVector("vector", 0));
  ARROW_ASSIGN_OR_RAISE(const auto result, dataset->Search({.column = "vector", .query = query, .k = 3, .nprobes = 8}));
  for (const auto& row : result.rows) std::cout << "row " << row.row_id << ", distance " << row.distance << "\n";
  std::cout << dataset->io_stats()[lance::IoKind::kIndex].requests << " requests for index parts\n";
  for (const TierReport& tier : cache->Report()) std::cout << tier.kind << ": " << tier.stats.ToString() << "\n";
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: file_backend FOLDER DATASET\n";
    return 2;
  }
  const arrow::Status status = Run(argv[1], argv[2]);
  if (!status.ok()) std::cerr << "file_backend: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
