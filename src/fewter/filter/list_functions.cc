#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>
#include <arrow/scalar.h>
#include <arrow/util/bit_util.h>

#include "fewter/filter/functions_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;

/// The lists of an argument, one a row, or one for all rows.
struct Lists {
  std::shared_ptr<arrow::Array> values;
  /// Where each list begins among the values, and how many it has.
  std::vector<std::pair<int64_t, int64_t>> ranges;

  const std::pair<int64_t, int64_t>& At(int64_t row) const {
    return ranges.size() == 1 ? ranges.front() : ranges[static_cast<size_t>(row)];
  }
};

template <typename ListArray>
Lists ListsOfArray(const arrow::ArraySpan& span) {
  const ListArray lists(span.ToArrayData());
  Lists made{.values = lists.values(), .ranges = {}};
  made.ranges.reserve(static_cast<size_t>(lists.length()));
  for (int64_t i = 0; i < lists.length(); ++i) {
    made.ranges.emplace_back(lists.value_offset(i), lists.IsValid(i) ? lists.value_length(i) : 0);
  }
  return made;
}

arrow::Result<Lists> ListsOf(const cp::ExecValue& argument) {
  const arrow::Type::type id = argument.type()->id();
  if (argument.is_scalar() && arrow::is_list_like(id) && id != arrow::Type::MAP) {
    const auto& list = static_cast<const arrow::BaseListScalar&>(*argument.scalar);
    if (list.is_valid) return Lists{.values = list.value, .ranges = {{0, list.value->length()}}};
    ARROW_ASSIGN_OR_RAISE(auto none, arrow::MakeEmptyArray(argument.type()->field(0)->type()));
    return Lists{.values = std::move(none), .ranges = {{0, 0}}};
  }
  switch (id) {
    case arrow::Type::LIST:
      return ListsOfArray<arrow::ListArray>(argument.array);
    case arrow::Type::LARGE_LIST:
      return ListsOfArray<arrow::LargeListArray>(argument.array);
    case arrow::Type::FIXED_SIZE_LIST:
      return ListsOfArray<arrow::FixedSizeListArray>(argument.array);
    default:
      return arrow::Status::TypeError("a list is expected, and this is ", argument.type()->ToString());
  }
}

/// Each value as a list of one.
arrow::Result<Lists> ListsOfOne(const cp::ExecValue& argument) {
  Lists made;
  if (argument.is_scalar()) {
    ARROW_ASSIGN_OR_RAISE(made.values, arrow::MakeArrayFromScalar(*argument.scalar, 1));
  } else {
    made.values = argument.array.ToArray();
  }
  for (int64_t i = 0; i < made.values->length(); ++i) made.ranges.emplace_back(i, 1);
  return made;
}

/// Numbers that are the same for equal values of two arrays, those of the second behind those of the first.
arrow::Result<std::shared_ptr<arrow::Array>> CodesOf(const Lists& left, const Lists& right, cp::ExecContext* context) {
  if (!left.values->type()->Equals(*right.values->type())) {
    return arrow::Status::TypeError("lists of ", left.values->type()->ToString(), " and ",
                                    right.values->type()->ToString());
  }
  if (left.values->type_id() == arrow::Type::DICTIONARY) {
    return arrow::Status::NotImplemented("lists of ", left.values->type()->ToString());
  }
  ARROW_ASSIGN_OR_RAISE(const auto all, arrow::Concatenate({left.values, right.values}, context->memory_pool()));
  ARROW_ASSIGN_OR_RAISE(
      const arrow::Datum encoded,
      cp::DictionaryEncode(all, cp::DictionaryEncodeOptions(cp::DictionaryEncodeOptions::ENCODE), context));
  return static_cast<const arrow::DictionaryArray&>(*encoded.make_array()).indices();
}

enum class Wanted { kOne, kAny, kAll };

template <Wanted kWanted>
arrow::Status Has(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  ARROW_ASSIGN_OR_RAISE(const Lists left, ListsOf(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(const Lists right, kWanted == Wanted::kOne ? ListsOfOne(arguments[1]) : ListsOf(arguments[1]));
  ARROW_ASSIGN_OR_RAISE(const auto codes, CodesOf(left, right, context->exec_context()));
  const std::span<const int32_t> all(static_cast<const arrow::Int32Array&>(*codes).raw_values(),
                                     static_cast<size_t>(codes->length()));
  const auto of_left = all.first(static_cast<size_t>(left.values->length()));
  const auto of_right = all.subspan(of_left.size());
  const auto at = [](std::span<const int32_t> values, const std::pair<int64_t, int64_t>& range) {
    return values.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.second));
  };
  arrow::ArraySpan* has = out->array_span_mutable();
  for (int64_t row = 0; row < arguments.length; ++row) {
    const auto list = at(of_left, left.At(row));
    const auto wanted = at(of_right, right.At(row));
    const auto is_there = [&](int32_t code) { return std::find(list.begin(), list.end(), code) != list.end(); };
    const bool found = kWanted == Wanted::kAll ? std::all_of(wanted.begin(), wanted.end(), is_there)
                                               : std::any_of(wanted.begin(), wanted.end(), is_there);
    arrow::bit_util::SetBitTo(has->buffers[1].data, has->offset + row, found);
  }
  return arrow::Status::OK();
}

/// Nothing if the place is null.
std::pair<int64_t, bool> PlaceAt(const cp::ExecValue& places, int64_t row) {
  if (places.is_scalar()) {
    return {static_cast<const arrow::Int64Scalar&>(*places.scalar).value, places.scalar->is_valid};
  }
  return {places.array.GetValues<int64_t>(1)[row], places.array.IsValid(row)};
}

arrow::Status ElementAt(cp::KernelContext* context, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  ARROW_ASSIGN_OR_RAISE(const Lists lists, ListsOf(arguments[0]));
  arrow::Int64Builder indices(context->memory_pool());
  ARROW_RETURN_NOT_OK(indices.Reserve(arguments.length));
  for (int64_t row = 0; row < arguments.length; ++row) {
    const auto [place, is_valid] = PlaceAt(arguments[1], row);
    const auto [begin, length] = lists.At(row);
    if (is_valid && place > 0 && place <= length) {
      indices.UnsafeAppend(begin + place - 1);
    } else if (is_valid && place < 0 && place >= -length) {
      indices.UnsafeAppend(begin + length + place);
    } else {
      indices.UnsafeAppendNull();
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto taken, indices.Finish());
  ARROW_ASSIGN_OR_RAISE(const arrow::Datum elements,
                        cp::Take(lists.values, taken, cp::TakeOptions::NoBoundsCheck(), context->exec_context()));
  out->value = elements.array();
  return arrow::Status::OK();
}

arrow::Result<arrow::TypeHolder> ElementType(cp::KernelContext*, const std::vector<arrow::TypeHolder>& arguments) {
  const arrow::DataType& type = *arguments[0].type;
  if (!arrow::is_list_like(type.id()) || type.id() == arrow::Type::MAP) {
    return arrow::Status::TypeError("a list is expected, and this is ", type.ToString());
  }
  return arrow::TypeHolder(static_cast<const arrow::BaseListType&>(type).value_type());
}

arrow::Status RegisterHas(const char* name, cp::ArrayKernelExec exec, cp::FunctionRegistry* registry) {
  const auto function = std::make_shared<cp::ScalarFunction>(
      name, cp::Arity::Binary(), cp::FunctionDoc("Whether a list has elements", "", {"list", "wanted"}));
  ARROW_RETURN_NOT_OK(function->AddKernel({cp::InputType(), cp::InputType()}, arrow::boolean(), exec));
  return registry->AddFunction(function, true);
}

}  // namespace

arrow::Status RegisterListFunctions(cp::FunctionRegistry* registry) {
  ARROW_RETURN_NOT_OK(RegisterHas(kListHas, Has<Wanted::kOne>, registry));
  ARROW_RETURN_NOT_OK(RegisterHas(kListHasAny, Has<Wanted::kAny>, registry));
  ARROW_RETURN_NOT_OK(RegisterHas(kListHasAll, Has<Wanted::kAll>, registry));
  const auto element = std::make_shared<cp::ScalarFunction>(
      kListElement, cp::Arity::Binary(), cp::FunctionDoc("An element of a list", "", {"list", "place"}));
  cp::ScalarKernel kernel({cp::InputType(), arrow::int64()}, cp::OutputType(ElementType), ElementAt);
  kernel.null_handling = cp::NullHandling::COMPUTED_NO_PREALLOCATE;
  kernel.mem_allocation = cp::MemAllocation::NO_PREALLOCATE;
  ARROW_RETURN_NOT_OK(element->AddKernel(std::move(kernel)));
  return registry->AddFunction(element, true);
}

}  // namespace fewter
