#include "fewter/lance/object_store.h"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <numeric>
#include <system_error>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/io_util.h>

#include "fewter/util/bytes.h"
#include "fewter/util/side_by_side.h"

namespace fewter::lance {
namespace {

arrow::Status NotFound(const std::string& full_path) {
  return arrow::internal::IOErrorFromErrno(ENOENT, full_path, ": there is no such file");
}

/// What Arrow's file systems can hold; larger offsets would turn negative.
constexpr uint64_t kMaxFileSize = std::numeric_limits<int64_t>::max();

/// Ranges that are fetched as one request, and which of the caller's ranges they contain.
struct Request {
  ByteRange range;
  std::vector<size_t> members;
};

/// Requires that the ranges are inside the file, so that their ends do not overflow. Empty ranges need no request.
std::vector<Request> Coalesce(const std::vector<ByteRange>& ranges) {
  std::vector<size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ranges[a].offset < ranges[b].offset; });
  std::vector<Request> requests;
  for (size_t index : order) {
    const ByteRange& range = ranges[index];
    if (range.length == 0) continue;
    if (requests.empty() || range.offset > requests.back().range.end() + ReadableFile::kCoalesceGap) {
      requests.push_back({range, {}});
    }
    ByteRange& last = requests.back().range;
    last.length = std::max(last.end(), range.end()) - last.offset;
    requests.back().members.push_back(index);
  }
  return requests;
}

class StoredFile final : public ReadableFile {
 public:
  StoredFile(std::shared_ptr<arrow::fs::FileSystem> fs, std::shared_ptr<IoCounter> counter, std::string fs_path,
             std::string full_path, std::string path, uint64_t size, IoKind kind)
      : fs_(std::move(fs)),
        counter_(std::move(counter)),
        fs_path_(std::move(fs_path)),
        full_path_(std::move(full_path)),
        path_(std::move(path)),
        kind_(kind),
        size_(size) {}

  const std::string& path() const override { return path_; }
  IoKind kind() const override { return kind_; }

  arrow::Result<uint64_t> Size() override {
    std::lock_guard<std::mutex> lock(mutex_);
    RETURN_NOT_OK(LearnSize());
    return size_;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) override {
    ARROW_ASSIGN_OR_RAISE(auto handle, Open());
    RETURN_NOT_OK(CheckInside(range));
    if (range.length == 0) return NoBytes();
    ARROW_ASSIGN_OR_RAISE(auto bytes, Fetch(handle.get(), range));
    return EnsureAligned(std::move(bytes));
  }

  arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> ReadMany(const std::vector<ByteRange>& ranges) override {
    ARROW_ASSIGN_OR_RAISE(auto handle, Open());
    for (const ByteRange& range : ranges) RETURN_NOT_OK(CheckInside(range));
    const std::vector<Request> requests = Coalesce(ranges);
    std::vector<arrow::Result<std::shared_ptr<arrow::Buffer>>> fetched(requests.size());
    auto fetch = [&](size_t i) { fetched[i] = Fetch(handle.get(), requests[i].range); };
    if (requests.size() == 1) fetch(0);
    if (requests.size() > 1) RunSideBySide(handle->io_context().executor(), requests.size(), fetch);
    return SliceRequests(ranges, requests, fetched);
  }

 private:
  static arrow::Result<std::shared_ptr<arrow::Buffer>> NoBytes() {
    ARROW_ASSIGN_OR_RAISE(auto none, arrow::AllocateBuffer(0));
    return std::shared_ptr<arrow::Buffer>(std::move(none));
  }

  static arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> SliceRequests(
      const std::vector<ByteRange>& ranges, const std::vector<Request>& requests,
      const std::vector<arrow::Result<std::shared_ptr<arrow::Buffer>>>& fetched) {
    ARROW_ASSIGN_OR_RAISE(auto none, NoBytes());
    std::vector<std::shared_ptr<arrow::Buffer>> slices(ranges.size(), none);
    for (size_t i = 0; i < requests.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto bytes, fetched[i]);
      for (size_t member : requests[i].members) {
        const ByteRange& range = ranges[member];
        slices[member] = arrow::SliceBuffer(bytes, static_cast<int64_t>(range.offset - requests[i].range.offset),
                                            static_cast<int64_t>(range.length));
      }
    }
    return slices;
  }

  /// Asks for the size if it is unknown. Requires the mutex.
  arrow::Status LearnSize() {
    if (size_ != 0 || size_asked_) return arrow::Status::OK();
    counter_->Count(kind_, 0);
    ARROW_ASSIGN_OR_RAISE(auto info, fs_->GetFileInfo(fs_path_));
    if (info.type() == arrow::fs::FileType::NotFound) return NotFound(full_path_);
    if (!info.IsFile()) return arrow::Status::IOError(full_path_, ": is not a file");
    if (info.size() < 0) return arrow::Status::IOError(full_path_, ": its size cannot be found");
    size_ = static_cast<uint64_t>(info.size());
    size_asked_ = true;
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> Open() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (handle_) return handle_;
    RETURN_NOT_OK(LearnSize());
    if (size_ > kMaxFileSize) {
      return arrow::Status::Invalid(full_path_, ": no file is as long as it is said to be, ", size_, " bytes");
    }
    arrow::fs::FileInfo info(fs_path_, arrow::fs::FileType::File);
    info.set_size(static_cast<int64_t>(size_));
    auto opened = fs_->OpenInputFile(info);
    if (!opened.ok()) return Explain(opened.status());
    // Free: a local file looks at its handle, an object store repeats the size that it was given.
    ARROW_ASSIGN_OR_RAISE(const int64_t actual, (*opened)->GetSize());
    if (static_cast<uint64_t>(actual) < size_) {
      return arrow::Status::Invalid(full_path_, ": is cut off, it should have ", size_, " bytes and has ", actual);
    }
    handle_ = std::move(*opened);
    return handle_;
  }

  /// Requires that Open has succeeded, after which size_ does not change.
  arrow::Status CheckInside(ByteRange range) const {
    if (RangeIsInside(range.offset, range.length, size_)) return arrow::Status::OK();
    return arrow::Status::IOError(full_path_, ": bytes ", range.offset, " + ", range.length, " lie outside its ", size_,
                                  " bytes");
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Fetch(arrow::io::RandomAccessFile* handle, ByteRange range) const {
    auto bytes = handle->ReadAt(static_cast<int64_t>(range.offset), static_cast<int64_t>(range.length));
    const auto got = bytes.ok() ? static_cast<uint64_t>((*bytes)->size()) : 0;
    counter_->Count(kind_, got);
    if (!bytes.ok()) return Explain(bytes.status());
    if (got != range.length) {
      return arrow::Status::IOError(full_path_, ": wanted ", range.length, " bytes at ", range.offset, ", got ", got);
    }
    return bytes;
  }

  /// Object stores report an absent file in their own words, and only when it is read. One more look tells it from
  /// other failures, in the same way for all of them.
  arrow::Status Explain(const arrow::Status& failure) const {
    if (IsNotFound(failure)) return NotFound(full_path_);
    counter_->Count(kind_, 0);
    auto info = fs_->GetFileInfo(fs_path_);
    if (info.ok() && info->type() == arrow::fs::FileType::NotFound) return NotFound(full_path_);
    return failure.WithMessage(full_path_, ": ", failure.message());
  }

  const std::shared_ptr<arrow::fs::FileSystem> fs_;
  const std::shared_ptr<IoCounter> counter_;
  const std::string fs_path_;
  const std::string full_path_;
  const std::string path_;
  const IoKind kind_;

  std::mutex mutex_;
  uint64_t size_;
  bool size_asked_ = false;
  std::shared_ptr<arrow::io::RandomAccessFile> handle_;
};

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// Absolute, with "..", "//" and links resolved as far as the path exists.
std::string NormalLocalPath(const std::string& path) {
  std::error_code error;
  auto normal = std::filesystem::weakly_canonical(path, error);
  if (error) normal = std::filesystem::absolute(path, error).lexically_normal();
  return WithoutTrailingSlashes(error ? path : normal.string());
}

/// Of a file system's URI only the scheme and which server is meant. Arrow writes user and password into it without
/// escaping them, so where they end cannot be told if they hold a '/', and nothing near them is kept.
std::string MakeIdentity(const arrow::fs::FileSystem& fs, const std::string& root) {
  static constexpr std::string_view kServer = "endpoint_override=";
  if (fs.type_name() == "local") return root;
  const std::string uri = fs.MakeUri("/" + root).ValueOr("");
  const size_t scheme_end = uri.find("://");
  if (scheme_end == std::string::npos) return fs.type_name() + "://" + root;
  std::string identity = uri.substr(0, scheme_end) + "://" + root;
  const size_t server = uri.rfind(kServer);
  if (server == std::string::npos) return identity;
  const std::string value = uri.substr(server, uri.find('&', server) - server);
  return value.size() > kServer.size() ? identity + "?" + value : identity;
}

/// Arrow may keep the file system of a scheme in a library of its own, beside its main one, so that its start-up is
/// paid for only by who needs it: pyarrow's libarrow_s3.so.2600 lies next to libarrow.so.2600. False if there is none.
bool LoadFileSystemLibrary(const std::string& scheme) {
  static constexpr std::string_view kArrow = "libarrow.so";
  static constexpr std::string_view kOfScheme = "abcdefghijklmnopqrstuvwxyz0123456789";
  if (scheme.find_first_not_of(kOfScheme) != std::string::npos) return false;
  Dl_info arrow_library;
  if (dladdr(reinterpret_cast<void*>(&arrow::fs::LoadFileSystemFactories), &arrow_library) == 0) return false;
  std::string path = arrow_library.dli_fname;
  const size_t name = path.rfind(kArrow);
  if (name == std::string::npos) return false;
  path.replace(name, kArrow.size(), "libarrow_" + scheme + ".so");
  return std::filesystem::exists(path) && arrow::fs::LoadFileSystemFactories(path.c_str()).ok();
}

arrow::Result<std::shared_ptr<arrow::fs::FileSystem>> MakeFileSystem(const std::string& uri, std::string* root) {
  auto fs = arrow::fs::FileSystemFromUri(uri, root);
  // An unknown scheme is Invalid, as is a URI that makes no sense; then the second try fails in the same way.
  if (!fs.status().IsInvalid()) return fs;
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  return LoadFileSystemLibrary(uri.substr(0, uri.find(':'))) ? arrow::fs::FileSystemFromUri(uri, root) : fs;
}

/// The S3 library crashes at the program's end if nobody has shut it down. Arrow offers that but leaves it to the user;
/// a program that has done so already loses nothing.
void ShutDownAtExit() {
  static const int registered = std::atexit([] { arrow::fs::EnsureFinalized(); });
  static_cast<void>(registered);
}

bool IsUri(const std::string& location) {
  return location.find("://") != std::string::npos || location.rfind("file:", 0) == 0;
}

}  // namespace

std::string_view ToString(IoKind kind) {
  switch (kind) {
    case IoKind::kManifest:
      return "manifest";
    case IoKind::kIndex:
      return "index";
    case IoKind::kData:
      return "data";
  }
  return "unknown";
}

IoCount& IoCount::operator+=(const IoCount& other) {
  requests += other.requests;
  bytes += other.bytes;
  return *this;
}

IoCount IoStats::total() const {
  IoCount sum;
  for (const IoCount& count : by_kind) sum += count;
  return sum;
}

IoStats IoStats::operator-(const IoStats& other) const {
  IoStats difference;
  for (size_t i = 0; i < by_kind.size(); ++i) difference.by_kind[i] = by_kind[i] - other.by_kind[i];
  return difference;
}

void IoCounter::Count(IoKind kind, uint64_t bytes) {
  Cell& cell = cells_[static_cast<size_t>(kind)];
  cell.requests.fetch_add(1, std::memory_order_relaxed);
  cell.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

IoStats IoCounter::Snapshot() const {
  IoStats stats;
  for (size_t i = 0; i < cells_.size(); ++i) {
    stats.by_kind[i] = {cells_[i].requests.load(std::memory_order_relaxed),
                        cells_[i].bytes.load(std::memory_order_relaxed)};
  }
  return stats;
}

bool IsNotFound(const arrow::Status& status) {
  return arrow::internal::ErrnoFromStatus(status) == ENOENT;
}

ObjectStore::ObjectStore(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root, std::string identity)
    : fs_(std::move(fs)), root_(std::move(root)), identity_(std::move(identity)) {}

arrow::Result<std::shared_ptr<ObjectStore>> ObjectStore::Open(const std::string& uri) {
  if (uri.empty()) return arrow::Status::Invalid("the location of a dataset is empty");
  if (!IsUri(uri)) return Make(std::make_shared<arrow::fs::LocalFileSystem>(), uri);
  std::string root;
  auto made = MakeFileSystem(uri, &root);
  // Also if it failed: looking for the bucket's region has started the library.
  if (uri.starts_with("s3://")) ShutDownAtExit();
  ARROW_ASSIGN_OR_RAISE(auto fs, std::move(made));
  return Make(std::move(fs), std::move(root));
}

std::shared_ptr<ObjectStore> ObjectStore::Make(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root) {
  while (auto subtree = std::dynamic_pointer_cast<arrow::fs::SubTreeFileSystem>(fs)) {
    root.insert(0, subtree->base_path());
    fs = subtree->base_fs();
  }
  root = fs->type_name() == "local" ? NormalLocalPath(root) : WithoutTrailingSlashes(std::move(root));
  std::string identity = MakeIdentity(*fs, root);
  return std::shared_ptr<ObjectStore>(new ObjectStore(std::move(fs), std::move(root), std::move(identity)));
}

std::shared_ptr<ReadableFile> ObjectStore::OpenFile(const std::string& path, uint64_t size, IoKind kind) const {
  return std::make_shared<StoredFile>(fs_, counter_, FullPath(path), identity_ + "/" + path, path, size, kind);
}

arrow::Result<std::vector<ObjectStore::Entry>> ObjectStore::List(const std::string& folder, IoKind kind) const {
  arrow::fs::FileSelector selector;
  selector.base_dir = FullPath(folder);
  selector.allow_not_found = true;
  counter_->Count(kind, 0);
  ARROW_ASSIGN_OR_RAISE(auto infos, fs_->GetFileInfo(selector));
  std::vector<Entry> entries;
  for (const auto& info : infos) {
    if (info.type() == arrow::fs::FileType::Directory) continue;
    entries.push_back({info.base_name(), static_cast<uint64_t>(std::max<int64_t>(info.size(), 0))});
  }
  return entries;
}

arrow::Result<std::optional<uint64_t>> ObjectStore::FileSize(const std::string& path, IoKind kind) const {
  counter_->Count(kind, 0);
  ARROW_ASSIGN_OR_RAISE(auto info, fs_->GetFileInfo(FullPath(path)));
  if (!info.IsFile()) return std::nullopt;
  if (info.size() < 0) return arrow::Status::IOError(identity_, "/", path, ": its size cannot be found");
  return static_cast<uint64_t>(info.size());
}

std::string ObjectStore::FullPath(const std::string& path) const {
  if (root_.empty()) return path;
  return root_.back() == '/' ? root_ + path : root_ + "/" + path;
}

}  // namespace fewter::lance
