#include "fewter/cache/disk/eviction.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace fewter::disk {
namespace {

std::vector<size_t> UpTo(size_t count) {
  std::vector<size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

/// The heat that it keeps for each of its bytes.
float WorthOf(const EvictionEntry& entry) {
  return entry.heat / static_cast<float>(std::max<int64_t>(entry.bytes, 1));
}

/// In the order in which entries are to be kept: a tenth of the room for those used last, then the hottest for their
/// size. Among equals the later ones, which are in newer segments, come first.
std::vector<size_t> InOrderOfWorth(const std::vector<EvictionEntry>& entries, int64_t room) {
  std::vector<size_t> order = UpTo(entries.size());
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(entries[a].last_use, a) > std::tuple(entries[b].last_use, b);
  });
  int64_t newest_bytes = 0;
  const auto hottest = std::find_if(order.begin(), order.end(), [&](size_t entry) {
    newest_bytes += entries[entry].bytes;
    return newest_bytes > room / 10;
  });
  std::stable_sort(hottest, order.end(), [&](size_t a, size_t b) { return WorthOf(entries[a]) > WorthOf(entries[b]); });
  return order;
}

/// What is worth keeping, and how much of each segment that is.
struct Choice {
  std::vector<bool> stays;
  std::vector<int64_t> surviving_bytes;
};

/// Keeps what comes first in `order` within `room` bytes. What lies in a segment that may not go needs no room.
Choice ChooseFirst(const std::vector<EvictionSegment>& segments, const std::vector<EvictionEntry>& entries,
                   const std::vector<size_t>& order, int64_t room) {
  Choice choice{.stays = std::vector<bool>(entries.size()), .surviving_bytes = std::vector<int64_t>(segments.size())};
  for (const size_t i : order) {
    const EvictionEntry& entry = entries[i];
    const int64_t charge = segments[entry.segment].may_go ? entry.bytes : 0;
    if (charge > room) continue;
    room -= charge;
    choice.stays[i] = true;
    choice.surviving_bytes[entry.segment] += entry.bytes;
  }
  return choice;
}

/// Lets go of the last in `order` of those entries of the given segments of which more than half would be written
/// again: copying most of a segment to free a little of it would write the whole directory at each eviction.
void KeepHalfOf(const std::vector<bool>& goes, const std::vector<EvictionSegment>& segments,
                const std::vector<EvictionEntry>& entries, const std::vector<size_t>& order, Choice* choice) {
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    const size_t segment = entries[*i].segment;
    if (!goes[segment] || !choice->stays[*i] || choice->surviving_bytes[segment] <= segments[segment].bytes / 2)
      continue;
    choice->stays[*i] = false;
    choice->surviving_bytes[segment] -= entries[*i].bytes;
  }
}

std::vector<size_t> EntriesOf(const std::vector<bool>& chosen_segments, const std::vector<EvictionEntry>& entries) {
  std::vector<size_t> found;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (chosen_segments[entries[i].segment]) found.push_back(i);
  }
  return found;
}

/// The segments, those first whose removal loses least: those of which at most half stays, since that is written again,
/// by how much that is; then the others by the heat that would be lost.
std::vector<size_t> InOrderOfLoss(const std::vector<EvictionSegment>& segments,
                                  const std::vector<EvictionEntry>& entries, const Choice& choice) {
  std::vector<double> loss(segments.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (choice.stays[i]) loss[entries[i].segment] += entries[i].heat;
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    const auto bytes = static_cast<double>(std::max<int64_t>(segments[i].bytes, 1));
    const double part = static_cast<double>(choice.surviving_bytes[i]) / bytes;
    // Below 1, and from 1 on.
    loss[i] = part <= 0.5 ? part : 1 + loss[i] / bytes;
  }
  std::vector<size_t> order = UpTo(segments.size());
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return loss[a] < loss[b]; });
  return order;
}

/// The plan to unlink the chosen segments, and keep those of their entries that stay.
EvictionPlan ToPlan(const std::vector<bool>& goes, const std::vector<EvictionEntry>& entries,
                    const std::vector<bool>& stays) {
  EvictionPlan plan;
  for (size_t i = 0; i < goes.size(); ++i) {
    if (goes[i]) plan.segments.push_back(i);
  }
  plan.survivors = EntriesOf(goes, entries);
  std::erase_if(plan.survivors, [&](size_t entry) { return !stays[entry]; });
  return plan;
}

}  // namespace

EvictionPlan PlanEviction(const std::vector<EvictionSegment>& segments, const std::vector<EvictionEntry>& entries,
                          int64_t capacity) {
  int64_t total = 0;
  int64_t fixed = 0;
  for (const EvictionSegment& segment : segments) {
    total += segment.bytes;
    if (!segment.may_go) fixed += segment.bytes;
  }
  if (total <= capacity) return {};
  const int64_t target = capacity / 10 * 9;
  const int64_t room = std::max<int64_t>(target - fixed, 0);
  const std::vector<size_t> by_worth = InOrderOfWorth(entries, room);
  Choice choice = ChooseFirst(segments, entries, by_worth, room);
  const std::vector<size_t> order = InOrderOfLoss(segments, entries, choice);
  std::vector<bool> goes(segments.size());
  for (const size_t segment : order) {
    const int64_t surviving = choice.surviving_bytes[segment];
    if (!segments[segment].may_go || (total <= target && surviving > 0)) continue;
    goes[segment] = true;
    total -= segments[segment].bytes - std::min(surviving, segments[segment].bytes / 2);
  }
  KeepHalfOf(goes, segments, entries, by_worth, &choice);
  return ToPlan(goes, entries, choice.stays);
}

EvictionPlan PlanMerge(const std::vector<EvictionSegment>& segments, const std::vector<EvictionEntry>& entries,
                       int64_t small_bytes, size_t tolerated) {
  std::vector<bool> goes(segments.size());
  size_t small = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    goes[i] = segments[i].may_go && segments[i].bytes < small_bytes;
    small += goes[i] ? 1 : 0;
  }
  if (small <= tolerated) return {};
  return ToPlan(goes, entries, std::vector<bool>(entries.size(), true));
}

}  // namespace fewter::disk
