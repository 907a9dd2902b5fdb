#pragma once

#include <cstdint>
#include <string_view>

#include <arrow/result.h>

namespace fewter {

/// How far two vectors are apart. Distances are reported as Lance reports them, smaller is nearer:
/// L2 is the sum of squared differences, cosine is 1 - cos, dot is 1 - <q, x>, Hamming is the number of differing bits.
enum class Metric : uint8_t { kL2 = 0, kCosine = 1, kDot = 2, kHamming = 3 };

std::string_view ToString(Metric metric);

/// From Lance's names: l2, cosine, dot, hamming. Invalid for any other.
arrow::Result<Metric> ParseMetric(std::string_view name);

}  // namespace fewter
