#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "fewter/cache/registry/registry.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/dataset/session.h"
#ifdef FEWTER_PYTHON_PROMETHEUS
#include "fewter/prometheus/collector.h"
#endif
#include "handle.h"
#include "python_backend.h"
#include "stats.h"
#include "status.h"
#include "trace.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

CacheHandle OpenCache(const std::string& uri) {
  return CacheHandle(ValueOrThrow(WithoutLock([&] { return OpenCacheBackend(uri); })));
}

CacheHandle MakeTiers(const std::vector<const CacheHandle*>& handles) {
  std::vector<std::shared_ptr<CacheBackend>> tiers;
  tiers.reserve(handles.size());
  for (const CacheHandle* handle : handles) tiers.push_back(handle->shared());
  if (tiers.empty()) Throw(arrow::Status::Invalid("a cache of no tiers"));
  return CacheHandle(MakeTieredBackend(std::move(tiers)));
}

SessionHandle MakeSession(const CacheHandle* cache, const CacheHandle* data_cache, nb::object trace_listener) {
  return SessionHandle(Session::Make({.cache = SharedOrNull(cache),
                                      .data_cache = SharedOrNull(data_cache),
                                      .trace_listener = MakeTraceListener(std::move(trace_listener))}));
}

void Flush(const SessionHandle& session) {
  WithoutLock([&] {
    session->cache().backend()->Flush();
    session->data_cache().backend()->Flush();
  });
}

std::string Metrics([[maybe_unused]] const SessionHandle& session) {
#ifdef FEWTER_PYTHON_PROMETHEUS
  return WithoutLock([&] { return PrometheusText(*session); });
#else
  Throw(arrow::Status::NotImplemented("this fewter was built without prometheus-cpp"));
#endif
}

void Clear(const SessionHandle& session) {
  WithoutLock([&] {
    session->cache().backend()->Clear();
    session->data_cache().backend()->Clear();
  });
}

}  // namespace

void BindCache(nb::module_& module) {
  const nb::class_<CacheHandle> cache(module, "Cache");
  module.def("open_cache", &OpenCache, nb::arg("uri"));
  module.def("cache_kinds", &CacheKinds);
  module.def(
      "python_cache",
      [](nb::object implementation) { return CacheHandle(MakePythonBackend(std::move(implementation))); },
      nb::arg("implementation"));
  module.def("tiered_cache", &MakeTiers, nb::arg("tiers"));
}

void BindSession(nb::module_& module) {
  nb::class_<SessionHandle>(module, "Session")
      .def(nb::new_(&MakeSession), nb::arg("cache").none() = nb::none(), nb::arg("data_cache").none() = nb::none(),
           nb::arg("trace_listener").none() = nb::none())
      .def("flush", &Flush)
      .def("clear", &Clear)
      .def("metrics", &Metrics)
      .def("stats", [](const SessionHandle& session) { return StatsOf(*session->cache().backend()); })
      .def("data_stats", [](const SessionHandle& session) { return StatsOf(*session->data_cache().backend()); });
}

}  // namespace fewter::python
