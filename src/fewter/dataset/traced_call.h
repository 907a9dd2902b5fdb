#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "fewter/dataset/session.h"
#include "fewter/util/trace.h"

namespace fewter {

/// Calls `work`, which returns an arrow::Result, as the first span of a trace that the session's listener is told of.
template <typename Work>
auto TracedCall(std::string_view name, const Session& session, const std::string& dataset, Work&& work) {
  TraceRoot trace(name, session.trace_listener());
  if (trace.span().is_traced()) trace.span().Set("fewter.dataset", dataset);
  auto result = std::forward<Work>(work)();
  trace.span().SetStatus(result.status());
  return result;
}

}  // namespace fewter
