#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <arrow/result.h>

#include "fewter/cache/backend.h"
#include "fewter/cache/health.h"

namespace arrow::internal {
class Executor;
}

/// A cache in a directory of the local disk, which survives the process and is shared by several.
///
/// Entries are kept as EncodeEntry's bytes in segments: files that are written once, in the background, and then never
/// change. A hit maps the segment and decodes the entry where it lies, without a copy; the first touch of an entry in a
/// process brings it into memory and compares its checksum, later ones do neither. Opening reads the segments' tables,
/// not the entries. docs/format/cache_segment.md has the format, disk/directory.h says what is in a directory.
///
/// **What is safe when.** An inserted entry is found at once; it is on disk when Flush returns, or a little later. A
/// process that dies loses only what it had not sealed. An entry that is damaged, for whatever reason, is a miss; it is
/// forgotten, and written afresh when it has been loaded again.
///
/// **Huge pages.** A segment of which half has been touched is kept in huge pages where the system has them, as large
/// blocks of the heap are. That may read it once more, in the background, and happens at the latest in Flush.
///
/// **Several processes** may use one directory and share the kernel's copy of its pages. Each sees what the others
/// sealed at its next miss, and finds what they merged where it is now. Only one at a time removes anything. A value
/// that was handed out stays valid when its file is removed; the disk gets those bytes back when the last such value
/// goes.
///
/// **A disk that fails** never fails a query: entries are then not kept, or not found, and Report says why. A full disk
/// makes the cache read-only; it tries again after a while. A directory that is removed is made again.
///
/// **Mapped files** of a disk that breaks, or that somebody truncates, kill the process that touches the lost bytes
/// after their first touch. Cached files are for their owner only (0600) and never truncated by us; where that is not
/// enough, as on network file systems, set `copy`.
///
/// **Fork.** In a forked child a backend of the parent finds and keeps nothing, waits for nothing and writes nothing,
/// since the threads and locks that it may be waiting for are the parent's. Values from before the fork stay valid.
/// Open a backend in the child; it shares the directory.

namespace fewter {

namespace disk {
class FileSystem;
}

struct DiskBackendOptions {
  /// Made if missing. One that cannot be written can still be read. Its file system must have flock(2); otherwise the
  /// cache is read-only, too.
  std::string directory = {};
  /// On disk, for all processes together. Exceeded while something is written, and by what max_pinned_bytes protects.
  int64_t capacity_bytes = int64_t{20} << 30;
  int64_t segment_bytes = int64_t{64} << 20;
  /// Entries at least this large get a segment of their own, so that evicting one moves no other. At most half of
  /// segment_bytes.
  int64_t large_entry_bytes = int64_t{2} << 20;
  /// Of entries that wait to be written. What comes beyond it is not kept.
  int64_t max_pending_bytes = int64_t{256} << 20;
  /// Of segments that are removed while a value of this process still lies in them. Beyond it, eviction leaves segments
  /// in use where they are (removing them would free nothing, and they can still be found), and hits are copied, so
  /// that they pin nothing when other processes evict or something is invalidated.
  int64_t max_pinned_bytes = int64_t{4} << 30;
  /// Hand out copies on the heap, verified each time, instead of mapped bytes.
  bool copy = false;
  /// Where segments are written, and read side by side; must outlive the backend. Null: Arrow's IO pool.
  arrow::internal::Executor* io_executor = nullptr;
  /// For tests. Null: the real one.
  std::shared_ptr<disk::FileSystem> file_system = {};
  HealthOptions health = {.failures_to_bypass = 3};
};

/// What a value costs that lies in a mapped segment: the decoded object, without the arrays it points to. An estimate.
inline constexpr int64_t kMappedValueBytes = 4096;

/// Opens a directory. Its stats count bytes on disk in `bytes` (whole files, by what they occupy), what is mapped of
/// them in `mapped_bytes`, and removed files that are still in use in `pinned_bytes`. Without a codec an entry is
/// declined.
///
/// An error that names the directory if it cannot be read, is not a directory, holds other things than a cache, or is
/// of a newer format. Damaged segments are no error; they are skipped and counted.
arrow::Result<std::shared_ptr<CacheBackend>> MakeDiskBackend(DiskBackendOptions options);

/// What a disk backend has done since it was opened, beyond CacheStats.
struct DiskActivity {
  uint64_t segments_written = 0;
  uint64_t bytes_written = 0;
  /// By eviction, merging and invalidation.
  uint64_t segments_removed = 0;
  /// Entries that were not written since the disk failed.
  uint64_t entries_dropped = 0;
  /// Entries that were not kept since too many waited to be written, or since they are larger than the capacity.
  uint64_t entries_declined = 0;
  /// Hits on the heap instead of in a mapping.
  uint64_t entries_copied = 0;
  /// Files that looked like segments and could not be used.
  uint64_t segments_rejected = 0;
  uint64_t heat_files_rejected = 0;
  /// Namespaces that were invalidated but whose files are still there, since another process held the lock all the
  /// while. The next change to the directory, or Flush, tries again.
  uint64_t invalidations_pending = 0;
  /// How often the directory was listed.
  uint64_t scans = 0;
  /// Segments in the directory now.
  uint64_t segments = 0;
};
/// All zero for a backend that MakeDiskBackend did not make.
DiskActivity DiskActivityOf(const CacheBackend& backend);

}  // namespace fewter
