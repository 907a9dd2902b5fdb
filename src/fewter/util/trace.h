#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <arrow/status.h>

#include "fewter/util/work_context.h"

/// What one search did and when: a hook for OpenTelemetry or whatever else shows traces.
///
/// A trace is handed out as a whole when its first piece of work has ended, on the thread that did it, so that what
/// the caller has under way there becomes its parent. docs/metrics.md shows how its spans become OpenTelemetry's.

namespace fewter {

/// A piece of work.
struct Span {
  using Clock = std::chrono::system_clock;
  using Value = std::variant<int64_t, double, std::string>;

  std::string_view name = {};
  /// The place in the trace of the span that it is a part of; none for the first.
  std::optional<size_t> parent = {};
  Clock::time_point begin = {};
  Clock::time_point end = {};
  /// Names in the style of OpenTelemetry, such as "fewter.k".
  std::vector<std::pair<std::string_view, Value>> attributes = {};
  arrow::Status status = {};
};

/// In the order in which they began; the first is the whole.
using Trace = std::vector<Span>;
using TraceListener = std::function<void(const Trace&)>;

/// Work that is traced, while it is in scope: as a part of what is under way on this thread, or not at all if that is
/// not traced. Passed on to threads that help (WorkContext), so the calls may come from several threads, but each
/// object belongs to one. Costs a look at a thread's own pointer when nothing is traced.
class TracedSpan {
 public:
  explicit TracedSpan(std::string_view name) : TracedSpan(name, Current()) {}
  ~TracedSpan() { End(); }
  TracedSpan(const TracedSpan&) = delete;
  TracedSpan& operator=(const TracedSpan&) = delete;

  bool is_traced() const { return log_ != nullptr; }
  void Set(std::string_view name, Span::Value value);
  void SetStatus(const arrow::Status& status);

 protected:
  /// The spans of one trace. Thread safe.
  struct Log {
    std::mutex mutex;
    Trace spans;
  };
  TracedSpan(std::string_view name, Log* log, std::optional<size_t> parent);
  void End();

 private:
  explicit TracedSpan(std::string_view name, TracedSpan* parent)
      : TracedSpan(name, parent == nullptr ? nullptr : parent->log_,
                   parent == nullptr ? std::nullopt : std::optional<size_t>(parent->place_)) {}
  static TracedSpan* Current() { return static_cast<TracedSpan*>(WorkContext::Get(WorkContext::kSpan)); }

  Log* log_;
  size_t place_ = 0;
  std::optional<WorkContext::Scope> scope_;
};

/// The first span of a trace, which tells the listener at its end; nothing is traced if that is empty.
class TraceRoot {
 public:
  /// The listener must outlive it.
  TraceRoot(std::string_view name, const TraceListener& listener);
  ~TraceRoot();

  TracedSpan& span() { return span_; }

 private:
  struct Root : TracedSpan {
    using TracedSpan::End;
    using TracedSpan::Log;
    Root(std::string_view name, Log* log) : TracedSpan(name, log, std::nullopt) {}
  };

  const TraceListener& listener_;
  std::optional<Root::Log> log_;
  Root span_;
};

}  // namespace fewter
