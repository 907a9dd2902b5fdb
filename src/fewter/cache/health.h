#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <string_view>

/// Whether a tier that can fail may be used just now.
///
///     healthy --write failed--> read-only --the wait is over--> one write is let through --it worked--> healthy
///        |                                                             `--it failed--> read-only, twice the wait
///        `--reads failed in a row--> bypassed --the wait is over--> one read is let through --it worked--> healthy
///                                                                      `--it failed--> bypassed, twice the wait
///
/// A tier never fails a query: it asks MayRead or MayWrite first, and says afterwards how it went.

namespace fewter {

/// Why an operation of a tier failed.
enum class TierFault : uint8_t {
  /// The disk, or the remote server's memory, is full.
  kNoSpace = 0,
  /// Reading or writing a file failed.
  kIo,
  /// Permission to a file, or credentials, were refused.
  kRefused,
  /// No connection.
  kUnreachable,
  /// The deadline passed.
  kTimeout,
  /// The server's answer made no sense.
  kProtocol,
};
inline constexpr int kTierFaults = 6;
std::string_view ToString(TierFault fault);

enum class TierState : uint8_t { kHealthy = 0, kReadOnly, kBypassed, kProbing };
std::string_view ToString(TierState state);

struct HealthReport {
  TierState state = TierState::kHealthy;
  /// Failures, by TierFault.
  std::array<uint64_t, kTierFaults> faults{};
  /// Operations that were not tried because of the state.
  uint64_t skipped = 0;
  /// What the last failure said; empty if there was none.
  std::string last_message;
};

struct HealthOptions {
  /// Reads that must fail one after another before reads are no longer tried.
  int failures_to_bypass = 1;
  /// How long to wait before the first probe; doubled after every probe that fails, up to longest_wait, and varied by a
  /// quarter up or down, so that many processes do not come back at once.
  std::chrono::milliseconds first_wait{1000};
  std::chrono::milliseconds longest_wait{60000};
  /// The time, for tests.
  std::function<std::chrono::steady_clock::time_point()> now = [] { return std::chrono::steady_clock::now(); };
};

/// The state machine above. Thread safe.
class TierHealth {
 public:
  explicit TierHealth(HealthOptions options = {});

  /// Whether to try. A caller who is told true reports how it went; of the probes, only one is out at a time.
  bool MayRead();
  bool MayWrite();

  void ReadSucceeded();
  void WriteSucceeded();
  void ReadFailed(TierFault fault, std::string_view message);
  void WriteFailed(TierFault fault, std::string_view message);
  /// Counts a failure that says nothing about the rest of the tier.
  void Note(TierFault fault, std::string_view message);

  HealthReport Report() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// One way of using the tier that may be closed for a while.
  struct Gate {
    bool closed = false;
    bool probing = false;
    int failures = 0;
    std::chrono::milliseconds wait{0};
    TimePoint next_probe;
  };

  bool MayPass(Gate* gate);
  void Fail(Gate* gate, int failures_to_close, TierFault fault, std::string_view message);
  static void Succeed(Gate* gate);

  HealthOptions options_;
  mutable std::mutex mutex_;
  Gate reads_;
  Gate writes_;
  HealthReport report_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace fewter
