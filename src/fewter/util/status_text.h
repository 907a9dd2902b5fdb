#pragma once

#include <string>
#include <string_view>

#include <arrow/status.h>

namespace fewter {

/// The text with what is not UTF-8, and control characters but for line feeds and tabs, as \\xNN: names in a message
/// may hold anything, and a terminal obeys some of it.
std::string Printable(std::string_view text);

/// The same on one line, with line feeds and tabs as \\n and \\t.
std::string PrintableName(std::string_view name);

/// The message, printable, with the reason that the system gave, if it is not in it yet.
std::string MessageWithReason(const arrow::Status& status);

}  // namespace fewter
