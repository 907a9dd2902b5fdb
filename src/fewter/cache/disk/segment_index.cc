#include "fewter/cache/disk/segment_index.h"

#include <utility>

#include "fewter/cache/disk/directory.h"

namespace fewter::disk {

EntryPlace SegmentIndex::Find(const KeyDigest& key) const {
  std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return {};
  return {.segment = found->second.segment->shared_from_this(), .entry = found->second.entry};
}

bool SegmentIndex::Contains(const KeyDigest& key) const {
  std::lock_guard lock(mutex_);
  return places_.contains(key);
}

bool SegmentIndex::Add(const std::shared_ptr<Segment>& segment) {
  NoteSegmentId(segment->footer().id);
  std::lock_guard lock(mutex_);
  if (!segments_.try_emplace(segment->name(), segment).second) return false;
  allocated_bytes_ += segment->allocated_bytes();
  for (size_t i = 0; i < segment->size(); ++i) {
    const Place place{.segment = segment.get(), .entry = static_cast<uint32_t>(i)};
    const auto [there, is_new] = places_.try_emplace(segment->record(i).digest, place);
    if (!is_new && there->second.segment->footer().id <= segment->footer().id) there->second = place;
  }
  return true;
}

void SegmentIndex::Remove(const std::shared_ptr<Segment>& segment) {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(segment->name());
  if (found == segments_.end() || found->second != segment) return;
  segments_.erase(found);
  allocated_bytes_ -= segment->allocated_bytes();
  for (const SegmentRecord& record : segment->footer().records) {
    const auto place = places_.find(record.digest);
    if (place != places_.end() && place->second.segment == segment.get()) places_.erase(place);
  }
}

void SegmentIndex::Forget(const KeyDigest& key, const EntryPlace& place) {
  std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return;
  if (found->second.segment == place.segment.get() && found->second.entry == place.entry) places_.erase(found);
}

void SegmentIndex::ForgetWithin(std::string_view name_space) {
  std::lock_guard lock(mutex_);
  std::erase_if(places_, [&](const auto& place) {
    return place.second.segment->NameSpaceOf(place.second.entry).starts_with(name_space);
  });
}

bool SegmentIndex::IsLive(const Segment& segment, size_t entry) const {
  std::lock_guard lock(mutex_);
  const auto found = places_.find(segment.record(entry).digest);
  return found != places_.end() && found->second.segment == &segment && found->second.entry == entry;
}

std::vector<std::shared_ptr<Segment>> SegmentIndex::Segments() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Segment>> segments;
  segments.reserve(segments_.size());
  for (const auto& [name, segment] : segments_) segments.push_back(segment);
  return segments;
}

bool SegmentIndex::HasSegment(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return segments_.contains(name);
}

SegmentIndex::Totals SegmentIndex::totals() const {
  std::lock_guard lock(mutex_);
  return {.entries = places_.size(), .allocated_bytes = allocated_bytes_, .segments = segments_.size()};
}

}  // namespace fewter::disk
