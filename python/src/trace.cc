#include "trace.h"

#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "fewter/util/status_text.h"
#include "kept_object.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

int64_t Nanoseconds(Span::Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

nb::tuple TupleOf(const Span& span) {
  nb::dict attributes;
  for (const auto& [name, value] : span.attributes) {
    std::visit([&, name = name](const auto& one) { attributes[nb::cast(name)] = one; }, value);
  }
  const nb::object parent = span.parent ? nb::cast(*span.parent) : nb::none();
  const nb::object error = span.status.ok() ? nb::none() : nb::cast(MessageWithReason(span.status));
  return nb::make_tuple(span.name, parent, Nanoseconds(span.begin), Nanoseconds(span.end), attributes, error);
}

}  // namespace

TraceListener MakeTraceListener(nb::object function) {
  if (function.is_none()) return {};
  return [kept = std::make_shared<KeptObject>(std::move(function))](const Trace& trace) {
    if (!PythonRuns()) return;
    const nb::gil_scoped_acquire lock;
    try {
      nb::list spans;
      for (const Span& span : trace) spans.append(TupleOf(span));
      kept->get()(spans);
    } catch (nb::python_error& error) {
      // Meant for whoever called the library.
      if (error.matches(PyExc_KeyboardInterrupt)) return PyErr_SetInterrupt();
      error.restore();
      PyErr_WriteUnraisable(kept->get().ptr());
    }
  };
}

}  // namespace fewter::python
