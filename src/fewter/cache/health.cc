#include "fewter/cache/health.h"

#include <algorithm>
#include <utility>

namespace fewter {

std::string_view ToString(TierFault fault) {
  switch (fault) {
    case TierFault::kNoSpace:
      return "no space";
    case TierFault::kIo:
      return "io";
    case TierFault::kRefused:
      return "refused";
    case TierFault::kUnreachable:
      return "unreachable";
    case TierFault::kTimeout:
      return "timeout";
    case TierFault::kProtocol:
      return "protocol";
  }
  return "unknown";
}

std::string_view ToString(TierState state) {
  switch (state) {
    case TierState::kHealthy:
      return "healthy";
    case TierState::kReadOnly:
      return "read-only";
    case TierState::kBypassed:
      return "bypassed";
    case TierState::kProbing:
      return "probing";
  }
  return "unknown";
}

TierHealth::TierHealth(HealthOptions options) : options_(std::move(options)) {}

bool TierHealth::MayRead() {
  std::lock_guard lock(mutex_);
  return MayPass(&reads_);
}

bool TierHealth::MayWrite() {
  std::lock_guard lock(mutex_);
  // A tier that cannot be read is not written to, either.
  if (reads_.closed && !reads_.probing && options_.now() < reads_.next_probe) {
    ++report_.skipped;
    return false;
  }
  return MayPass(&writes_);
}

bool TierHealth::MayPass(Gate* gate) {
  if (!gate->closed) return true;
  const TimePoint now = options_.now();
  // A probe that was never reported, because its caller is gone, is forgotten after another wait.
  if (now < gate->next_probe) {
    ++report_.skipped;
    return false;
  }
  gate->probing = true;
  gate->next_probe = now + gate->wait;
  return true;
}

void TierHealth::Succeed(Gate* gate) {
  *gate = Gate();
}

void TierHealth::ReadSucceeded() {
  std::lock_guard lock(mutex_);
  Succeed(&reads_);
}

void TierHealth::WriteSucceeded() {
  std::lock_guard lock(mutex_);
  Succeed(&writes_);
}

void TierHealth::ReadFailed(TierFault fault, std::string_view message) {
  std::lock_guard lock(mutex_);
  Fail(&reads_, options_.failures_to_bypass, fault, message);
}

void TierHealth::WriteFailed(TierFault fault, std::string_view message) {
  std::lock_guard lock(mutex_);
  Fail(&writes_, 1, fault, message);
}

void TierHealth::Note(TierFault fault, std::string_view message) {
  std::lock_guard lock(mutex_);
  ++report_.faults[static_cast<size_t>(fault)];
  report_.last_message = message;
}

void TierHealth::Fail(Gate* gate, int failures_to_close, TierFault fault, std::string_view message) {
  ++report_.faults[static_cast<size_t>(fault)];
  report_.last_message = message;
  if (++gate->failures < failures_to_close) return;
  // What was under way when the gate closed does not make the wait longer.
  if (gate->closed && !gate->probing) return;
  gate->wait = gate->closed ? std::min(gate->wait * 2, options_.longest_wait) : options_.first_wait;
  gate->closed = true;
  gate->probing = false;
  const int64_t quarter = gate->wait.count() / 4;
  gate->next_probe = options_.now() + gate->wait +
                     std::chrono::milliseconds(std::uniform_int_distribution(-quarter, quarter)(random_));
}

HealthReport TierHealth::Report() const {
  std::lock_guard lock(mutex_);
  HealthReport report = report_;
  if (reads_.closed) {
    report.state = reads_.probing ? TierState::kProbing : TierState::kBypassed;
  } else if (writes_.closed) {
    report.state = writes_.probing ? TierState::kProbing : TierState::kReadOnly;
  }
  return report;
}

}  // namespace fewter
