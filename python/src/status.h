#pragma once

#include <utility>

#include <nanobind/nanobind.h>

#include <arrow/result.h>
#include <arrow/status.h>

/// From Arrow's errors to Python's, and work without the interpreter's lock.

namespace fewter::python {

/// Throws the Python exception that a status is: pyarrow's exception for its code, which is also the built-in one
/// (ArrowInvalid is a ValueError, ArrowKeyError a KeyError); for IOError OSError, with the system's number if there is
/// one, and TimeoutError where the caller's time is over. Requires the interpreter's lock.
[[noreturn]] void Throw(const arrow::Status& status);

inline void ThrowIfError(const arrow::Status& status) {
  if (!status.ok()) Throw(status);
}

template <typename T>
T ValueOrThrow(arrow::Result<T> result) {
  ThrowIfError(result.status());
  return *std::move(result);
}

/// Runs work while other Python threads go on.
template <typename Work>
auto WithoutLock(Work&& work) {
  nanobind::gil_scoped_release released;
  return work();
}

}  // namespace fewter::python
