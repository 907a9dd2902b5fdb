#include "fewter/dataset/latest_dataset.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "fewter/util/status_text.h"
#include "handle.h"
#include "interrupt.h"
#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

using LatestHandle = Handle<LatestDataset>;

LatestHandle Open(const std::string& uri, const SessionHandle& session, const lance::StorageOptions& storage_options,
                  double interval) {
  const DatasetOptions options{.session = session.shared(), .storage_options = storage_options};
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(interval));
  return LatestHandle(
      RunInterruptibly(nullptr, [&](const auto&) { return LatestDataset::Open(uri, options, nanoseconds); }));
}

std::optional<std::string> LastError(const LatestHandle& latest) {
  const arrow::Status status = latest->last_error();
  if (status.ok()) return std::nullopt;
  return MessageWithReason(status);
}

}  // namespace

void BindLatestDataset(nb::module_& module) {
  nb::class_<LatestHandle>(module, "LatestDataset")
      .def_static("open", &Open, nb::arg("uri"), nb::arg("session"), nb::arg("storage_options"), nb::arg("interval"))
      .def("get", [](const LatestHandle& latest) { return DatasetHandle(WithoutLock([&] { return latest->Get(); })); })
      .def("refresh", [](const LatestHandle& latest) { ThrowIfError(WithoutLock([&] { return latest->Refresh(); })); })
      .def("last_error", &LastError);
}

}  // namespace fewter::python
