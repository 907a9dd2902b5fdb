#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "fewter/cache/disk/segment.h"
#include "fewter/cache/health.h"

/// Has segments lie in huge pages once they are in use, one after another, in the background.

namespace fewter::disk {

/// Where the system has no huge pages to give, that is seen by the first few, and no more are asked for for a while:
/// each may cost reading it again. So it is while the disk fails.
class Collapser {
 public:
  /// `health` learns of bytes that could not be read, and must outlive this.
  explicit Collapser(TierHealth* health) : health_(*health) {}

  /// A segment whose ClaimCollapse was true. Thread safe.
  void Offer(const std::shared_ptr<Segment>& segment);
  /// Whether Run would do something. Thread safe.
  bool HasWork() const;
  /// Works until there is nothing left to do, or `interrupted` says that it should end, which it is asked before each
  /// huge page. One thread at a time.
  void Run(const std::function<bool()>& interrupted);

 private:
  /// Of the segment at the front.
  struct Progress {
    size_t next = 0;
    size_t done = 0;
    size_t refused = 0;
  };

  std::shared_ptr<Segment> Front() const;
  /// Tries one huge page. False if there is nothing more to be done with the segment.
  bool Step(Segment* segment);
  void FinishFront();
  /// For a while there is no work.
  void Pause();

  TierHealth& health_;
  Progress progress_;
  mutable std::mutex mutex_;
  /// Segments that left the directory may go.
  std::deque<std::weak_ptr<Segment>> waiting_;
  std::chrono::steady_clock::time_point not_before_{};
};

}  // namespace fewter::disk
