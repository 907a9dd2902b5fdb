#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>

#include "fewter/filter/functions_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;

/// Bits of floats are ordered as integers are, but for those with a sign, which go the other way.
template <typename Bits>
arrow::Status Order(cp::KernelContext*, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  if (!arguments[0].is_array()) return arrow::Status::NotImplemented("a number that is the same for all rows");
  const auto* bits = arguments[0].array.GetValues<Bits>(1);
  auto* order = out->array_span_mutable()->GetValues<Bits>(1);
  for (int64_t i = 0; i < arguments.length; ++i) {
    order[i] = bits[i] ^ (bits[i] < 0 ? std::numeric_limits<Bits>::max() : 0);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RegisterTotalOrder(cp::FunctionRegistry* registry) {
  const auto function = std::make_shared<cp::ScalarFunction>(
      kTotalOrder, cp::Arity::Unary(), cp::FunctionDoc("A number's place in the total order", "", {"number"}));
  ARROW_RETURN_NOT_OK(function->AddKernel({arrow::float32()}, arrow::int32(), Order<int32_t>));
  ARROW_RETURN_NOT_OK(function->AddKernel({arrow::float64()}, arrow::int64(), Order<int64_t>));
  return registry->AddFunction(function, true);
}

}  // namespace fewter
