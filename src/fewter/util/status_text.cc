#include "fewter/util/status_text.h"

#include <cstring>

#include <arrow/util/io_util.h>
#include <arrow/util/utf8.h>

namespace fewter {

namespace {

/// The bytes of the character that a text begins with; 0 if it is not UTF-8.
size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc0 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf8 ? 4
                                       : 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const bool is_whole =
      length > 0 && length <= text.size() && arrow::util::ValidateUTF8(bytes, static_cast<int64_t>(length));
  return is_whole ? length : 0;
}

bool IsControl(char c) {
  return (static_cast<uint8_t>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

}  // namespace

std::string Printable(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  arrow::util::InitializeUTF8();
  std::string printable;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0 || IsControl(text[0])) {
      const auto byte = static_cast<uint8_t>(text[0]);
      printable += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      text.remove_prefix(1);
    } else {
      printable += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return printable;
}

std::string PrintableName(std::string_view name) {
  std::string line;
  for (const char c : Printable(name)) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += "\\t";
    } else {
      line += c;
    }
  }
  return line;
}

std::string MessageWithReason(const arrow::Status& status) {
  const int error = arrow::internal::ErrnoFromStatus(status);
  const std::string reason = error == 0 ? std::string() : std::strerror(error);
  std::string message = Printable(status.message());
  if (reason.empty() || message.find(reason) != std::string::npos) return message;
  return message + ": " + reason;
}

}  // namespace fewter
