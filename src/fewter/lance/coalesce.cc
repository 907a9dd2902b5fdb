#include <algorithm>
#include <numeric>
#include <utility>

#include "fewter/lance/coalesce_internal.h"

namespace fewter::lance {
namespace {

std::vector<RangeRequest> JoinNeighbours(const std::vector<ByteRange>& ranges, const CoalesceLimits& limits) {
  std::vector<size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ranges[a].offset < ranges[b].offset; });
  std::vector<RangeRequest> requests;
  for (const size_t index : order) {
    const ByteRange& range = ranges[index];
    if (range.length == 0) continue;
    const bool joins =
        !requests.empty() && range.offset <= requests.back().range.end() + limits.gap &&
        (range.offset < requests.back().range.end() || range.end() - requests.back().range.offset <= limits.longest);
    if (!joins) requests.push_back({range, {}});
    ByteRange& last = requests.back().range;
    last.length = std::max(last.end(), range.end()) - last.offset;
    requests.back().members.push_back(index);
  }
  return requests;
}

/// Closes gaps between requests, which lie in order and apart.
class GapCloser {
 public:
  explicit GapCloser(std::vector<RangeRequest> requests)
      : requests_(std::move(requests)), other_end_(requests_.size()) {
    std::iota(other_end_.begin(), other_end_.end(), size_t{0});
  }

  std::vector<RangeRequest> Close(const CoalesceLimits& limits) {
    size_t count = requests_.size();
    for (const size_t before : GapsUpTo(limits.widest_gap)) {
      if (count <= limits.enough) break;
      const size_t first = other_end_[before];
      const size_t last = other_end_[before + 1];
      if (requests_[last].range.end() - requests_[first].range.offset > limits.longest) continue;
      other_end_[first] = last;
      other_end_[last] = first;
      --count;
    }
    return Joined();
  }

 private:
  uint64_t GapAfter(size_t i) const { return requests_[i + 1].range.offset - requests_[i].range.end(); }

  /// The requests after which there is such a gap, the smallest first.
  std::vector<size_t> GapsUpTo(uint64_t widest) const {
    std::vector<size_t> gaps;
    for (size_t i = 0; i + 1 < requests_.size(); ++i) {
      if (GapAfter(i) <= widest) gaps.push_back(i);
    }
    std::stable_sort(gaps.begin(), gaps.end(), [&](size_t a, size_t b) { return GapAfter(a) < GapAfter(b); });
    return gaps;
  }

  std::vector<RangeRequest> Joined() {
    std::vector<RangeRequest> joined;
    for (size_t first = 0; first < requests_.size(); first = other_end_[first] + 1) {
      RangeRequest& one = joined.emplace_back(std::move(requests_[first]));
      for (size_t i = first + 1; i <= other_end_[first]; ++i) {
        one.range.length = requests_[i].range.end() - one.range.offset;
        one.members.insert(one.members.end(), requests_[i].members.begin(), requests_[i].members.end());
      }
    }
    return joined;
  }

  std::vector<RangeRequest> requests_;
  /// Of the first and of the last request of a run that has been joined: the other one of these two.
  std::vector<size_t> other_end_;
};

}  // namespace

std::vector<RangeRequest> Coalesce(const std::vector<ByteRange>& ranges, const CoalesceLimits& limits) {
  std::vector<RangeRequest> requests = JoinNeighbours(ranges, limits);
  if (requests.size() <= limits.enough || limits.widest_gap <= limits.gap) return requests;
  return GapCloser(std::move(requests)).Close(limits);
}

}  // namespace fewter::lance
