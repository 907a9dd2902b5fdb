#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace fewter::cli {

/// Whether a stream may be given colours: it is a terminal that knows some, and NO_COLOR (no-color.org) is not set.
bool HasColours(std::FILE* stream);

/// The text, bold, dim or red where the stream has colours.
std::string Bold(std::string_view text, std::FILE* stream);
std::string Dim(std::string_view text, std::FILE* stream);
std::string Red(std::string_view text, std::FILE* stream);

/// How many characters a line of a terminal has; 0 for what is no terminal.
size_t LineWidth(std::FILE* stream);

/// How many columns a text takes on a terminal: two for the wide characters of East Asia, none for combining ones.
size_t DisplayWidth(std::string_view text);

/// The text, cut off with … so that it takes at most so many columns.
std::string CutToWidth(std::string_view text, size_t width);

/// One line on standard error that says how far something is, if that is a terminal. It is taken away when it is done.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();
  /// Bar and percentage for `done` of `all`, and the text; at most some times a second, and not in the first half.
  void Show(uint64_t done, uint64_t all, std::string_view text);

 private:
  const bool is_on_;
  double next_seconds_;
  bool is_shown_ = false;
};

}  // namespace fewter::cli
