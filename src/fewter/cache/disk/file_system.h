#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include "fewter/cache/disk/huge_page.h"
#include "fewter/cache/health.h"

/// All that the disk cache asks of the operating system, so that a test can put a failing disk in its place.
///
/// Paths are used as they are. An error is an IOError that carries its errno (HasErrno), so that a full disk, a file
/// that another process removed and a broken disk can be told apart; what FileSystem itself finds wrong (a file of
/// another size than expected) is Invalid.

namespace fewter::disk {

struct FileStatus {
  uint64_t bytes = 0;
  /// What the file takes from the disk; st_blocks.
  int64_t allocated_bytes = 0;
  /// When it last changed, in nanoseconds since 1970 by the file system's clock.
  int64_t modified = 0;
  bool is_directory = false;
};

/// A file that is being written. While the object lives the file is locked, which tells other processes that its writer
/// does, too: see FileSystem::RemoveIfAbandoned.
class NewFile {
 public:
  virtual ~NewFile() = default;
  /// Appends a part of `bytes` that is not empty, and says how long it is, as write(2) does.
  virtual arrow::Result<size_t> Write(std::string_view bytes) = 0;
  /// Returns when what was written would survive a loss of power.
  virtual arrow::Status Sync() = 0;
};

/// Held as long as the object lives. A lock is let go at its destruction even if a forked child inherited it.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// For the owner only (0700). Its parent exists; it is no error if it does, too.
  virtual arrow::Status MakeDirectory(const std::string& path) = 0;
  virtual arrow::Result<FileStatus> Stat(const std::string& path) = 0;
  /// The names in a directory, without "." and "..", in no order.
  virtual arrow::Result<std::vector<std::string>> List(const std::string& path) = 0;

  /// A file that did not exist (0600).
  virtual arrow::Result<std::unique_ptr<NewFile>> Create(const std::string& path) = 0;
  virtual arrow::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual arrow::Status Unlink(const std::string& path) = 0;
  /// Makes what was renamed and unlinked in a directory survive a loss of power.
  virtual arrow::Status SyncDirectory(const std::string& path) = 0;
  /// Unlinks a file made by Create if no writer holds it any more. True if it did.
  virtual arrow::Result<bool> RemoveIfAbandoned(const std::string& path) = 0;

  /// Exactly the bytes [offset, offset + length), in memory aligned to 64 bytes. Invalid if the file is shorter.
  virtual arrow::Result<std::shared_ptr<arrow::Buffer>> Read(const std::string& path, uint64_t offset,
                                                             uint64_t length) = 0;
  /// The whole file as MapFile maps it, shared with every process that does, unmapped when the last reference goes.
  /// Invalid if its size is not `bytes`.
  virtual arrow::Result<std::shared_ptr<arrow::Buffer>> Map(const std::string& path, uint64_t bytes,
                                                            MappedReads reads) = 0;
  /// PopulateMapped.
  virtual arrow::Status Populate(const uint8_t* data, uint64_t length) = 0;
  /// CollapseMapped for a part of what Map has given for this path. `offset` is a multiple of kHugePage.
  virtual arrow::Result<bool> Collapse(const std::string& path, const arrow::Buffer& mapping, uint64_t offset) = 0;

  /// Locks a file, which is made if need be, for this object alone. Null if it is locked already, by whatever process.
  virtual arrow::Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) = 0;
};

/// The real one. Refers to memory that is never freed.
std::shared_ptr<FileSystem> LocalFileSystem();

/// Writes all of `bytes`, at most a huge page at a time.
arrow::Status WriteAll(NewFile* file, std::string_view bytes);

bool HasErrno(const arrow::Status& status, int error);
/// True if the file or a directory of its path does not exist.
bool IsMissing(const arrow::Status& status);
/// What kind of failure an IOError is to a tier's health.
TierFault FaultOf(const arrow::Status& status);

}  // namespace fewter::disk
