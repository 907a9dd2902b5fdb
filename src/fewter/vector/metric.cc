#include "fewter/vector/metric.h"

#include <array>
#include <utility>

#include <arrow/status.h>

namespace fewter {
namespace {

constexpr std::array<std::pair<Metric, std::string_view>, 4> kNames = {{
    {Metric::kL2, "l2"},
    {Metric::kCosine, "cosine"},
    {Metric::kDot, "dot"},
    {Metric::kHamming, "hamming"},
}};

}  // namespace

std::string_view ToString(Metric metric) {
  for (const auto& [value, name] : kNames) {
    if (value == metric) return name;
  }
  return "unknown";
}

arrow::Result<Metric> ParseMetric(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return arrow::Status::Invalid("distance type: none of l2, cosine, dot and hamming: ", name);
}

}  // namespace fewter
