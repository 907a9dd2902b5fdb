#include <memory>
#include <utility>

#include <arrow/array.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>
#include <arrow/util/bit_util.h>

#include "fewter/filter/list_has_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;

template <typename ListArray>
arrow::Status HasElement(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  if (!arguments[0].is_array() || !arguments[1].is_scalar()) {
    return arrow::Status::NotImplemented("a list that is a literal, or an element that is none");
  }
  const ListArray lists(arguments[0].array.ToArrayData());
  ARROW_ASSIGN_OR_RAISE(
      const arrow::Datum compared,
      cp::CallFunction("equal", {lists.values(), arguments[1].scalar->GetSharedPtr()}, context->exec_context()));
  const arrow::BooleanArray equal(compared.array());
  arrow::ArraySpan* has = out->array_span_mutable();
  for (int64_t i = 0; i < lists.length(); ++i) {
    bool found = false;
    const int64_t begin = lists.value_offset(i);
    for (int64_t j = begin; lists.IsValid(i) && !found && j < begin + lists.value_length(i); ++j) {
      found = equal.IsValid(j) && equal.Value(j);
    }
    arrow::bit_util::SetBitTo(has->buffers[1].data, has->offset + i, found);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RegisterListHas(cp::FunctionRegistry* registry) {
  const auto function = std::make_shared<cp::ScalarFunction>(
      kListHas, cp::Arity::Binary(),
      cp::FunctionDoc("Whether a list has an element", "Null elements equal nothing.", {"list", "element"}));
  const auto add = [&](arrow::Type::type list, cp::ArrayKernelExec exec) {
    return function->AddKernel({cp::InputType(list), cp::InputType()}, arrow::boolean(), exec);
  };
  ARROW_RETURN_NOT_OK(add(arrow::Type::LIST, HasElement<arrow::ListArray>));
  ARROW_RETURN_NOT_OK(add(arrow::Type::LARGE_LIST, HasElement<arrow::LargeListArray>));
  ARROW_RETURN_NOT_OK(add(arrow::Type::FIXED_SIZE_LIST, HasElement<arrow::FixedSizeListArray>));
  return registry->AddFunction(function, true);
}

}  // namespace fewter
