#include "fewter/cache/disk/collapser.h"

#include "fewter/util/status_text.h"

namespace fewter::disk {
namespace {

/// This many refusals at the beginning of a segment are taken for what the others would be.
constexpr size_t kTriedInVain = 2;
constexpr std::chrono::minutes kPause{1};

}  // namespace

void Collapser::Offer(const std::shared_ptr<Segment>& segment) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(segment);
}

bool Collapser::HasWork() const {
  std::lock_guard lock(mutex_);
  return !waiting_.empty() && std::chrono::steady_clock::now() >= not_before_;
}

void Collapser::Run(const std::function<bool()>& interrupted) {
  while (HasWork() && !interrupted()) {
    const TierState state = health_.Report().state;
    if (state != TierState::kHealthy && state != TierState::kReadOnly) return Pause();
    const std::shared_ptr<Segment> segment = Front();
    if (segment == nullptr || !Step(segment.get())) FinishFront();
  }
}

std::shared_ptr<Segment> Collapser::Front() const {
  std::lock_guard lock(mutex_);
  return waiting_.front().lock();
}

bool Collapser::Step(Segment* segment) {
  const auto collapsed = segment->Collapse(progress_.next++);
  if (!collapsed.ok()) {
    if (IsMissing(collapsed.status())) return false;
    health_.ReadFailed(FaultOf(collapsed.status()), MessageWithReason(collapsed.status()));
    Pause();
    return false;
  }
  ++(*collapsed ? progress_.done : progress_.refused);
  if (progress_.done == 0 && progress_.refused >= kTriedInVain) return false;
  return progress_.next < segment->huge_pages();
}

void Collapser::FinishFront() {
  if (progress_.done == 0 && progress_.refused > 0) Pause();
  progress_ = {};
  std::lock_guard lock(mutex_);
  waiting_.pop_front();
}

void Collapser::Pause() {
  std::lock_guard lock(mutex_);
  not_before_ = std::chrono::steady_clock::now() + kPause;
}

}  // namespace fewter::disk
