#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/buffer.h>

#include "fewter/cache/disk/collapser.h"
#include "fewter/cache/disk/maintenance.h"
#include "fewter/cache/disk/pending_entries.h"
#include "fewter/cache/disk/segment_store.h"
#include "fewter/cache/stats.h"

/// Writes pending entries in the background, keeps the directory tidy, and has what is in use lie in huge pages.

namespace fewter::disk {

/// One task at a time, on the executor, takes all that is pending, writes it as segments and looks whether more has
/// come meanwhile: under load, many entries share one segment and one sync. There is no thread of its own.
///
/// Drain does the same work on the caller's thread if no task has begun it. So it waits only for a task that is
/// running, and may be called on the executor itself.
///
/// Always held by a shared_ptr, which tasks hold, too; after Close a task that comes late does nothing.
class Sealer : public std::enable_shared_from_this<Sealer> {
 public:
  /// `counters` are used until Close returns.
  Sealer(const DiskBackendOptions& options, CacheCounters* counters);

  /// Reads what the directory holds, which PrepareDirectory has found to be a cache.
  void Start();

  PendingEntries& pending() { return pending_; }
  const PendingEntries& pending() const { return pending_; }
  SegmentStore& store() { return store_; }
  const SegmentStore& store() const { return store_; }

  /// Has pending entries sealed soon.
  void Schedule();
  /// Has the heat file written soon if it is time.
  void ScheduleHeat();
  /// Has a segment that says so lie in huge pages soon; see Segment::ClaimCollapse.
  void ScheduleCollapse(const std::shared_ptr<Segment>& segment);
  /// Returns when what was pending is sealed or given up, the heat is written, and what was in the way of fast searches
  /// is done, unless more comes meanwhile.
  void Drain();
  /// Drain for the last time, but for what would only make searches faster.
  void Close();
  void Invalidate(const CacheNamespace& name_space);

 private:
  struct Group {
    std::vector<PendingEntries::Pointer> entries;
    std::vector<std::shared_ptr<arrow::Buffer>> bytes;
    int64_t size = 0;
  };

  /// The task: seals and tidies until nothing is pending, unless somebody else does.
  void Run();
  /// Takes, seals and tidies once, and uses the time until more is pending. Requires is_running_, set by the caller,
  /// who lets go of it after the last round.
  void RunRound();
  bool HasWork() const;
  /// Ends the run if nothing is left to be done.
  bool EndIfIdle();
  void SealPending();
  /// The entry's bytes, or null if there are none to be written.
  std::shared_ptr<arrow::Buffer> Encode(const PendingEntry& pending);
  void Seal(const Group& group);
  void WriteGroup(const Group& group);

  CacheCounters* const counters_;
  SegmentStore store_;
  PendingEntries pending_;
  /// Used by the run.
  Collapser collapser_;

  /// Held by who writes to the directory or removes from it; taken before any other lock.
  std::mutex writer_mutex_;
  Maintenance maintenance_;

  std::mutex mutex_;
  /// A round has ended.
  std::condition_variable changed_;
  bool is_running_ = false;
  uint64_t rounds_ = 0;
  bool is_scheduled_ = false;
  bool is_closed_ = false;
  /// Before it is closed: hurry.
  std::atomic<bool> is_closing_{false};
};

}  // namespace fewter::disk
