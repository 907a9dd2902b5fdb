#include "fewter/cache/disk/maintenance.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "fewter/cache/disk/crash_point.h"
#include "fewter/cache/disk/heat.h"
#include "fewter/util/status_text.h"

namespace fewter::disk {
namespace {

constexpr int64_t kSmallSegmentBytes = 4 << 20;
constexpr size_t kToleratedSmallSegments = 16;
constexpr std::chrono::seconds kHeatInterval{60};
/// How long an invalidation waits for who holds the lock.
constexpr std::chrono::seconds kLockPatience{1};

uint32_t ToCount(float uses) {
  return static_cast<uint32_t>(std::clamp(uses, 0.0F, 1e9F));
}

std::string_view AsText(const arrow::Buffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

}  // namespace

int64_t Maintenance::small_bytes() const {
  // An entry that has a segment of its own is not merged.
  return std::min(kSmallSegmentBytes, store_.options().large_entry_bytes);
}

Maintenance::Candidates Maintenance::Gather() const {
  Candidates found;
  const uint32_t now = SecondsNow();
  // Unlinking what somebody uses frees nothing; beyond this much of it, it is better kept where it can be found.
  int64_t may_be_pinned = store_.options().max_pinned_bytes - store_.mappings().pinned_bytes.load();
  for (auto& segment : store_.index().Segments()) {
    const bool in_use = segment->InUse();
    const bool may_go = !in_use || segment->allocated_bytes() <= may_be_pinned;
    if (in_use && may_go) may_be_pinned -= segment->allocated_bytes();
    for (size_t i = 0; i < segment->size(); ++i) {
      if (!store_.index().IsLive(*segment, i)) continue;
      const Heat heat = segment->HeatOf(i);
      found.entries.push_back({.segment = segment, .entry = i});
      found.plan_entries.push_back({.segment = found.segments.size(),
                                    .bytes = static_cast<int64_t>(segment->record(i).length),
                                    .heat = heat.At(now),
                                    .last_use = heat.last_use});
    }
    found.plan_segments.push_back({.bytes = segment->allocated_bytes(), .may_go = may_go});
    found.segments.push_back(std::move(segment));
  }
  return found;
}

bool Maintenance::HasTooManySmall() const {
  const auto segments = store_.index().Segments();
  return std::count_if(segments.begin(), segments.end(), [&](const auto& segment) {
           return segment->allocated_bytes() < small_bytes();
         }) > static_cast<int64_t>(kToleratedSmallSegments);
}

void Maintenance::Tidy() {
  const bool is_full = store_.AllocatedBytes() > store_.options().capacity_bytes;
  if (!is_full && !HasTooManySmall() && unfinished_.empty()) {
    if (HeatIsDue()) WriteHeat();
    return;
  }
  {
    const auto lock = store_.TryLock();
    if (lock == nullptr || !store_.Scan().ok()) return;
    FinishInvalidationsLocked();
    Evict();
    Merge();
  }
  if (HeatIsDue()) WriteHeat();
}

void Maintenance::Evict() {
  if (store_.AllocatedBytes() <= store_.options().capacity_bytes) return;
  store_.RemoveRubbish();
  ReadHeat();
  const Candidates candidates = Gather();
  const int64_t others = store_.AllocatedBytes() - store_.index().totals().allocated_bytes;
  const EvictionPlan plan = PlanEviction(candidates.plan_segments, candidates.plan_entries,
                                         std::max<int64_t>(store_.options().capacity_bytes - others, 0));
  Replace(candidates, plan, OnFailure::kRemoveIfFull);
}

void Maintenance::Merge() {
  const Candidates candidates = Gather();
  const EvictionPlan plan =
      PlanMerge(candidates.plan_segments, candidates.plan_entries, small_bytes(), kToleratedSmallSegments);
  Replace(candidates, plan, OnFailure::kKeep);
}

void Maintenance::Replace(const Candidates& candidates, const EvictionPlan& plan, OnFailure on_failure) {
  std::vector<EntryPlace> survivors;
  survivors.reserve(plan.survivors.size());
  for (const size_t entry : plan.survivors) survivors.push_back(candidates.entries[entry]);
  std::vector<Segment*> stuck;
  const arrow::Status written = Rewrite(survivors, &stuck);
  if (on_failure == OnFailure::kRemove ||
      (on_failure == OnFailure::kRemoveIfFull && !written.ok() && FaultOf(written) == TierFault::kNoSpace)) {
    stuck.clear();
  }
  for (const size_t place : plan.segments) {
    const std::shared_ptr<Segment>& segment = candidates.segments[place];
    if (std::find(stuck.begin(), stuck.end(), segment.get()) != stuck.end()) continue;
    uint64_t lost = 0;
    for (size_t i = 0; i < segment->size(); ++i) lost += store_.index().IsLive(*segment, i) ? 1 : 0;
    if (store_.Unlink(segment)) counters_.Evictions(lost);
  }
}

arrow::Status Maintenance::Rewrite(const std::vector<EntryPlace>& survivors, std::vector<Segment*>* stuck) {
  arrow::Status first_error;
  std::vector<EntryPlace> group;
  std::vector<EntryToWrite> entries;
  std::vector<std::shared_ptr<arrow::Buffer>> kept;
  int64_t bytes = 0;
  const auto write = [&] {
    if (!group.empty()) {
      const arrow::Status written = RewriteGroup(group, entries);
      if (!written.ok()) {
        for (const EntryPlace& place : group) stuck->push_back(place.segment.get());
      }
      first_error &= written;
    }
    group.clear();
    entries.clear();
    kept.clear();
    bytes = 0;
  };
  for (const EntryPlace& place : survivors) {
    bool mapped;
    auto read = store_.Read(place, store_.options().copy, &mapped);
    // What cannot be read does not survive, unless it may be readable later.
    if (!read.ok()) {
      if (!read.status().IsInvalid()) stuck->push_back(place.segment.get());
      continue;
    }
    if (bytes > 0 && bytes + (*read)->size() > store_.options().segment_bytes) write();
    const SegmentRecord& record = place.segment->record(place.entry);
    const Heat heat = place.segment->HeatOf(place.entry);
    entries.push_back({.digest = record.digest,
                       .name_space = place.segment->NameSpaceOf(place.entry),
                       .type_id = place.segment->footer().type_ids[record.type_id],
                       .bytes = AsText(**read),
                       .uses = ToCount(heat.uses),
                       .last_use = heat.last_use});
    bytes += (*read)->size();
    kept.push_back(*std::move(read));
    group.push_back(place);
  }
  write();
  return first_error;
}

arrow::Status Maintenance::RewriteGroup(const std::vector<EntryPlace>& group,
                                        const std::vector<EntryToWrite>& entries) {
  ARROW_ASSIGN_OR_RAISE(const auto segment, store_.Write(entries));
  for (size_t i = 0; i < group.size(); ++i) segment->CopyHeat(i, *group[i].segment, group[i].entry);
  return arrow::Status::OK();
}

void Maintenance::Invalidate(const std::string& name_space) {
  store_.index().ForgetWithin(name_space);
  const auto give_up = std::chrono::steady_clock::now() + kLockPatience;
  auto lock = store_.TryLock();
  while (lock == nullptr && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    lock = store_.TryLock();
  }
  if (lock == nullptr || !store_.Scan().ok()) {
    unfinished_.push_back(name_space);
    store_.activity().invalidations_pending = unfinished_.size();
    return;
  }
  InvalidateLocked(name_space);
}

void Maintenance::FinishInvalidations() {
  if (unfinished_.empty()) return;
  const auto lock = store_.TryLock();
  if (lock != nullptr && store_.Scan().ok()) FinishInvalidationsLocked();
}

void Maintenance::FinishInvalidationsLocked() {
  for (const std::string& name_space : std::exchange(unfinished_, {})) InvalidateLocked(name_space);
  store_.activity().invalidations_pending = 0;
}

void Maintenance::InvalidateLocked(const std::string& name_space) {
  store_.index().ForgetWithin(name_space);
  store_.RemoveRubbish();
  const Candidates candidates = Gather();
  const auto is_within = [&](const std::string& other) { return other.starts_with(name_space); };
  EvictionPlan plan;
  std::vector<bool> goes(candidates.segments.size());
  for (size_t i = 0; i < goes.size(); ++i) {
    const std::vector<std::string>& held = candidates.segments[i]->footer().name_spaces;
    goes[i] = std::any_of(held.begin(), held.end(), is_within);
    if (goes[i]) plan.segments.push_back(i);
  }
  // What is still live in them is what is to stay.
  for (size_t i = 0; i < candidates.entries.size(); ++i) {
    if (goes[candidates.plan_entries[i].segment]) plan.survivors.push_back(i);
  }
  Replace(candidates, plan, OnFailure::kRemove);
}

HeatTable Maintenance::LoadHeatTable() {
  const std::string path = store_.options().directory + "/" + std::string(kHeatName);
  const auto status = store_.files()->Stat(path);
  // Larger than any that was written: damage.
  constexpr uint64_t kLargestHeat = 256 << 20;
  if (!status.ok() || status->bytes > kLargestHeat) return {};
  const auto bytes = store_.files()->Read(path, 0, status->bytes);
  if (!bytes.ok()) return {};
  auto table = DecodeHeat(AsText(**bytes));
  if (table.ok()) return *std::move(table);
  ++store_.activity().heat_files_rejected;
  return {};
}

void Maintenance::ReadHeat() {
  const HeatTable table = LoadHeatTable();
  for (const auto& segment : store_.index().Segments()) {
    for (size_t i = 0; i < segment->size(); ++i) {
      const auto found = table.find(segment->record(i).digest);
      if (found != table.end()) segment->SetHeat(i, found->second);
    }
  }
}

bool Maintenance::HeatIsDue() const {
  return std::chrono::steady_clock::now() - heat_written_.load() >= kHeatInterval;
}

std::vector<Maintenance::News> Maintenance::GatherHeat(HeatTable* table) {
  std::vector<News> news;
  const HeatTable on_disk = LoadHeatTable();
  for (const auto& segment : store_.index().Segments()) {
    for (size_t i = 0; i < segment->size(); ++i) {
      if (!store_.index().IsLive(*segment, i)) continue;
      const KeyDigest& key = segment->record(i).digest;
      const auto known = on_disk.find(key);
      if (known != on_disk.end()) segment->SetHeat(i, known->second);
      uint32_t new_uses;
      const Heat heat = segment->HeatOf(i, &new_uses);
      if (new_uses > 0 || known == on_disk.end()) news.push_back({{.segment = segment, .entry = i}, heat, new_uses});
      (*table)[key] = heat;
    }
  }
  return news;
}

void Maintenance::WriteHeat() {
  heat_written_ = std::chrono::steady_clock::now();
  const auto lock = store_.TryLock();
  if (lock == nullptr || !store_.Scan().ok()) return;
  HeatTable table;
  const std::vector<News> news = GatherHeat(&table);
  if (news.empty() || !store_.health().MayWrite()) return;
  const std::string bytes = EncodeHeat(table);
  const std::string_view piece = bytes;
  const arrow::Status written =
      PublishFile(store_.files(), store_.options().directory, std::string(kHeatName), {&piece, 1});
  if (!written.ok()) return store_.health().WriteFailed(FaultOf(written), MessageWithReason(written));
  store_.health().WriteSucceeded();
  for (const News& told : news) told.place.segment->Settle(told.place.entry, told.heat, told.new_uses);
  internal::CrashPoint("heat-written");
}

}  // namespace fewter::disk
