#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

#include "fewter/lance/byte_cache.h"
#include "fewter/lance/io_stats.h"
#include "fewter/lance/storage_options.h"

/// All reading of a dataset's files goes through an ObjectStore, which counts it.
///
/// One request is one round trip that an object store would charge: a ranged read, a listing or a look-up of a file's
/// size. Opening a file whose size is known is free.

namespace arrow::internal {
class Executor;
}

namespace fewter::lance {

/// True if an error of this header's functions says that the file does not exist, rather than that it cannot be read.
bool IsNotFound(const arrow::Status& status);

/// One immutable file, opened on its first read. Thread safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  /// The path relative to the store's root, for messages.
  virtual const std::string& path() const = 0;
  virtual IoKind kind() const = 0;
  /// True if a request is a round trip to another machine.
  virtual bool is_remote() const { return false; }
  /// True if what has been read once is cheap to read again.
  virtual bool is_cached() const { return false; }

  /// The size in bytes; asks the store (one request) the first time if it was not known at opening.
  /// An IOError for which IsNotFound holds if the file does not exist, naming it in full.
  virtual arrow::Result<uint64_t> Size() = 0;

  /// Exactly range.length bytes in 64-byte aligned memory, one request; none if the range is empty. IOError, naming
  /// the file and what is wrong, if it does not exist (see IsNotFound) or ends before the range does; Invalid if it is
  /// shorter than it was said to be when it was named. Nothing is allocated for a range that is not inside the file.
  virtual arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) = 0;

  /// Reads many ranges, in any order and overlapping if they like, with few requests: neighbours whose gap is at most
  /// kCoalesceGap (kRemoteCoalesceGap) are fetched as one, up to kLongestJoined, and the requests run side by side on
  /// the store's IO threads. May be called from such a thread. The result has one buffer a range, in the order given;
  /// buffers of one request share its memory, so they need not be 64-byte aligned. Errors as Read; then there is no
  /// result at all.
  ///
  /// Of a remote file that takes more requests than `enough_requests`, wider gaps are read over too, the smallest
  /// first, up to kWidestRemoteGap.
  virtual arrow::Result<FileBytes> ReadMany(const std::vector<ByteRange>& ranges, size_t enough_requests) = 0;
  arrow::Result<FileBytes> ReadMany(const std::vector<ByteRange>& ranges) { return ReadMany(ranges, kAnyNumber); }
  static constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

  /// The whole of a small file. If its size is unknown, and asking for it would be a request, `at_most` bytes are asked
  /// for instead: a store sends those that there are. Which are they is not always said, so `is_whole` must tell a
  /// whole file from one that lacks its end or goes on with other bytes; if none is whole, its size is asked for after
  /// all. Errors as Read; what is returned with no error need not be what `is_whole` accepts.
  using IsWhole = std::function<bool(const std::shared_ptr<arrow::Buffer>&)>;
  virtual arrow::Result<std::shared_ptr<arrow::Buffer>> ReadWhole(uint64_t at_most, const IsWhole& is_whole);

  /// On disk two neighbours that are nearer than this cost less in one request than in two.
  static constexpr uint64_t kCoalesceGap = 16384;
  /// From a remote store they cost less by far: 256 KiB take as long as a tenth of a round trip.
  static constexpr uint64_t kRemoteCoalesceGap = 256 << 10;
  /// What a request can be saved for: 2 MiB take about as long as a round trip.
  static constexpr uint64_t kWidestRemoteGap = 2 << 20;
  static constexpr uint64_t kLongestJoined = 8 << 20;
  /// Remote files of an index or a version up to this size are read whole: one request instead of several dependent
  /// ones.
  static constexpr uint64_t kReadWhole = 8 << 20;
  /// The pieces in which remote data files are read, and kept.
  static constexpr uint64_t kDataPage = 64 << 10;
};

struct FileNames;
struct StoreAccess;

struct ObjectStoreOptions {
  StorageOptions storage_options = {};
  /// The threads of requests that go side by side; null for Arrow's IO pool, or RemoteIoPool for remote stores. Not
  /// owned.
  arrow::internal::Executor* io_executor = nullptr;
  /// Told of every request.
  IoTracer tracer = {};
};

/// A folder of an Arrow file system, with a counter. Thread safe.
class ObjectStore {
 public:
  /// Opens a plain path, absolute or not, or a URI that OpenFileSystem knows. No request is made, so a folder that does
  /// not exist is no error yet.
  static arrow::Result<std::shared_ptr<ObjectStore>> Open(const std::string& uri,
                                                          const ObjectStoreOptions& options = {});
  /// Opens the folder `root` (a path of that file system, no URI) of a file system that the caller made.
  static std::shared_ptr<ObjectStore> Make(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root,
                                           const ObjectStoreOptions& options = {}, const RetryPolicy& retry = {});
  /// The same store, with the same counter, which looks for bytes in `cache` first. Only for a remote one: the files of
  /// a local store are as near as a cache on disk.
  std::shared_ptr<ObjectStore> WithByteCache(std::shared_ptr<ByteCache> cache) const;
  /// The same store for the files of a version of its dataset: an error that one is missing says that a cleanup of old
  /// versions may have removed it.
  std::shared_ptr<ObjectStore> ForVersion(uint64_t version) const;

  /// The place for people, and the start of the file names in messages. An absolute path with its links resolved for
  /// local folders, otherwise a URI of scheme and path alone.
  const std::string& name() const { return name_; }
  /// A string that is the same for every way to write the same folder; part of cache keys. The name and, of a server
  /// that is not the store's own, the server; of Azure the account, too. Two file systems of one type that have no URIs
  /// (those written in Python, say) are told apart by their type's name alone.
  const std::string& identity() const { return identity_; }
  const std::shared_ptr<IoCounter>& counter() const;
  bool is_remote() const;
  /// The threads of its requests.
  arrow::internal::Executor* executor() const;
  /// Calls work(0) … work(count - 1), each of which sends requests of its own: of a remote store side by side on its
  /// threads (see TrySideBySide), of a local one, where there is nothing to wait for, one after another. The first
  /// error in their order if there is one.
  arrow::Status RunTogether(size_t count, const std::function<arrow::Status(size_t)>& work) const;
  /// Null if it has none.
  const std::shared_ptr<ByteCache>& byte_cache() const { return byte_cache_; }

  /// Names a file, which is taken to be immutable; no request is made before its first read. `size` is its length in
  /// bytes, 0 if unknown.
  std::shared_ptr<ReadableFile> OpenFile(const std::string& path, uint64_t size, IoKind kind) const;
  /// The same for a file that may be another one by now than the byte cache knows by that name.
  std::shared_ptr<ReadableFile> OpenUncached(const std::string& path, uint64_t size, IoKind kind) const;

  /// The names (no folder), sizes and times of the files in a folder, unsorted. An absent folder has no files. One
  /// request, or several if there are more than the store lists at once (1,000 on S3); `first_page` says of a page of
  /// that many whether it is enough.
  struct Entry {
    std::string name;
    uint64_t size = 0;
    /// When it was last written, in nanoseconds since 1970; 0 if unknown.
    int64_t modified = 0;
  };
  using EnoughListed = std::function<bool(const std::vector<Entry>&)>;
  arrow::Result<std::vector<Entry>> List(const std::string& folder, IoKind kind,
                                         const EnoughListed& first_page = {}) const;

  /// The size of a file, or nothing if there is none. One request.
  arrow::Result<std::optional<uint64_t>> FileSize(const std::string& path, IoKind kind) const;

 private:
  ObjectStore(std::shared_ptr<const StoreAccess> access, std::string root);
  FileNames NamesOf(const std::string& path) const;
  /// The path of a file or folder for the file system.
  std::string FullPath(const std::string& path) const;
  arrow::Status ListPages(const std::string& folder, const EnoughListed& first_page, std::vector<Entry>* entries) const;

  std::shared_ptr<const StoreAccess> access_;
  std::string root_;
  std::string name_;
  std::string identity_;
  std::string note_if_missing_;
  std::shared_ptr<ByteCache> byte_cache_;
};

}  // namespace fewter::lance
