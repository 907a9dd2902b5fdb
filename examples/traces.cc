/// Prints what a search waits for: the spans of its trace, each below what it is a part of.
///
///     traces DATASET COLUMN ROW

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include <fmt/core.h>

#include "fewter/dataset/dataset.h"

namespace {

/// As a tree, in the order in which the spans began, with the milliseconds from the trace's begin to theirs and to
/// their end. A listener for OpenTelemetry is in docs/metrics.md.
void Print(const fewter::Trace& trace) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  std::vector<size_t> depths;
  for (const fewter::Span& span : trace) {
    depths.push_back(span.parent ? depths[*span.parent] + 1 : 0);
    const Milliseconds begin = span.begin - trace.front().begin, end = span.end - trace.front().begin;
    fmt::print("{:8.3f} {:8.3f} {:{}}{}", begin.count(), end.count(), "", 2 * depths.back(), span.name);
    for (const auto& [name, value] : span.attributes) {
      std::visit([&, name = name](const auto& one) { fmt::print(" {}={}", name, one); }, value);
    }
    fmt::print("{}\n", span.status.ok() ? "" : " failed: " + span.status.message());
  }
}

arrow::Status Run(const std::string& uri, const std::string& column, uint64_t row) {
  const auto session = fewter::Session::Make({.trace_listener = Print});
  ARROW_ASSIGN_OR_RAISE(const auto dataset, fewter::Dataset::Open(uri, {.session = session}));
  ARROW_ASSIGN_OR_RAISE(const auto query, dataset->ReadVector(column, row));
  return dataset->Search({.column = column, .query = query, .k = 5, .nprobes = 4, .refine_factor = 2}).status();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: traces DATASET COLUMN ROW\n";
    return 2;
  }
  const arrow::Status status = Run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10));
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
