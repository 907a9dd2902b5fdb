#include "fewter/lance/object_store.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/async_generator.h>
#include <arrow/util/io_util.h>

#include "fewter/lance/io_pool.h"
#include "fewter/lance/store_name_internal.h"
#include "fewter/lance/stored_file_internal.h"
#include "fewter/util/side_by_side.h"

namespace fewter::lance {
namespace {

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// Absolute, with "..", "//" and links resolved as far as the path exists.
std::string NormalLocalPath(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  auto normal = error ? absolute : std::filesystem::weakly_canonical(absolute, error);
  if (error) normal = std::filesystem::absolute(path, error).lexically_normal();
  return WithoutTrailingSlashes(error ? path : normal.string());
}

bool IsUri(const std::string& location) {
  return location.find("://") != std::string::npos || location.rfind("file:", 0) == 0;
}

void AppendFiles(const std::vector<arrow::fs::FileInfo>& infos, std::vector<ObjectStore::Entry>* entries) {
  for (const auto& info : infos) {
    if (info.type() == arrow::fs::FileType::Directory) continue;
    const auto modified = info.mtime() == arrow::fs::kNoTime ? 0 : info.mtime().time_since_epoch().count();
    entries->push_back({info.base_name(), static_cast<uint64_t>(std::max<int64_t>(info.size(), 0)), modified});
  }
}

}  // namespace

bool IsNotFound(const arrow::Status& status) {
  return arrow::internal::ErrnoFromStatus(status) == ENOENT;
}

arrow::Result<std::shared_ptr<ObjectStore>> ObjectStore::Open(const std::string& uri,
                                                              const ObjectStoreOptions& options) {
  if (uri.empty()) return arrow::Status::Invalid("the location of a dataset is empty");
  if (!IsUri(uri)) return Make(std::make_shared<arrow::fs::LocalFileSystem>(), uri, options);
  ARROW_ASSIGN_OR_RAISE(auto opened, OpenFileSystem(uri, options.storage_options));
  return Make(std::move(opened.fs), std::move(opened.root), options, opened.retry);
}

std::shared_ptr<ObjectStore> ObjectStore::Make(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root,
                                               const ObjectStoreOptions& options, const RetryPolicy& retry) {
  while (auto subtree = std::dynamic_pointer_cast<arrow::fs::SubTreeFileSystem>(fs)) {
    root.insert(0, subtree->base_path());
    fs = subtree->base_fs();
  }
  auto access = std::make_shared<StoreAccess>();
  access->is_remote = fs->type_name() != "local";
  access->opening_asks = fs->type_name() == "gcs";
  root = access->is_remote ? WithoutTrailingSlashes(std::move(root)) : NormalLocalPath(root);
  access->fs = std::move(fs);
  access->counter = std::make_shared<IoCounter>();
  access->retry = retry;
  access->tracer = options.tracer;
  access->executor = options.io_executor;
  if (access->executor == nullptr) {
    access->executor = access->is_remote ? RemoteIoPool() : arrow::io::default_io_context().executor();
  }
  return std::shared_ptr<ObjectStore>(new ObjectStore(std::move(access), std::move(root)));
}

ObjectStore::ObjectStore(std::shared_ptr<const StoreAccess> access, std::string root)
    : access_(std::move(access)),
      root_(std::move(root)),
      name_(NameOfStore(*access_->fs, root_)),
      identity_(name_ + ServerOfStore(*access_->fs, root_)) {}

std::shared_ptr<ObjectStore> ObjectStore::WithByteCache(std::shared_ptr<ByteCache> cache) const {
  std::shared_ptr<ObjectStore> store(new ObjectStore(*this));
  if (is_remote()) store->byte_cache_ = std::move(cache);
  return store;
}

std::shared_ptr<ObjectStore> ObjectStore::ForVersion(uint64_t version) const {
  std::shared_ptr<ObjectStore> store(new ObjectStore(*this));
  store->note_if_missing_ =
      "; version " + std::to_string(version) +
      " of the dataset has it, so a cleanup of old versions may have removed it: open a later one";
  return store;
}

const std::shared_ptr<IoCounter>& ObjectStore::counter() const {
  return access_->counter;
}

bool ObjectStore::is_remote() const {
  return access_->is_remote;
}

arrow::internal::Executor* ObjectStore::executor() const {
  return access_->executor;
}

arrow::Status ObjectStore::RunTogether(size_t count, const std::function<arrow::Status(size_t)>& work) const {
  return TrySideBySide(executor(), count, work, is_remote() ? count : 1);
}

std::shared_ptr<ReadableFile> ObjectStore::OpenUncached(const std::string& path, uint64_t size, IoKind kind) const {
  return MakeStoredFile(access_, NamesOf(path), size, kind);
}

std::shared_ptr<ReadableFile> ObjectStore::OpenFile(const std::string& path, uint64_t size, IoKind kind) const {
  FileNames names = NamesOf(path);
  names.note_if_missing = note_if_missing_;
  auto file = MakeStoredFile(access_, std::move(names), size, kind);
  return byte_cache_ == nullptr ? file : MakeCachedFile(std::move(file), byte_cache_, size);
}

arrow::Status ObjectStore::ListPages(const std::string& folder, const EnoughListed& first_page,
                                     std::vector<Entry>* entries) const {
  arrow::fs::FileSelector selector;
  selector.base_dir = FullPath(folder);
  selector.allow_not_found = true;
  if (!is_remote() || !first_page) {
    ARROW_ASSIGN_OR_RAISE(const auto infos, access_->fs->GetFileInfo(selector));
    AppendFiles(infos, entries);
    return arrow::Status::OK();
  }
  const auto pages = access_->fs->GetFileInfoGenerator(selector);
  for (bool is_first = true;; is_first = false) {
    const auto future = pages();
    ARROW_ASSIGN_OR_RAISE(const auto page, future.result());
    if (arrow::IsIterationEnd(page)) return arrow::Status::OK();
    AppendFiles(page, entries);
    if (is_first && first_page(*entries)) break;
  }
  // Arrow goes on listing, and needs the file system meanwhile.
  arrow::VisitAsyncGenerator<std::vector<arrow::fs::FileInfo>>(pages, [](const auto&) {
    return arrow::Status::OK();
  }).AddCallback([fs = access_->fs](const arrow::Status&) {});
  return arrow::Status::OK();
}

arrow::Result<std::vector<ObjectStore::Entry>> ObjectStore::List(const std::string& folder, IoKind kind,
                                                                 const EnoughListed& first_page) const {
  std::vector<Entry> entries;
  ARROW_RETURN_NOT_OK(access_->Send({.kind = kind, .what = "list", .path = folder}, [&](uint64_t*) {
    entries.clear();
    return ListPages(folder, first_page, &entries);
  }));
  return entries;
}

arrow::Result<std::optional<uint64_t>> ObjectStore::FileSize(const std::string& path, IoKind kind) const {
  const FileNames names = NamesOf(path);
  ARROW_ASSIGN_OR_RAISE(const auto info, access_->Ask(names, kind));
  if (!info.IsFile()) return std::nullopt;
  if (info.size() < 0) return arrow::Status::IOError(names.in_full, ": its size cannot be found");
  return static_cast<uint64_t>(info.size());
}

FileNames ObjectStore::NamesOf(const std::string& path) const {
  return {FullPath(path), name_ + "/" + path, path};
}

std::string ObjectStore::FullPath(const std::string& path) const {
  if (root_.empty()) return path;
  return root_.back() == '/' ? root_ + path : root_ + "/" + path;
}

}  // namespace fewter::lance
