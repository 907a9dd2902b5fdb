#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fewter::cli {

/// How many bytes have to be inserted, removed or replaced, or swapped with their neighbours, to make one text of the
/// other, no byte being changed twice ("optimal string alignment").
size_t EditDistance(std::string_view from, std::string_view to);

/// "; did you mean 'title'?" if one of `names` is so near to `word` that it may be a slip, the nearest of them; empty
/// otherwise.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& names);

}  // namespace fewter::cli
