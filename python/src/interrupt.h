#pragma once

#include <utility>

#include <nanobind/nanobind.h>

#include <arrow/util/cancel.h>

#include "fewter/lance/io_stats.h"
#include "status.h"

/// Ctrl-C while the library works. Python only notes a signal until its own code goes on, which is when the library has
/// returned; so what the library does has to learn of it, too.

namespace fewter::python {

/// By which a caller on another thread stops what was begun.
struct StopHandle {
  arrow::StopSource source;
};

/// While it is in scope, SIGINT asks a source to stop as well as telling Python. Of the main thread, and where Python
/// handles that signal; elsewhere nothing is done. Of nested ones the outermost counts. Costs three system calls.
class InterruptScope {
 public:
  /// The source must outlive it.
  explicit InterruptScope(arrow::StopSource* source);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  bool was_interrupted() const;

 private:
  bool is_listening_ = false;
};

/// Whether this thread is the process' first, which is where Python runs the handlers of signals.
bool IsMainThread();

/// Calls work(stop_token), without the interpreter's lock, and returns the value of its arrow::Result or throws. A stop
/// is asked for by Ctrl-C, or by others through `source`, which may be null; requests to stores that no search makes
/// are then no longer sent either (lance::IoQuery). After Ctrl-C it throws what Python's handler of that raises,
/// KeyboardInterrupt unless it was replaced; if that raises nothing, and the work has failed, it is done anew.
template <typename Work>
auto RunInterruptibly(arrow::StopSource* source, Work&& work) {
  arrow::StopSource own;
  if (source == nullptr) source = &own;
  for (;;) {
    bool was_interrupted = false;
    auto outcome = WithoutLock([&] {
      const InterruptScope interrupt(source);
      lance::IoQuery requests({.stop_token = source->token()});
      const lance::IoQuery::Scope scope(&requests);
      auto result = work(source->token());
      was_interrupted = interrupt.was_interrupted();
      return result;
    });
    if (was_interrupted && PyErr_CheckSignals() != 0) throw nanobind::python_error();
    if (!was_interrupted || outcome.ok()) return ValueOrThrow(std::move(outcome));
    source->Reset();
  }
}

}  // namespace fewter::python
