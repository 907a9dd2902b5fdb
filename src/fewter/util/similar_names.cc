#include "fewter/util/similar_names.h"

#include <algorithm>
#include <cstddef>

namespace fewter {

namespace {

constexpr size_t kMostEdits = 2;
/// Of a name that is looked for: whoever mistypes a longer one, or sends one to keep us busy, gets no suggestion.
constexpr size_t kLongestName = 64;

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

/// The optimal string alignment distance.
size_t EditsBetween(std::string_view a, std::string_view b) {
  // Of the first i bytes of `a` from the first j of `b`; the rows for i - 2, i - 1 and i.
  std::vector<size_t> before_last, last(b.size() + 1), edits(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    edits[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool is_same = a[i - 1] == b[j - 1];
      edits[j] = std::min({last[j] + 1, edits[j - 1] + 1, last[j - 1] + (is_same ? 0 : 1)});
      const bool is_exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_exchanged) edits[j] = std::min(edits[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = edits;
  }
  return last[b.size()];
}

}  // namespace

std::string SimilarName(std::string_view name, const std::vector<std::string>& names) {
  if (name.size() > kLongestName) return "";
  const std::string wanted = ToLower(name);
  std::string nearest;
  size_t fewest = std::min(kMostEdits, name.size() / 2) + 1;
  for (const std::string& other : names) {
    if (other.size() > name.size() + kMostEdits) continue;
    const size_t edits = EditsBetween(wanted, ToLower(other));
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = other;
  }
  return nearest;
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& names) {
  const std::string similar = SimilarName(name, names);
  return similar.empty() ? "" : "; did you mean '" + similar + "'?";
}

}  // namespace fewter
