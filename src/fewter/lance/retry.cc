#include "fewter/lance/retry.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>
#include <thread>

namespace fewter::lance {

namespace {

using Clock = IoEvent::Clock;

/// So often is a waiting thread's query asked whether it still wants to wait.
constexpr std::chrono::milliseconds kLookEvery{10};

std::chrono::nanoseconds DelayBefore(uint32_t attempt, const RetryPolicy& policy) {
  const int doublings = static_cast<int>(std::min<uint32_t>(attempt - 2, 20));
  const auto longest =
      std::min<std::chrono::nanoseconds>(policy.first_delay * (int64_t{1} << doublings), policy.longest_delay);
  static thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::nanoseconds(std::uniform_int_distribution<int64_t>(longest.count() / 2, longest.count())(random));
}

/// False if the query in scope no longer wants to wait.
bool SleepUntil(Clock::time_point end) {
  const IoQuery* query = IoQuery::Current();
  if (query != nullptr && query->limits().deadline <= end) return false;
  while (Clock::now() < end) {
    if (query != nullptr && !query->Check().ok()) return false;
    std::this_thread::sleep_for(std::min<Clock::duration>(end - Clock::now(), kLookEvery));
  }
  return true;
}

}  // namespace

bool IsTransient(const arrow::Status& status) {
  static constexpr std::array<std::string_view, 14> kWords = {kShortAnswer,
                                                              "AWS Error INTERNAL_FAILURE",
                                                              "AWS Error SERVICE_UNAVAILABLE",
                                                              "AWS Error SLOW_DOWN",
                                                              "AWS Error THROTTLING",
                                                              "AWS Error REQUEST_TIMEOUT",
                                                              "XML_ERROR",
                                                              "AWS Error NETWORK_CONNECTION",
                                                              "(HTTP status 408)",
                                                              "(HTTP status 429)",
                                                              "(HTTP status 500)",
                                                              "(HTTP status 502)",
                                                              "(HTTP status 503)",
                                                              "(HTTP status 504)"};
  if (!status.IsIOError()) return false;
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return status.message().find(word) != std::string::npos; });
}

Retries::Retries(const RetryPolicy& policy) : policy_(policy), begin_(Clock::now()) {}

bool Retries::WaitForNext(const arrow::Status& failure) {
  if (!IsTransient(failure) || attempt_ >= policy_.max_attempts) return false;
  const auto next = Clock::now() + DelayBefore(attempt_ + 1, policy_);
  if (next - begin_ > policy_.timeout || !SleepUntil(next)) return false;
  ++attempt_;
  return true;
}

arrow::Status Retries::Explained(const arrow::Status& failure) const {
  if (attempt_ == 1) return failure;
  return failure.WithMessage(failure.message(), " (after ", attempt_, " attempts)");
}

}  // namespace fewter::lance
