#include "interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include <unistd.h>

namespace fewter::python {

namespace {

/// What SIGINT asks to stop, or null.
std::atomic<arrow::StopSource*> listening{nullptr};
/// That it was asked.
std::atomic<bool> interrupted{false};
/// How many threads are in the handler: as long as there are some, what `listening` was may not go.
std::atomic<int> in_handler{0};
/// What was there before us: Python's.
struct sigaction outer;

static_assert(std::atomic<arrow::StopSource*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void HandleInterrupt(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  in_handler.fetch_add(1);
  if (arrow::StopSource* source = listening.load()) {
    source->RequestStopFromSignal(signal);
    interrupted.store(true);
  }
  in_handler.fetch_sub(1);
  if ((outer.sa_flags & SA_SIGINFO) != 0) {
    outer.sa_sigaction(signal, info, context);
  } else {
    outer.sa_handler(signal);
  }
  errno = error;
}

}  // namespace

bool IsMainThread() {
  // A child that was forked elsewhere than in the first thread never learns of it, and has Ctrl-C later.
  thread_local const bool is_first = getpid() == gettid();
  return is_first;
}

InterruptScope::InterruptScope(arrow::StopSource* source) {
  if (!IsMainThread() || listening.load() != nullptr) return;
  struct sigaction before;
  if (sigaction(SIGINT, nullptr, &before) != 0) return;
  const bool is_handled =
      (before.sa_flags & SA_SIGINFO) != 0 || (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN);
  if (!is_handled) return;
  outer = before;
  struct sigaction ours = before;
  ours.sa_flags |= SA_SIGINFO;
  ours.sa_sigaction = &HandleInterrupt;
  interrupted.store(false);
  listening.store(source);
  is_listening_ = sigaction(SIGINT, &ours, nullptr) == 0;
  if (!is_listening_) listening.store(nullptr);
}

bool InterruptScope::was_interrupted() const {
  return is_listening_ && interrupted.load();
}

InterruptScope::~InterruptScope() {
  if (!is_listening_) return;
  sigaction(SIGINT, &outer, nullptr);
  listening.store(nullptr);
  while (in_handler.load() != 0) std::this_thread::yield();
}

}  // namespace fewter::python
