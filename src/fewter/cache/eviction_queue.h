#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Which entry goes when there is no room: GreedyDual-Size-Frequency (Cherkasova, "Improving WWW proxies performance
/// with Greedy-Dual-Size-Frequency caching policy", 1998), made lazy, so that a hit does not move anything.
///
/// An entry's priority is the queue's clock plus its uses per byte; the lowest goes, and the clock moves on to its
/// priority, so that what is not used any more ages. A hit only raises a counter in the entry, which soon stops at its
/// limit: an entry that is hit often is not written to. When an entry is the lowest and has such uses, they are added
/// to its frequency and it is queued again.
///
/// Chosen by simulation on what real searches ask for: docs/benchmarks.md, bench/eviction/.

namespace fewter {

/// What the queue knows of an entry; entries derive from it. Not moved while it is queued.
struct EvictionNode {
  static constexpr uint8_t kMostUses = 3;

  explicit EvictionNode(int64_t size) : charge(size) {}

  /// Counts a use. Any thread, at any time.
  void Touch() {
    const uint8_t seen = uses.load(std::memory_order_relaxed);
    if (seen < kMostUses) uses.store(seen + 1, std::memory_order_relaxed);
  }

  /// Bytes; at least 1 for the purposes of the queue.
  const int64_t charge;
  /// Since it was last looked at.
  std::atomic<uint8_t> uses{0};

  /// The queue's own.
  double frequency = 1;
  double priority = 0;
  /// Among equal priorities the entry that was queued first goes first.
  uint64_t order = 0;
  size_t position = 0;
};

/// A heap of entries by priority. Owns none. Its user locks; only EvictionNode::Touch needs no lock.
class EvictionQueue {
 public:
  /// Requires a node that is not queued.
  void Add(EvictionNode* node);
  void Remove(EvictionNode* node);

  /// Takes the entry that is to go next out of the queue; null if there is none. Looks at no more entries than there
  /// are, even if all of them are hit all the while.
  EvictionNode* Evict();

 private:
  void Prioritise(EvictionNode* node);
  void Place(size_t position, EvictionNode* node);
  void Rise(size_t position);
  void Sink(size_t position);

  static bool GoesBefore(const EvictionNode& a, const EvictionNode& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.order < b.order;
  }

  double clock_ = 0;
  uint64_t next_order_ = 0;
  /// A binary heap, the lowest priority first.
  std::vector<EvictionNode*> heap_;
};

}  // namespace fewter
