#include "fewter/filter/sql_lists.h"

#include <memory>
#include <utility>

#include "fewter/filter/common_type.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/filter/sql_compare.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using Types = std::shared_ptr<arrow::DataType>;
using Result = arrow::Result<SqlValue>;

arrow::Status RequireList(const SqlValue& value) {
  if (IsList(*value.type)) return arrow::Status::OK();
  return ArgumentError("it takes a list, and this is ", value.type->ToString());
}

Types ElementOf(const SqlValue& list) {
  return static_cast<const arrow::BaseListType&>(*list.type).value_type();
}

/// A list with elements of another type.
Result WithElements(const SqlValue& list, const Types& element) {
  if (ElementOf(list)->Equals(*element)) return list;
  return Cast(list, list.type->id() == arrow::Type::LARGE_LIST ? arrow::large_list(element) : arrow::list(element));
}

/// The type in which elements are compared with a value, or with a literal list's; texts of one kind, numbers of one.
arrow::Result<Types> ElementsMeet(const Types& element, const Types& other) {
  auto common = CommonType(element, other);
  if (common == nullptr || arrow::is_nested(common->id())) {
    return ArgumentError("elements of ", element->ToString(), " and ", other->ToString(), " are not comparable");
  }
  return common;
}

/// As an element's type, if the literal is one of its values: an int8 that fits, a decimal.
SqlValue NearTo(const Types& element, const SqlValue& value) {
  if (value.literal == nullptr || value.type->id() == arrow::Type::NA) return value;
  return CoerceLiteral(value, element).value_or(value);
}

}  // namespace

Result ListHas(const SqlValue& list, const SqlValue& value) {
  ARROW_RETURN_NOT_OK(RequireList(list));
  SqlValue wanted = NearTo(ElementOf(list), value);
  ARROW_ASSIGN_OR_RAISE(const auto common, ElementsMeet(ElementOf(list), wanted.type));
  ARROW_ASSIGN_OR_RAISE(const auto elements, WithElements(list, common));
  ARROW_ASSIGN_OR_RAISE(wanted, Cast(wanted, common));
  return Call(kListHas, {elements, wanted});
}

Result ListHasSome(bool all, const SqlValue& list, const SqlValue& wanted) {
  if (wanted.type->id() == arrow::Type::NA) return Literal(arrow::MakeNullScalar(arrow::boolean()));
  ARROW_RETURN_NOT_OK(RequireList(list));
  ARROW_RETURN_NOT_OK(RequireList(wanted));
  SqlValue other = wanted;
  if (wanted.literal != nullptr) {
    // Also of a list that is null, as in Lance.
    if (wanted.elements.empty()) return Literal(arrow::MakeScalar(all));
    for (SqlValue& element : other.elements) element = NearTo(ElementOf(list), element);
    ARROW_ASSIGN_OR_RAISE(other, ListLiteral(std::move(other.elements)));
  }
  ARROW_ASSIGN_OR_RAISE(const auto common, ElementsMeet(ElementOf(list), ElementOf(other)));
  ARROW_ASSIGN_OR_RAISE(const auto elements, WithElements(list, common));
  ARROW_ASSIGN_OR_RAISE(const auto others, WithElements(other, common));
  return Call(all ? kListHasAll : kListHasAny, {elements, others});
}

Result ListElement(const SqlValue& list, const SqlValue& place) {
  ARROW_RETURN_NOT_OK(RequireList(list));
  if (!arrow::is_integer(place.type->id()) && place.type->id() != arrow::Type::NA) {
    return ArgumentError("an element's place is an integer, and this is ", place.type->ToString());
  }
  ARROW_ASSIGN_OR_RAISE(const auto number, Cast(place, arrow::int64()));
  return Call(kListElement, {list, number});
}

Result ListLength(const SqlValue& list) {
  ARROW_RETURN_NOT_OK(RequireList(list));
  return Call("list_value_length", {list});
}

}  // namespace fewter
