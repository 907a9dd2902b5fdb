#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "fewter/cache/backend.h"

namespace fewter::python {

/// A cache backend whose entries an object written in Python keeps, as bytes: an instance of fewter.CacheBackend, whose
/// documentation says what its functions get. Each call takes the interpreter's lock; what they raise is a miss, or an
/// entry that is not kept, and stands in the health report with its message. After several failures in a row the object
/// is left alone for a while.
std::shared_ptr<CacheBackend> MakePythonBackend(nanobind::object implementation);

}  // namespace fewter::python
