#pragma once

#include <string_view>

#include <arrow/status.h>

namespace fewter {

/// An argument error if a decimal type or literal anywhere in a Substrait message has a precision that no decimal has:
/// Arrow's reader ends the process for it.
arrow::Status CheckDecimals(std::string_view message);

}  // namespace fewter
