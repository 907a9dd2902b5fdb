#include "fewter/cache/disk/disk_backend.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <new>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>

#include "fewter/cache/disk/file_system.h"
#include "fewter/cache/disk/sealer.h"
#include "fewter/cache/envelope.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/side_by_side.h"

namespace fewter {
namespace {

using disk::EntryPlace;

std::atomic<uint64_t> forks{0};

/// Changes in a forked child. Cheaper to ask than getpid, which is a system call.
uint64_t ForkCount() {
  static const bool counts = ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); }) == 0;
  (void)counts;
  return forks.load(std::memory_order_relaxed);
}

/// True if an entry with this verdict should be written afresh. One of a newer version, or of another type under the
/// same key, is left for those who can read it: replacing it would start a contest.
bool IsWorthReplacing(EnvelopeVerdict verdict) {
  return verdict != EnvelopeVerdict::kTooNew && verdict != EnvelopeVerdict::kOtherType;
}

class DiskBackend final : public CacheBackend {
 public:
  explicit DiskBackend(const DiskBackendOptions& options)
      : options_(options), sealer_(std::make_shared<disk::Sealer>(options, &counters())) {}

  ~DiskBackend() override {
    if (!IsForked()) {
      sealer_->Close();
      return;
    }
    // In a child, destroying what the parent's threads were using when it forked could wait for them: left alone.
    static auto* const leaked = new (std::nothrow) std::vector<std::shared_ptr<disk::Sealer>>();
    if (leaked != nullptr) leaked->push_back(std::move(sealer_));
  }

  void Start() { sealer_->Start(); }

  std::string_view kind() const override { return "disk"; }

  bool is_outside() const override { return true; }

  std::string_view Locate(const EncodedKey& key) const override {
    if (IsForked()) return {};
    const bool is_here = sealer_->pending().Find(key.digest()) != nullptr || store().index().Contains(key.digest());
    return is_here ? kind() : std::string_view();
  }

  void Flush() override {
    if (!IsForked()) sealer_->Drain();
  }

  std::vector<EntryUse> Uses() const override;
  void NoteUses(std::span<const EntryUse> uses) override;
  DiskActivity Activity() const;

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    if (IsForked() || !codec) return {};
    if (CacheEntry pending = FindPending(key)) return pending;
    EntryPlace place = store().index().Find(key.digest());
    if (!place && LooksAgain()) place = store().index().Find(key.digest());
    return place ? Open(place, key, codec, type) : CacheEntry();
  }

  void LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                  std::span<CacheEntry> found) override;

  CacheEntry LookupAgain(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    // What has just landed is in memory: no need to look at the directory.
    if (IsForked() || !codec) return {};
    if (CacheEntry pending = FindPending(key)) return pending;
    const EntryPlace place = store().index().Find(key.digest());
    return place ? Open(place, key, codec, type) : CacheEntry();
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    if (IsForked() || !codec || store().index().Contains(key.digest())) return;
    const auto pending = std::make_shared<disk::PendingEntry>(key, codec, std::move(entry));
    if (pending->charge > options_.capacity_bytes || !sealer_->pending().Add(pending)) {
      ++store().activity().entries_declined;
      return;
    }
    counters().Insertion();
    sealer_->Schedule();
  }

  void Invalidate(const CacheNamespace& name_space) override {
    if (!IsForked()) sealer_->Invalidate(name_space);
  }

  Contents Held() const override {
    if (IsForked()) return {};
    const disk::SegmentIndex::Totals totals = store().index().totals();
    return {.entries = totals.entries + sealer_->pending().size(),
            .bytes = totals.allocated_bytes,
            .mapped_bytes = store().mappings().mapped_bytes,
            .pinned_bytes = store().mappings().pinned_bytes};
  }

  HealthReport Health() const override { return IsForked() ? HealthReport() : store().health().Report(); }

 private:
  bool IsForked() const { return ForkCount() != opened_at_; }
  disk::SegmentStore& store() { return sealer_->store(); }
  const disk::SegmentStore& store() const { return sealer_->store(); }

  /// After a miss: whether other processes may have sealed what was missed.
  bool LooksAgain() { return store().ScanIfChanged(); }

  CacheEntry FindPending(const EncodedKey& key) const {
    const auto pending = sealer_->pending().Find(key.digest());
    if (pending == nullptr) return {};
    pending->uses.fetch_add(1, std::memory_order_relaxed);
    return pending->entry;
  }

  /// The entry that lies there, or where it has been moved meanwhile, or an empty one.
  CacheEntry Open(EntryPlace place, const EncodedKey& key, const CacheCodec& codec, const std::type_info& type);
  /// Why an entry could not be read, and what follows from it.
  CacheEntry RefuseUnread(const EntryPlace& place, const EncodedKey& key, const arrow::Status& status);
  CacheEntry Refuse(const EntryPlace& place, const EncodedKey& key, EnvelopeVerdict verdict);

  const DiskBackendOptions options_;
  const uint64_t opened_at_ = ForkCount();
  std::shared_ptr<disk::Sealer> sealer_;
};

CacheEntry DiskBackend::Open(EntryPlace place, const EncodedKey& key, const CacheCodec& codec,
                             const std::type_info& type) {
  const bool copy = options_.copy || store().mappings().pinned_bytes.load() > options_.max_pinned_bytes;
  bool mapped;
  auto bytes = store().Read(place, copy, &mapped);
  while (disk::IsMissing(bytes.status())) {
    place = store().FindMoved(key.digest(), place);
    if (!place) return {};
    bytes = store().Read(place, copy, &mapped);
  }
  if (!bytes.ok()) return RefuseUnread(place, key, bytes.status());
  DecodedEntry decoded = DecodeEntry(key, codec, *bytes, VerifyBody::kNo);
  if (!decoded.hit()) return Refuse(place, key, decoded.verdict);
  place.segment->Use(place.entry, 1, disk::SecondsNow());
  if (mapped && place.segment->ClaimCollapse()) sealer_->ScheduleCollapse(place.segment);
  if (!mapped) ++store().activity().entries_copied;
  const int64_t length = (*bytes)->size();
  return {.value = std::move(decoded.value),
          .type = &type,
          .bytes = kMappedValueBytes + (mapped ? 0 : length),
          .mapped_bytes = mapped ? length : 0,
          .encoded = *bytes};
}

CacheEntry DiskBackend::RefuseUnread(const EntryPlace& place, const EncodedKey& key, const arrow::Status& status) {
  if (status.IsInvalid()) return Refuse(place, key, EnvelopeVerdict::kCorrupt);
  // A disk that cannot read this entry may keep another copy elsewhere; a want of memory or descriptors passes.
  const bool is_lost = disk::HasErrno(status, EIO) || disk::HasErrno(status, EFAULT);
  if (is_lost) store().index().Forget(key.digest(), place);
  return {};
}

CacheEntry DiskBackend::Refuse(const EntryPlace& place, const EncodedKey& key, EnvelopeVerdict verdict) {
  counters().Rejected(verdict);
  if (IsWorthReplacing(verdict)) store().index().Forget(key.digest(), place);
  return {};
}

void DiskBackend::LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                             std::span<CacheEntry> found) {
  std::fill(found.begin(), found.end(), CacheEntry());
  if (IsForked() || !codec) return;
  std::vector<EntryPlace> places(keys.size());
  const auto look = [&] {
    bool all_found = true;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (found[i] || places[i]) continue;
      found[i] = FindPending(keys[i]);
      if (found[i]) continue;
      places[i] = store().index().Find(keys[i].digest());
      all_found = all_found && places[i];
    }
    return all_found;
  };
  if (!look() && LooksAgain()) look();
  std::vector<size_t> untouched;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!places[i] || found[i]) continue;
    if (options_.copy || !places[i].segment->IsTouched(places[i].entry)) {
      untouched.push_back(i);
    } else {
      found[i] = Open(places[i], keys[i], codec, type);
    }
  }
  RunSideBySide(options_.io_executor, untouched.size(), [&](size_t piece) {
    const size_t i = untouched[piece];
    found[i] = Open(places[i], keys[i], codec, type);
  });
}

std::vector<EntryUse> DiskBackend::Uses() const {
  if (IsForked()) return {};
  struct Warm {
    KeyDigest key;
    float heat;
    uint32_t last_use;
  };
  std::vector<Warm> warm;
  const uint32_t now = disk::SecondsNow();
  for (const auto& segment : store().index().Segments()) {
    for (size_t i = 0; i < segment->size(); ++i) {
      if (!store().index().IsLive(*segment, i)) continue;
      const disk::Heat heat = segment->HeatOf(i);
      warm.push_back({.key = segment->record(i).digest, .heat = heat.At(now), .last_use = heat.last_use});
    }
  }
  std::stable_sort(warm.begin(), warm.end(), [](const Warm& a, const Warm& b) {
    return std::tie(a.heat, a.last_use) > std::tie(b.heat, b.last_use);
  });
  std::vector<EntryUse> uses;
  uses.reserve(warm.size());
  for (const Warm& entry : warm) {
    uses.push_back({.key = entry.key, .uses = static_cast<uint32_t>(std::lround(std::min(entry.heat, 1e9F)))});
  }
  return uses;
}

void DiskBackend::NoteUses(std::span<const EntryUse> uses) {
  if (IsForked()) return;
  const uint32_t now = disk::SecondsNow();
  for (const EntryUse& use : uses) {
    if (const EntryPlace place = store().index().Find(use.key)) {
      place.segment->Use(place.entry, use.uses, now);
    } else if (const auto pending = sealer_->pending().Find(use.key)) {
      pending->uses.fetch_add(use.uses, std::memory_order_relaxed);
    }
  }
  sealer_->ScheduleHeat();
}

DiskActivity DiskBackend::Activity() const {
  if (IsForked()) return {};
  const disk::ActivityCounters& counts = store().activity();
  return {.segments_written = counts.segments_written,
          .bytes_written = counts.bytes_written,
          .segments_removed = counts.segments_removed,
          .entries_dropped = counts.entries_dropped,
          .entries_declined = counts.entries_declined,
          .entries_copied = counts.entries_copied,
          .segments_rejected = counts.segments_rejected,
          .heat_files_rejected = counts.heat_files_rejected,
          .invalidations_pending = counts.invalidations_pending,
          .scans = counts.scans,
          .segments = store().index().totals().segments};
}

}  // namespace

arrow::Result<std::shared_ptr<CacheBackend>> MakeDiskBackend(DiskBackendOptions options) {
  while (options.directory.size() > 1 && options.directory.ends_with('/')) options.directory.pop_back();
  if (options.directory.empty()) return ArgumentError("disk cache: no directory is given");
  if (options.capacity_bytes <= 0 || options.segment_bytes <= 0 || options.large_entry_bytes <= 0 ||
      options.max_pending_bytes < 0 || options.max_pinned_bytes < 0) {
    return ArgumentError("disk cache '", options.directory, "': a size is zero or negative");
  }
  // So that a segment of small entries is at least half full, and merging comes to an end.
  options.large_entry_bytes = std::min(options.large_entry_bytes, std::max<int64_t>(options.segment_bytes / 2, 1));
  if (options.io_executor == nullptr) options.io_executor = arrow::io::default_io_context().executor();
  if (options.file_system == nullptr) options.file_system = disk::LocalFileSystem();
  ARROW_RETURN_NOT_OK(disk::PrepareDirectory(options.file_system.get(), options.directory));
  auto backend = std::make_shared<DiskBackend>(options);
  backend->Start();
  return backend;
}

DiskActivity DiskActivityOf(const CacheBackend& backend) {
  const auto* const disk_backend = dynamic_cast<const DiskBackend*>(&backend);
  return disk_backend == nullptr ? DiskActivity() : disk_backend->Activity();
}

}  // namespace fewter
