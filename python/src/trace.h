#pragma once

#include <nanobind/nanobind.h>

#include "fewter/util/trace.h"

namespace fewter::python {

/// A listener that calls a function of Python with the spans of a trace as a list of tuples: name, parent's place in
/// the list or None, begin and end in nanoseconds since 1970, attributes as a dictionary, and what it failed with or
/// None. What the function raises is told by sys.unraisablehook. Empty for None.
TraceListener MakeTraceListener(nanobind::object function);

}  // namespace fewter::python
