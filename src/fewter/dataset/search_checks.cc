#include "fewter/dataset/search_checks_internal.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

/// Without an early end, so that it is done for several at a time.
bool AllFinite(const std::vector<float>& query) {
  unsigned infinite = 0;
  for (const float value : query) infinite |= std::abs(value) <= std::numeric_limits<float>::max() ? 0U : 1U;
  return infinite == 0;
}

}  // namespace

arrow::Status CheckNumbers(const SearchRequest& request) {
  if (request.k == 0) return ArgumentError("k must be at least 1");
  if (request.nprobes == 0) return ArgumentError("nprobes must be at least 1");
  if (std::isnan(request.distance_from.value_or(0)) || std::isnan(request.distance_below.value_or(0))) {
    return ArgumentError("a bound of the distances is not a number");
  }
  if (request.query_parallelism < -1) {
    return ArgumentError("query_parallelism must be at least -1, and is ", request.query_parallelism);
  }
  if (uint64_t{request.k} * std::max(request.refine_factor, 1U) > std::numeric_limits<uint32_t>::max()) {
    return ArgumentError("k times the refine factor is too large: ", request.k, " x ", request.refine_factor);
  }
  if (request.ef != 0 && request.ef < request.k * std::max(request.refine_factor, 1U)) {
    return ArgumentError("ef is ", request.ef, ", and must be at least k times the refine factor, ",
                         request.k * std::max(request.refine_factor, 1U));
  }
  return arrow::Status::OK();
}

arrow::Status CheckQuery(const SearchRequest& request, const std::vector<float>& query, const VectorColumn& column) {
  if (query.size() != column.dimension()) {
    return ArgumentError("the query has ", query.size(), " elements, the vectors of column '", request.column,
                         "' have ", column.dimension());
  }
  const bool is_wide = column.element_type() == ElementType::kFloat32 || column.element_type() == ElementType::kFloat64;
  if (is_wide && AllFinite(query)) return arrow::Status::OK();
  const bool whole = column.element_type() == ElementType::kUint8;
  for (size_t i = 0; i < query.size(); ++i) {
    const float value = query[i];
    if (!std::isfinite(value)) return ArgumentError("element ", i, " of the query is not finite: ", value);
    if (whole && (value != std::floor(value) || value < 0 || value > 255)) {
      return ArgumentError("element ", i, " of the query is ", value, ", and column '", request.column,
                           "' holds whole numbers from 0 to 255");
    }
    if (!std::isfinite(RoundTo(column.element_type(), value))) {
      return ArgumentError("element ", i, " of the query is ", value, ", beyond what ", ToString(column.element_type()),
                           " holds");
    }
  }
  return arrow::Status::OK();
}

}  // namespace fewter
