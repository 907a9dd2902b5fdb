#pragma once

#include <memory>
#include <utility>

#include <nanobind/nanobind.h>

namespace fewter {
class CacheBackend;
class Dataset;
class Filter;
class Session;
}  // namespace fewter

namespace fewter::python {

/// A shared object as Python holds it. It is let go without the interpreter's lock: its destructor may wait for threads
/// that want the lock themselves, to give back what Python keeps.
template <typename T>
class Handle {
 public:
  explicit Handle(std::shared_ptr<T> value) : value_(std::move(value)) {}
  Handle(const Handle&) = default;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    const nanobind::gil_scoped_release released;
    value_.reset();
  }

  const std::shared_ptr<T>& shared() const { return value_; }
  T& operator*() const { return *value_; }
  T* operator->() const { return value_.get(); }

 private:
  std::shared_ptr<T> value_;
};

using CacheHandle = Handle<CacheBackend>;
using SessionHandle = Handle<Session>;
using DatasetHandle = Handle<Dataset>;
using FilterHandle = Handle<const Filter>;

/// What a handle that may be missing holds.
template <typename T>
std::shared_ptr<T> SharedOrNull(const Handle<T>* handle) {
  return handle == nullptr ? nullptr : handle->shared();
}

}  // namespace fewter::python
