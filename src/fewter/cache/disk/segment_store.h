#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

#include "fewter/cache/disk/directory.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/file_system.h"
#include "fewter/cache/disk/segment_index.h"
#include "fewter/cache/health.h"

/// The segments of a directory as this process knows them, and how it learns of those that others seal and remove.

namespace fewter::disk {

/// The counts of DiskActivity while they change.
struct ActivityCounters {
  std::atomic<uint64_t> segments_written{0};
  std::atomic<uint64_t> bytes_written{0};
  std::atomic<uint64_t> segments_removed{0};
  std::atomic<uint64_t> entries_dropped{0};
  std::atomic<uint64_t> entries_declined{0};
  std::atomic<uint64_t> entries_copied{0};
  std::atomic<uint64_t> segments_rejected{0};
  std::atomic<uint64_t> heat_files_rejected{0};
  std::atomic<uint64_t> invalidations_pending{0};
  std::atomic<uint64_t> scans{0};
};

/// Thread safe. No file is touched under the lock of the index; scans run one at a time.
class SegmentStore {
 public:
  /// `options` has a file system and an executor.
  explicit SegmentStore(const DiskBackendOptions& options);

  /// Looks at the directory if it has changed since it was last looked at, or may have: time stamps are coarse. Returns
  /// at once if another thread is looking, or while health() says that reading is no use. True if it looked.
  bool ScanIfChanged();
  /// Looks at it in any case. Both report to health() how that went.
  arrow::Status Scan();

  /// Writes and publishes entries as one segment, which is in the index when this returns. The error of a disk that
  /// fails is reported to health(), which says when to try again; until then this fails without trying.
  arrow::Result<std::shared_ptr<Segment>> Write(std::span<const EntryToWrite> entries);
  /// Removes the file, and the segment from the index. False if the file could not be removed.
  bool Unlink(const std::shared_ptr<Segment>& segment);

  /// Where an entry is whose file is not at the given place any more, since it was merged into another or evicted:
  /// here, or by another process, of which this looks at the directory once. An empty place if it is nowhere.
  EntryPlace FindMoved(const KeyDigest& key, const EntryPlace& gone);

  /// The bytes of an entry as Segment::Bytes gives them; a read that fails is reported to health().
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(const EntryPlace& place, bool copy, bool* mapped);

  /// Removes segments that can never be read and what dead writers left. Requires the directory's lock.
  void RemoveRubbish();

  /// Held by who removes something from the directory. Null if another process, or another backend, holds it, or if it
  /// cannot be had at all, which is reported to health().
  std::unique_ptr<FileLock> TryLock();

  /// Bytes on disk, those of files that are no segment we can read included.
  int64_t AllocatedBytes() const;

  SegmentIndex& index() { return index_; }
  const SegmentIndex& index() const { return index_; }
  TierHealth& health() { return health_; }
  const TierHealth& health() const { return health_; }
  ActivityCounters& activity() { return activity_; }
  const ActivityCounters& activity() const { return activity_; }
  const MappingAccount& mappings() const { return *mappings_; }
  FileSystem* files() const { return options_.file_system.get(); }
  const DiskBackendOptions& options() const { return options_; }

 private:
  /// A file with a segment's name that is not in the index.
  struct Rejected {
    int64_t allocated_bytes = 0;
    /// False if it is of a newer version.
    bool is_rubbish = true;
    /// True if reading it went wrong, which may be over by the next scan.
    bool try_again = false;
  };

  arrow::Status ScanLocked();
  bool MayScan();
  /// Reports to health() how looking at the directory went.
  void NoteScan(const arrow::Status& status);
  /// Opens the segments of these names that are not open. False if another try may do better.
  bool OpenNew(const std::vector<std::string>& names);
  bool Open(const std::string& name, arrow::Result<std::shared_ptr<Segment>> opened);
  void Drop(const std::shared_ptr<Segment>& segment);

  const DiskBackendOptions options_;
  const std::shared_ptr<MappingAccount> mappings_ = std::make_shared<MappingAccount>();
  SegmentIndex index_;
  TierHealth health_;
  ActivityCounters activity_;

  /// Held during a scan.
  std::mutex scan_mutex_;
  /// The directory's time stamp at the last scan and the time of that scan, in nanoseconds since 1970.
  std::atomic<int64_t> scanned_modified_{0};
  std::atomic<int64_t> scanned_at_{0};
  /// Something could not be read at the last scan; try again from this time on, by the same clock. 0: nothing.
  std::atomic<int64_t> retry_at_{0};

  /// The directory could not be looked at. While it can, that says nothing of whether entries can be read, since the
  /// kernel has it in memory.
  std::atomic<bool> scan_failed_{false};

  mutable std::mutex rejected_mutex_;
  std::map<std::string, Rejected> rejected_;
};

}  // namespace fewter::disk
