#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <arrow/status.h>

#include "fewter/lance/io_stats.h"

/// Asking an object store again after it has refused or broken off.

namespace fewter::lance {

struct RetryPolicy {
  /// The first one included.
  uint32_t max_attempts = 8;
  /// Before the second attempt; doubled each time, up to the longest. What is waited is a random half of it or more,
  /// so that many clients that were refused together do not come back together.
  std::chrono::milliseconds first_delay{50};
  std::chrono::milliseconds longest_delay{2000};
  /// No attempt begins so long after the first.
  std::chrono::milliseconds timeout{30'000};
};

/// In the message of an error about an answer with fewer bytes than were asked for.
inline constexpr std::string_view kShortAnswer = "the store sent fewer bytes than asked for";

/// True if the same request may well succeed soon: the store is overloaded (throttling, 5xx), or the connection was
/// lost. Object stores say so only in the words of Arrow's messages.
bool IsTransient(const arrow::Status& status);

/// One request and its repetitions.
class Retries {
 public:
  explicit Retries(const RetryPolicy& policy);

  /// After a failure: waits and returns true if there may be another attempt. False if the failure is not transient,
  /// or attempts or time are used up, or the query in scope has been cancelled or would be late.
  bool WaitForNext(const arrow::Status& failure);

  /// From 1.
  uint32_t attempt() const { return attempt_; }
  /// The failure, with the number of attempts if there were several.
  arrow::Status Explained(const arrow::Status& failure) const;

 private:
  const RetryPolicy& policy_;
  const IoEvent::Clock::time_point begin_;
  uint32_t attempt_ = 1;
};

}  // namespace fewter::lance
