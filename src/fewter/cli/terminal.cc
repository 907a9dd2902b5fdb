#include "fewter/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace fewter::cli {

namespace {

struct CodePoints {
  uint32_t first;
  uint32_t last;
};

/// Wide or full width in Unicode's EastAsianWidth.txt, in large blocks; emoji among them.
constexpr std::array kWide = {CodePoints{0x1100, 0x115f},   CodePoints{0x2e80, 0x303e},   CodePoints{0x3041, 0xa4cf},
                              CodePoints{0xa960, 0xa97f},   CodePoints{0xac00, 0xd7a3},   CodePoints{0xf900, 0xfaff},
                              CodePoints{0xfe30, 0xfe6f},   CodePoints{0xff00, 0xff60},   CodePoints{0xffe0, 0xffe6},
                              CodePoints{0x1f300, 0x1f64f}, CodePoints{0x1f680, 0x1f6ff}, CodePoints{0x1f900, 0x1f9ff},
                              CodePoints{0x20000, 0x3fffd}};
/// Combining marks, joiners and variation selectors.
constexpr std::array kZero = {CodePoints{0x0300, 0x036f}, CodePoints{0x200b, 0x200f}, CodePoints{0x20d0, 0x20ff},
                              CodePoints{0xfe00, 0xfe0f}};

bool IsIn(uint32_t code_point, const auto& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const CodePoints& range) { return range.first <= code_point && code_point <= range.last; });
}

/// Takes the first character off a text of valid UTF-8, and returns its width.
size_t NextWidth(std::string_view* text) {
  const auto first = static_cast<uint8_t>(text->front());
  const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  uint32_t code_point = length == 1 ? first : first & (0x7fU >> length);
  for (size_t i = 1; i < std::min(length, text->size()); ++i) {
    code_point = code_point << 6 | (static_cast<uint8_t>((*text)[i]) & 0x3f);
  }
  text->remove_prefix(std::min(length, text->size()));
  if (IsIn(code_point, kZero)) return 0;
  return IsIn(code_point, kWide) ? 2 : 1;
}

std::string Styled(std::string_view text, const char* style, std::FILE* stream) {
  return HasColours(stream) ? fmt::format("\x1b[{}m{}\x1b[0m", style, text) : std::string(text);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

bool HasColours(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (refused == nullptr || *refused == '\0') && terminal != nullptr && std::string_view(terminal) != "dumb" &&
         isatty(fileno(stream)) != 0;
}

std::string Bold(std::string_view text, std::FILE* stream) {
  return Styled(text, "1", stream);
}

std::string Dim(std::string_view text, std::FILE* stream) {
  return Styled(text, "2", stream);
}

std::string Red(std::string_view text, std::FILE* stream) {
  return Styled(text, "31", stream);
}

size_t LineWidth(std::FILE* stream) {
  winsize size = {};
  if (isatty(fileno(stream)) == 0) return 0;
  constexpr size_t kUsual = 80;
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += NextWidth(&text);
  return width;
}

std::string CutToWidth(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string_view rest = text;
  size_t kept = 0;
  size_t used = 0;
  while (true) {
    used += NextWidth(&rest);
    if (used + 1 > width) return std::string(text.substr(0, kept)) + "…";
    kept = text.size() - rest.size();
  }
}

ProgressLine::ProgressLine() : is_on_(isatty(STDERR_FILENO) != 0), next_seconds_(Now() + 0.5) {}

ProgressLine::~ProgressLine() {
  if (is_shown_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::Show(uint64_t done, uint64_t all, std::string_view text) {
  if (!is_on_ || Now() < next_seconds_) return;
  next_seconds_ = Now() + 0.1;
  is_shown_ = true;
  constexpr size_t kBar = 24;
  const double share = all == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
  const auto filled = static_cast<size_t>(share * kBar);
  fmt::print(stderr, "\r\x1b[K[{}{}] {:3.0f} %  {}", std::string(filled, '#'), std::string(kBar - filled, '.'),
             share * 100, text);
  std::fflush(stderr);
}

}  // namespace fewter::cli
