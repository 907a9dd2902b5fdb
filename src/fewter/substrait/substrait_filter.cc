#include "fewter/substrait/substrait_filter.h"

#include <string_view>
#include <utility>

#include <arrow/engine/substrait/relation.h>
#include <arrow/engine/substrait/serde.h>

#include "fewter/filter/expressions_internal.h"
#include "fewter/substrait/decimals_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

arrow::Result<std::shared_ptr<const Filter>> ReadSubstraitFilter(const arrow::Buffer& message) {
  ARROW_RETURN_NOT_OK(EnsureComputeFunctions());
  ARROW_RETURN_NOT_OK(CheckDecimals(std::string_view(message)));
  const auto read = arrow::engine::DeserializeExpressions(message);
  if (!read.ok()) return ArgumentError("a filter in Substrait: ", read.status().message());
  if (read->named_expressions.size() != 1) {
    return ArgumentError("a filter in Substrait is one expression, not ", read->named_expressions.size());
  }
  // The message refers to columns by their places in its own schema.
  ARROW_ASSIGN_OR_RAISE(auto expression, WithNames(read->named_expressions.front().expression, *read->schema));
  return MakeFilter(std::move(expression));
}

}  // namespace fewter
