#include "fewter/cache/disk/segment_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <utility>

#include <arrow/util/thread_pool.h>

#include "fewter/cache/disk/crash_point.h"
#include "fewter/util/side_by_side.h"
#include "fewter/util/status_text.h"

namespace fewter::disk {
namespace {

/// File systems stamp directories with a clock that may stand still this long.
constexpr int64_t kStampGrain = 20'000'000;
/// After a segment could not be opened for want of descriptors or the like.
constexpr int64_t kRetryAfter = 1'000'000'000;

int64_t NanosecondsNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

SegmentStore::SegmentStore(const DiskBackendOptions& options) : options_(options), health_(options.health) {}

bool SegmentStore::MayScan() {
  if (scan_failed_.load()) return health_.MayRead();
  const TierState state = health_.Report().state;
  return state == TierState::kHealthy || state == TierState::kReadOnly;
}

void SegmentStore::NoteScan(const arrow::Status& status) {
  if (!status.ok()) {
    scan_failed_ = true;
    health_.ReadFailed(FaultOf(status), MessageWithReason(status));
  } else if (scan_failed_.exchange(false)) {
    health_.ReadSucceeded();
  }
}

bool SegmentStore::ScanIfChanged() {
  if (!MayScan()) return false;
  const auto status = files()->Stat(options_.directory);
  if (!status.ok() && !IsMissing(status.status())) {
    NoteScan(status.status());
    return false;
  }
  const int64_t modified = status.ok() ? status->modified : 0;
  const int64_t retry_at = retry_at_.load();
  // A change in the same tick of the clock would not be seen. A stamp in the future (a clock was set back) is not that
  // of a change that is still to come.
  const bool is_certain =
      modified == scanned_modified_.load() && std::abs(scanned_at_.load() - modified) >= kStampGrain;
  if (is_certain && (retry_at == 0 || NanosecondsNow() < retry_at)) {
    if (scan_failed_.load()) NoteScan(arrow::Status::OK());
    return false;
  }
  std::unique_lock lock(scan_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  NoteScan(ScanLocked());
  return true;
}

arrow::Status SegmentStore::Scan() {
  std::lock_guard lock(scan_mutex_);
  arrow::Status scanned = ScanLocked();
  NoteScan(scanned);
  return scanned;
}

arrow::Status SegmentStore::ScanLocked() {
  ++activity_.scans;
  // Before the listing: what is sealed during it must not look removed, nor change the directory unnoticed.
  const std::vector<std::shared_ptr<Segment>> known = index_.Segments();
  const int64_t now = NanosecondsNow();
  const auto status = files()->Stat(options_.directory);
  arrow::Result<std::vector<std::string>> listed = files()->List(options_.directory);
  if (!listed.ok()) {
    if (!IsMissing(listed.status())) return listed.status();
    listed = std::vector<std::string>();
  }
  std::sort(listed->begin(), listed->end());
  const auto is_listed = [&](const std::string& name) {
    return std::binary_search(listed->begin(), listed->end(), name);
  };
  {
    std::lock_guard lock(rejected_mutex_);
    // What could not be read the last time is tried again.
    std::erase_if(rejected_,
                  [&](const auto& rejected) { return rejected.second.try_again || !is_listed(rejected.first); });
  }
  // New ones first: an entry that was merged into another segment is found all the time.
  const bool all_opened = OpenNew(*listed);
  for (const auto& segment : known) {
    if (!is_listed(segment->name())) Drop(segment);
  }
  retry_at_ = all_opened ? 0 : now + kRetryAfter;
  scanned_modified_ = status.ok() ? status->modified : 0;
  scanned_at_ = now;
  return arrow::Status::OK();
}

bool SegmentStore::OpenNew(const std::vector<std::string>& names) {
  std::vector<std::string> fresh;
  for (const std::string& name : names) {
    if (!ParseSegmentFileName(name) || index_.HasSegment(name)) continue;
    std::lock_guard lock(rejected_mutex_);
    if (!rejected_.contains(name)) fresh.push_back(name);
  }
  std::vector<arrow::Result<std::shared_ptr<Segment>>> opened(fresh.size(), std::shared_ptr<Segment>());
  RunSideBySide(options_.io_executor, fresh.size(), [&](size_t i) {
    opened[i] = Segment::Open(options_.file_system, options_.directory, fresh[i], mappings_);
  });
  bool all_opened = true;
  for (size_t i = 0; i < fresh.size(); ++i) all_opened &= Open(fresh[i], std::move(opened[i]));
  return all_opened;
}

bool SegmentStore::Open(const std::string& name, arrow::Result<std::shared_ptr<Segment>> opened) {
  if (opened.ok()) {
    index_.Add(*opened);
    return true;
  }
  const arrow::Status& status = opened.status();
  if (IsMissing(status)) return true;
  // Another user's file, a sector that is gone, no memory: the other segments may be well.
  const bool may_be_well = status.IsIOError() || status.IsOutOfMemory();
  if (may_be_well) {
    health_.Note(FaultOf(status), MessageWithReason(status));
  } else {
    ++activity_.segments_rejected;
  }
  const auto found = files()->Stat(options_.directory + "/" + name);
  std::lock_guard lock(rejected_mutex_);
  rejected_[name] = {.allocated_bytes = found.ok() ? found->allocated_bytes : 0,
                     .is_rubbish = !may_be_well && !status.IsNotImplemented(),
                     .try_again = may_be_well};
  return !may_be_well;
}

void SegmentStore::Drop(const std::shared_ptr<Segment>& segment) {
  index_.Remove(segment);
  segment->MarkRemoved();
}

arrow::Result<std::shared_ptr<Segment>> SegmentStore::Write(std::span<const EntryToWrite> entries) {
  // Whoever holds the lock may hang, or all may be in use: what cannot be evicted must not be added to for ever.
  if (AllocatedBytes() > options_.capacity_bytes + options_.capacity_bytes / 2 + 2 * options_.segment_bytes) {
    return arrow::Status::Cancelled("the directory is far larger than its capacity");
  }
  if (!health_.MayWrite()) return arrow::Status::Cancelled("writing is suspended after a failure");
  auto footer = PublishSegment(files(), options_.directory, entries, options_.large_entry_bytes);
  if (!footer.ok()) {
    health_.WriteFailed(FaultOf(footer.status()), MessageWithReason(footer.status()));
    return footer.status();
  }
  health_.WriteSucceeded();
  const auto status = files()->Stat(options_.directory + "/" + SegmentFileName(footer->id));
  // Removed already: then the next scan says so.
  if (!status.ok()) return status.status();
  ++activity_.segments_written;
  activity_.bytes_written += status->bytes;
  auto segment =
      std::make_shared<Segment>(options_.file_system, options_.directory, *std::move(footer), *status, mappings_);
  // A scan may have been first.
  index_.Add(segment);
  return segment;
}

bool SegmentStore::Unlink(const std::shared_ptr<Segment>& segment) {
  internal::CrashPoint("before-unlink");
  const arrow::Status unlinked = files()->Unlink(segment->path());
  internal::CrashPoint("after-unlink");
  if (!unlinked.ok() && !IsMissing(unlinked)) {
    health_.WriteFailed(FaultOf(unlinked), MessageWithReason(unlinked));
    return false;
  }
  ++activity_.segments_removed;
  Drop(segment);
  return true;
}

EntryPlace SegmentStore::FindMoved(const KeyDigest& key, const EntryPlace& gone) {
  index_.Forget(key, gone);
  if (EntryPlace place = index_.Find(key)) return place;
  std::lock_guard lock(scan_mutex_);
  // The scan that drops a segment has found what took its place; those who missed others of its entries waited for it.
  if (index_.HasSegment(gone.segment->name()) && MayScan()) NoteScan(ScanLocked());
  return index_.Find(key);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> SegmentStore::Read(const EntryPlace& place, bool copy, bool* mapped) {
  const bool was_touched = !copy && place.segment->IsTouched(place.entry);
  if (!was_touched && !health_.MayRead()) return arrow::Status::Cancelled("reading is suspended after failures");
  auto bytes = place.segment->Bytes(place.entry, copy, mapped);
  if (bytes.ok()) {
    if (!was_touched) health_.ReadSucceeded();
  } else if (bytes.status().IsIOError() && !IsMissing(bytes.status())) {
    health_.ReadFailed(FaultOf(bytes.status()), MessageWithReason(bytes.status()));
  } else {
    // The disk did answer.
    health_.ReadSucceeded();
  }
  return bytes;
}

void SegmentStore::RemoveRubbish() {
  std::vector<std::string> names;
  {
    std::lock_guard lock(rejected_mutex_);
    for (const auto& [name, rejected] : rejected_) {
      if (rejected.is_rubbish) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    // Once more, lest a read that went wrong once costs a good segment.
    const auto opened = Segment::Open(options_.file_system, options_.directory, name, mappings_);
    if (opened.ok()) {
      index_.Add(*opened);
    } else if (!opened.status().IsInvalid() || !files()->Unlink(options_.directory + "/" + name).ok()) {
      continue;
    }
    std::lock_guard lock(rejected_mutex_);
    rejected_.erase(name);
  }
  if (const auto listed = files()->List(options_.directory); listed.ok()) {
    RemoveAbandonedFiles(files(), options_.directory, *listed);
  }
}

std::unique_ptr<FileLock> SegmentStore::TryLock() {
  auto lock = files()->TryLock(options_.directory + "/" + std::string(kLockName));
  if (lock.ok()) return *std::move(lock);
  // Who can remove nothing should not write, either: the capacity could not be kept.
  if (!IsMissing(lock.status())) health_.WriteFailed(FaultOf(lock.status()), MessageWithReason(lock.status()));
  return nullptr;
}

int64_t SegmentStore::AllocatedBytes() const {
  int64_t bytes = index_.totals().allocated_bytes;
  std::lock_guard lock(rejected_mutex_);
  for (const auto& [name, rejected] : rejected_) bytes += rejected.allocated_bytes;
  return bytes;
}

}  // namespace fewter::disk
