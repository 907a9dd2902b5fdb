#pragma once

#include <arrow/compute/registry.h>
#include <arrow/status.h>

namespace fewter {

/// The function that RegisterListHas makes known.
inline constexpr const char* kListHas = "fewter_list_has";

/// Adds a function of two arguments, a list and a scalar of its elements' type, to a registry: whether the list has an
/// element that equals the value. Null if the list is; elements that are null equal nothing. Arrow has none like it.
arrow::Status RegisterListHas(arrow::compute::FunctionRegistry* registry);

}  // namespace fewter
