#pragma once

#include <arrow/compute/registry.h>
#include <arrow/status.h>

/// Compute functions that Arrow has none like. They do what Lance (DataFusion) does.

namespace fewter {

/// A list and a value of its elements' type: whether the list has an element that equals the value. Null elements equal
/// nothing.
inline constexpr const char* kListHas = "fewter_list_has";
/// Two lists: whether the first has any, or all, of the second's elements. Nulls equal each other.
inline constexpr const char* kListHasAny = "fewter_list_has_any";
inline constexpr const char* kListHasAll = "fewter_list_has_all";
/// A list and an int64: the element at that place, counted from 1, or from the end if it is negative; null if there is
/// none.
inline constexpr const char* kListElement = "fewter_list_element";
arrow::Status RegisterListFunctions(arrow::compute::FunctionRegistry* registry);

/// Two values of decimal256, whatever their digits. A sum has the larger scale, a product the sum of both, a quotient
/// four digits more than what is divided, unless these are more than 38, and is cut there. What 76 digits do not hold,
/// and a division by 0, is an error.
inline constexpr const char* kDecimalAdd = "fewter_decimal_add";
inline constexpr const char* kDecimalSubtract = "fewter_decimal_subtract";
inline constexpr const char* kDecimalMultiply = "fewter_decimal_multiply";
inline constexpr const char* kDecimalDivide = "fewter_decimal_divide";
inline constexpr const char* kDecimalRemainder = "fewter_decimal_remainder";
arrow::Status RegisterDecimalFunctions(arrow::compute::FunctionRegistry* registry);

/// A float or double as an integer of the same width, in IEEE 754's total order: NaN with a sign, negative numbers, -0,
/// 0, positive numbers, NaN.
inline constexpr const char* kTotalOrder = "fewter_total_order";
arrow::Status RegisterTotalOrder(arrow::compute::FunctionRegistry* registry);

/// A float, double, decimal, date64, time, or timestamp without a zone as text.
inline constexpr const char* kTextOf = "fewter_text_of";
/// The same of a timestamp with a zone; the second argument is its local time.
inline constexpr const char* kZonedTextOf = "fewter_zoned_text_of";
arrow::Status RegisterTextFunctions(arrow::compute::FunctionRegistry* registry);

/// Two large texts: whether the first contains the second, begins or ends with it, or is LIKE it. Arrow's functions
/// take one text for all rows.
inline constexpr const char* kTextContains = "fewter_text_contains";
inline constexpr const char* kTextStartsWith = "fewter_text_starts_with";
inline constexpr const char* kTextEndsWith = "fewter_text_ends_with";
inline constexpr const char* kTextLike = "fewter_text_like";
arrow::Status RegisterTextMatching(arrow::compute::FunctionRegistry* registry);

}  // namespace fewter
