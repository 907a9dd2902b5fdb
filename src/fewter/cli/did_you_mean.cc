#include "fewter/cli/did_you_mean.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace fewter::cli {

size_t EditDistance(std::string_view from, std::string_view to) {
  // Rows of the usual table, each for a beginning of `from` and all beginnings of `to`.
  std::vector<size_t> before_last;
  std::vector<size_t> last(to.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= from.size(); ++i) {
    std::vector<size_t> row(to.size() + 1, i);
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      const bool is_swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (is_swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& names) {
  // Work grows with the product of the lengths; nobody means a name by a word that long.
  constexpr size_t kLongest = 200;
  if (word.size() > kLongest) return "";
  size_t nearest = std::max<size_t>(word.size() / 3, 1) + 1;
  std::string found;
  for (const std::string& name : names) {
    if (name.size() > kLongest) continue;
    const size_t distance = EditDistance(word, name);
    // What shares nothing with a short word is no slip.
    if (distance >= nearest || distance >= word.size()) continue;
    nearest = distance;
    found = fmt::format("; did you mean '{}'?", name);
  }
  return found;
}

}  // namespace fewter::cli
