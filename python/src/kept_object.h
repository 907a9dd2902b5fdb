#pragma once

#include <utility>

#include <nanobind/nanobind.h>

/// Objects of Python that the library keeps, and lets go of on threads of its own.

namespace fewter::python {

/// Objects of Python can neither be used nor be given back any more once the interpreter is on its way out, which
/// threads that still work may see.
inline bool PythonRuns() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsInitialized() != 0 && Py_IsFinalizing() == 0;
#else
  return Py_IsInitialized() != 0 && _Py_IsFinalizing() == 0;
#endif
}

/// An object that may be let go with the interpreter's lock or without it; it is left alone once the interpreter is
/// gone. To use it takes the lock.
class KeptObject {
 public:
  explicit KeptObject(nanobind::object object) : object_(std::move(object)) {}
  KeptObject(const KeptObject&) = delete;
  KeptObject& operator=(const KeptObject&) = delete;
  ~KeptObject() {
    if (PythonRuns()) {
      const nanobind::gil_scoped_acquire lock;
      object_.reset();
    } else {
      (void)object_.release();
    }
  }

  const nanobind::object& get() const { return object_; }

 private:
  nanobind::object object_;
};

}  // namespace fewter::python
