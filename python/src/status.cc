#include "status.h"

#include <string>

#include <nanobind/stl/string.h>

#include <arrow/util/io_util.h>

#include "fewter/util/caller_limit.h"
#include "fewter/util/status_text.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

const char* ExceptionName(arrow::StatusCode code) {
  switch (code) {
    case arrow::StatusCode::KeyError:
      return "ArrowKeyError";
    case arrow::StatusCode::TypeError:
      return "ArrowTypeError";
    case arrow::StatusCode::IndexError:
      return "ArrowIndexError";
    case arrow::StatusCode::Invalid:
      return "ArrowInvalid";
    case arrow::StatusCode::NotImplemented:
      return "ArrowNotImplementedError";
    case arrow::StatusCode::OutOfMemory:
      return "ArrowMemoryError";
    case arrow::StatusCode::CapacityError:
      return "ArrowCapacityError";
    case arrow::StatusCode::Cancelled:
      return "ArrowCancelled";
    case arrow::StatusCode::SerializationError:
      return "ArrowSerializationError";
    default:
      return "ArrowException";
  }
}

}  // namespace

void Throw(const arrow::Status& status) {
  const std::string message = MessageWithReason(status);
  if (status.IsIOError() && IsCallerLimit(status)) {
    PyErr_SetString(PyExc_TimeoutError, message.c_str());
  } else if (status.IsIOError()) {
    const nb::object os_error = nb::borrow(PyExc_OSError);
    const int error = arrow::internal::ErrnoFromStatus(status);
    // With a number Python picks the class that belongs to it, such as FileNotFoundError.
    const nb::object exception = error != 0 ? os_error(error, message) : os_error(message);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  } else {
    PyErr_SetString(nb::module_::import_("pyarrow.lib").attr(ExceptionName(status.code())).ptr(), message.c_str());
  }
  throw nb::python_error();
}

}  // namespace fewter::python
