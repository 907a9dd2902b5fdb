#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "fewter/cache/health.h"

namespace fewter::redis {

/// Why something failed.
struct Fault {
  TierFault kind = TierFault::kUnreachable;
  std::string message = {};
};

/// The end of an operation of many steps, each of which may only use what the others left.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// `cancelled` ends it early when it becomes true; it must outlive this.
  static Deadline After(std::chrono::nanoseconds time, const std::atomic<bool>* cancelled = nullptr) {
    return Deadline(Clock::now() + time, cancelled);
  }

  /// The same, but at most `time` from now.
  Deadline AtMost(std::chrono::nanoseconds time) const {
    return Deadline(std::min(at_, Clock::now() + time), cancelled_);
  }

  std::chrono::nanoseconds left() const {
    if (cancelled_ != nullptr && cancelled_->load()) return std::chrono::nanoseconds(0);
    return std::max<std::chrono::nanoseconds>(at_ - Clock::now(), std::chrono::nanoseconds(0));
  }
  bool passed() const { return left().count() == 0; }

  /// How long to wait before looking again: all that is left, or a little if it can be cancelled.
  std::chrono::milliseconds slice() const {
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left());
    return cancelled_ == nullptr ? whole : std::min(whole, std::chrono::milliseconds(20));
  }

 private:
  Deadline(Clock::time_point at, const std::atomic<bool>* cancelled) : at_(at), cancelled_(cancelled) {}

  Clock::time_point at_;
  const std::atomic<bool>* cancelled_;
};

}  // namespace fewter::redis
