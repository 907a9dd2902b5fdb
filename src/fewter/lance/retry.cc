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

/// Of "Azure Error: [ServerBusy] 503 The server is busy.", which Azure's client has then sent several times itself.
bool IsTransientForAzure(std::string_view message) {
  static constexpr std::array<std::string_view, 6> kStatuses = {"408 ", "429 ", "500 ", "502 ", "503 ", "504 "};
  const size_t error = message.find("Azure Error: [");
  const size_t code_end = error == std::string_view::npos ? error : message.find("] ", error);
  if (code_end == std::string_view::npos) return false;
  const std::string_view rest = message.substr(code_end + 2);
  return std::any_of(kStatuses.begin(), kStatuses.end(),
                     [&](std::string_view status) { return rest.starts_with(status); });
}

}  // namespace

bool IsTransient(const arrow::Status& status) {
  static constexpr std::array<std::string_view, 16> kWords = {kShortAnswer,
                                                              "AWS Error INTERNAL_FAILURE",
                                                              "AWS Error SERVICE_UNAVAILABLE",
                                                              "AWS Error SLOW_DOWN",
                                                              "AWS Error THROTTLING",
                                                              "AWS Error REQUEST_TIMEOUT",
                                                              "XML_ERROR",
                                                              "AWS Error NETWORK_CONNECTION",
                                                              "google::cloud::Status(UNAVAILABLE",
                                                              "gcloud-cpp.retry.on-entry=true",
                                                              "(HTTP status 408)",
                                                              "(HTTP status 429)",
                                                              "(HTTP status 500)",
                                                              "(HTTP status 502)",
                                                              "(HTTP status 503)",
                                                              "(HTTP status 504)"};
  if (!status.IsIOError()) return false;
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return status.message().find(word) != std::string::npos; }) ||
         IsTransientForAzure(status.message());
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
