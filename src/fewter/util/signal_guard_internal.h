#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>

namespace fewter {

/// Keeps a signal that a system call sends to the thread that made it (SIGPIPE, SIGXFSZ) from killing the process: it
/// is blocked while this lives, and taken back if the call has caused it. The call then fails with an errno.
class SignalGuard {
 public:
  explicit SignalGuard(int signal) {
    sigemptyset(&blocked_);
    sigaddset(&blocked_, signal);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, signal) == 1;
    pthread_sigmask(SIG_BLOCK, &blocked_, &before_);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard() {
    const int saved_errno = errno;
    if (!was_pending_) {
      constexpr timespec kNow = {};
      while (sigtimedwait(&blocked_, nullptr, &kNow) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved_errno;
  }

 private:
  sigset_t blocked_;
  sigset_t before_;
  bool was_pending_;
};

}  // namespace fewter
