#include <memory>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <arrow/buffer.h>
#include <arrow/compute/expression.h>

#include "bindings.h"
#include "fewter/filter/filter.h"
#include "handle.h"
#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

FilterHandle Parse(const std::string& condition) {
  return FilterHandle(ValueOrThrow(ParseFilter(condition)));
}

/// `serialized` is what pyarrow makes of an expression that is pickled.
FilterHandle OfExpression(const nb::bytes& serialized) {
  const auto buffer = arrow::Buffer::FromString(std::string(serialized.c_str(), serialized.size()));
  auto expression = ValueOrThrow(arrow::compute::Deserialize(buffer));
  return FilterHandle(ValueOrThrow(MakeFilter(std::move(expression))));
}

}  // namespace

void BindFilter(nb::module_& module) {
  const nb::class_<FilterHandle> filter(module, "Filter");
  module.def("parse_filter", &Parse, nb::arg("condition"));
  module.def("expression_filter", &OfExpression, nb::arg("serialized"));
}

}  // namespace fewter::python
