#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

/// All reading of a dataset's files goes through an ObjectStore, which counts it.
///
/// One request is one round trip that an object store would charge: a ranged read, a listing or a look-up of a file's
/// size. Opening a file whose size is known is free.

namespace fewter::lance {

/// What a file is to a dataset; requests and bytes are counted by it.
enum class IoKind : uint8_t { kManifest = 0, kIndex = 1, kData = 2 };
inline constexpr int kIoKinds = 3;
std::string_view ToString(IoKind kind);

struct IoCount {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  IoCount operator-(const IoCount& other) const { return {requests - other.requests, bytes - other.bytes}; }
  IoCount& operator+=(const IoCount& other);
  bool operator==(const IoCount&) const = default;
};

/// A snapshot of the counters; subtract two to see what happened between them.
struct IoStats {
  std::array<IoCount, kIoKinds> by_kind;
  const IoCount& operator[](IoKind kind) const { return by_kind[static_cast<size_t>(kind)]; }
  IoCount total() const;
  IoStats operator-(const IoStats& other) const;
};

/// The one place where IO is counted. Thread safe.
class IoCounter {
 public:
  void Count(IoKind kind, uint64_t bytes);
  IoStats Snapshot() const;

 private:
  struct Cell {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> bytes{0};
  };
  std::array<Cell, kIoKinds> cells_;
};

/// A half-open range of bytes of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t end() const { return offset + length; }
  bool operator==(const ByteRange&) const = default;
};

/// True if an error of this header's functions says that the file does not exist, rather than that it cannot be read.
bool IsNotFound(const arrow::Status& status);

/// One immutable file, opened on its first read. Thread safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  /// The path relative to the store's root, for messages.
  virtual const std::string& path() const = 0;
  virtual IoKind kind() const = 0;

  /// The size in bytes; asks the store (one request) the first time if it was not known at opening.
  /// An IOError for which IsNotFound holds if the file does not exist, naming it in full.
  virtual arrow::Result<uint64_t> Size() = 0;

  /// Exactly range.length bytes in 64-byte aligned memory, one request; none if the range is empty. IOError, naming
  /// the file and what is wrong, if it does not exist (see IsNotFound) or ends before the range does; Invalid if it is
  /// shorter than it was said to be when it was named. Nothing is allocated for a range that is not inside the file.
  virtual arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) = 0;

  /// Reads many ranges, in any order and overlapping if they like, with few requests: neighbours whose gap is at most
  /// kCoalesceGap are fetched as one, and the requests run side by side on the file system's IO threads. May be called
  /// from such a thread. The result has one buffer a range, in the order given; buffers of one request share its
  /// memory, so they need not be 64-byte aligned. Errors as Read; then there is no result at all.
  virtual arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> ReadMany(const std::vector<ByteRange>& ranges) = 0;

  /// On disk two neighbours that are nearer than this cost less in one request than in two.
  static constexpr uint64_t kCoalesceGap = 16384;
};

/// A folder of an Arrow file system, with a counter. Thread safe.
class ObjectStore {
 public:
  /// Opens a plain path, absolute or not, or a URI that arrow::fs::FileSystemFromUri knows. No request is made, so a
  /// folder that does not exist is no error yet.
  static arrow::Result<std::shared_ptr<ObjectStore>> Open(const std::string& uri);
  /// Opens the folder `root` (a path of that file system, no URI) of a file system that the caller made.
  static std::shared_ptr<ObjectStore> Make(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root);

  /// A string that is the same for every way to write the same folder; part of cache keys, and the start of the file
  /// names in messages. An absolute path with its links resolved for local folders, otherwise a URI that keeps the
  /// server but neither credentials nor other options. Two file systems of one type that have no URIs (those written in
  /// Python, say) are told apart by their type's name alone.
  const std::string& identity() const { return identity_; }
  const std::shared_ptr<IoCounter>& counter() const { return counter_; }

  /// Names a file; no request is made before its first read. `size` is its length in bytes, 0 if unknown.
  std::shared_ptr<ReadableFile> OpenFile(const std::string& path, uint64_t size, IoKind kind) const;

  /// The names (no folder) and sizes of the files in a folder, unsorted, one request. An absent folder has no files.
  struct Entry {
    std::string name;
    uint64_t size = 0;
  };
  arrow::Result<std::vector<Entry>> List(const std::string& folder, IoKind kind) const;

  /// The size of a file, or nothing if there is none. One request.
  arrow::Result<std::optional<uint64_t>> FileSize(const std::string& path, IoKind kind) const;

 private:
  ObjectStore(std::shared_ptr<arrow::fs::FileSystem> fs, std::string root, std::string identity);
  /// The path of a file or folder for fs_.
  std::string FullPath(const std::string& path) const;

  std::shared_ptr<arrow::fs::FileSystem> fs_;
  std::string root_;
  std::string identity_;
  std::shared_ptr<IoCounter> counter_ = std::make_shared<IoCounter>();
};

}  // namespace fewter::lance
