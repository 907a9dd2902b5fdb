#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fewter {

/// The one of `names` that `name` is most likely a slip of: at most 2 edits away, and no more than half of its bytes;
/// the first of several. An edit adds, drops or changes a byte or exchanges two neighbours (Damerau, "A technique for
/// computer detection and correction of spelling errors", 1964; no place is edited twice); upper and lower case of
/// ASCII are the same. Empty if there is none, and for names of more than 64 bytes.
std::string SimilarName(std::string_view name, const std::vector<std::string>& names);

/// The end of a message that there is no `name`: "; did you mean 'price'?", or nothing.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& names);

}  // namespace fewter
