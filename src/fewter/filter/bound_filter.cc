#include "fewter/filter/bound_filter.h"

#include <algorithm>
#include <set>
#include <utility>

#include <arrow/array.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/initialize.h>
#include <arrow/compute/registry.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/key_value_metadata.h>

#include "fewter/filter/expressions_internal.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

/// Whether the field or one below it holds JSON, as its metadata says.
bool HoldsJson(const arrow::Field& field) {
  if (field.HasMetadata()) {
    const auto extension = field.metadata()->Get("ARROW:extension:name");
    if (extension.ok() && *extension == "lance.json") return true;
  }
  const auto& below = field.type()->fields();
  return std::any_of(below.begin(), below.end(), [](const auto& child) { return HoldsJson(*child); });
}

/// An argument error if JSON is asked for anything but whether it is null. The bytes that it is stored as compare, but
/// not as what they stand for.
arrow::Status CheckJson(const arrow::compute::Expression& expression, const arrow::Schema& table) {
  if (const arrow::FieldRef* reference = expression.field_ref()) {
    ARROW_ASSIGN_OR_RAISE(const auto field, reference->GetOne(table));
    if (!HoldsJson(*field)) return arrow::Status::OK();
    return ArgumentError("column '", field->name(), "' holds JSON, which a filter can only test for being null");
  }
  const auto* call = expression.call();
  if (call == nullptr) return arrow::Status::OK();
  const bool is_test = call->function_name == "is_null" || call->function_name == "is_valid";
  for (const auto& argument : call->arguments) {
    if (!is_test || argument.field_ref() == nullptr) ARROW_RETURN_NOT_OK(CheckJson(argument, table));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status EnsureComputeFunctions() {
  static const arrow::Status outcome = [] {
    ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
    auto* registry = arrow::compute::GetFunctionRegistry();
    ARROW_RETURN_NOT_OK(RegisterListFunctions(registry));
    ARROW_RETURN_NOT_OK(RegisterDecimalFunctions(registry));
    ARROW_RETURN_NOT_OK(RegisterTotalOrder(registry));
    ARROW_RETURN_NOT_OK(RegisterTextFunctions(registry));
    return RegisterTextMatching(registry);
  }();
  return outcome;
}

arrow::Result<BoundFilter> BoundFilter::Make(const Filter& filter, const arrow::Schema& table) {
  ARROW_RETURN_NOT_OK(EnsureComputeFunctions());
  ARROW_ASSIGN_OR_RAISE(auto expression, filter.Resolve(table));
  std::set<std::string> named;
  for (const auto& reference : arrow::compute::FieldsInExpression(expression)) {
    ARROW_ASSIGN_OR_RAISE(auto names, NamesOf(reference, table));
    named.insert(std::move(names.front()));
  }
  ARROW_RETURN_NOT_OK(CheckJson(expression, table));
  arrow::FieldVector fields;
  for (const auto& field : table.fields()) {
    if (named.contains(field->name())) fields.push_back(field);
  }
  auto columns = arrow::schema(std::move(fields));
  ARROW_ASSIGN_OR_RAISE(const auto bytes, arrow::compute::Serialize(expression));
  auto bound = expression.Bind(*columns);
  if (!bound.ok()) return ArgumentError("the filter does not fit the dataset: ", bound.status().message());
  if (bound->type()->id() != arrow::Type::BOOL) {
    return ArgumentError("a filter is true or false for a row, and this one is ", bound->type()->ToString());
  }
  if (!bound->IsScalarExpression()) return ArgumentError("a filter looks at one row at a time, and this one does not");
  return BoundFilter(std::move(columns), *std::move(bound), bytes->ToString());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> BoundFilter::Evaluate(const arrow::RecordBatch& rows) const {
  const auto evaluated = arrow::compute::ExecuteScalarExpression(expression_, arrow::compute::ExecBatch(rows));
  if (!evaluated.ok()) return ArgumentError("the filter has no value for a row: ", evaluated.status().message());
  const arrow::Datum& outcome = *evaluated;
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> taken, arrow::AllocateEmptyBitmap(rows.num_rows()));
  if (outcome.is_scalar()) {
    const auto& scalar = outcome.scalar_as<arrow::BooleanScalar>();
    arrow::bit_util::SetBitsTo(taken->mutable_data(), 0, rows.num_rows(), scalar.is_valid && scalar.value);
    return taken;
  }
  if (!outcome.is_array() || outcome.length() != rows.num_rows()) {
    return arrow::Status::Invalid("a filter gave ", outcome.length(), " values for ", rows.num_rows(), " rows");
  }
  const arrow::ArrayData& values = *outcome.array();
  const uint8_t* bits = values.buffers[1]->data();
  if (values.MayHaveNulls()) {
    arrow::internal::BitmapAnd(bits, values.offset, values.buffers[0]->data(), values.offset, values.length, 0,
                               taken->mutable_data());
  } else {
    arrow::internal::CopyBitmap(bits, values.offset, values.length, taken->mutable_data(), 0);
  }
  return taken;
}

}  // namespace fewter
