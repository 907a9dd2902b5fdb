#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_filters.h"
#include "handle.h"
#include "interrupt.h"
#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

using RowIds = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

ApproxMode ParseApproxMode(const std::string& name) {
  if (name == "normal") return ApproxMode::kNormal;
  if (name == "fast") return ApproxMode::kFast;
  if (name == "accurate") return ApproxMode::kAccurate;
  Throw(arrow::Status::Invalid("approx_mode is 'normal', 'fast' or 'accurate', not '", name, "'"));
}

std::span<const uint64_t> SpanOf(const RowIds& ids) {
  return {ids.data(), ids.size()};
}

/// The arguments in the order of SearchRequest.
void Init(SearchRequest* self, std::string column, uint32_t k, uint32_t nprobes, uint32_t max_nprobes, uint32_t ef,
          uint32_t refine_factor, std::optional<float> distance_from, std::optional<float> distance_below,
          const FilterHandle* filter, bool filter_after, const std::optional<RowIds>& allow_rows,
          const std::optional<RowIds>& block_rows, const std::string& approx_mode, int32_t query_parallelism,
          const std::optional<std::string>& metric, bool use_index, std::string index, bool indexed_rows_only,
          std::optional<std::vector<uint64_t>> fragments, std::optional<double> timeout,
          std::optional<std::vector<std::string>> segments) {
  SearchRequest request{.column = std::move(column),
                        .k = k,
                        .nprobes = nprobes,
                        .max_nprobes = max_nprobes,
                        .ef = ef,
                        .refine_factor = refine_factor,
                        .distance_from = distance_from,
                        .distance_below = distance_below,
                        .filter = SharedOrNull(filter),
                        .filter_after = filter_after,
                        .approx_mode = ParseApproxMode(approx_mode),
                        .query_parallelism = query_parallelism,
                        .use_index = use_index,
                        .index = std::move(index),
                        .indexed_rows_only = indexed_rows_only,
                        .fragments = std::move(fragments),
                        .segments = std::move(segments)};
  if (metric) request.metric = ValueOrThrow(ParseMetric(*metric));
  if (allow_rows) request.prefilter = AllowRows(SpanOf(*allow_rows));
  if (block_rows) request.prefilter = BothOf(std::move(request.prefilter), BlockRows(SpanOf(*block_rows)));
  if (timeout) {
    request.io_timeout = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(*timeout));
  }
  new (self) SearchRequest(std::move(request));
}

}  // namespace

void BindSearchRequest(nb::module_& module) {
  nb::class_<StopHandle>(module, "StopSource").def(nb::init<>()).def("request_stop", [](StopHandle& stop) {
    stop.source.RequestStop();
  });
  nb::class_<SearchRequest>(module, "SearchRequest")
      .def("__init__", &Init, nb::kw_only(), nb::arg("column"), nb::arg("k") = 10, nb::arg("nprobes") = 20,
           nb::arg("max_nprobes") = 0, nb::arg("ef") = 0, nb::arg("refine_factor") = 0,
           nb::arg("distance_from") = nb::none(), nb::arg("distance_below") = nb::none(),
           nb::arg("filter").none() = nb::none(), nb::arg("filter_after") = false, nb::arg("allow_rows") = nb::none(),
           nb::arg("block_rows") = nb::none(), nb::arg("approx_mode") = "normal", nb::arg("query_parallelism") = 0,
           nb::arg("metric") = nb::none(), nb::arg("use_index") = true, nb::arg("index") = "",
           nb::arg("indexed_rows_only") = false, nb::arg("fragments") = nb::none(), nb::arg("timeout") = nb::none(),
           nb::arg("segments") = nb::none());
}

}  // namespace fewter::python
