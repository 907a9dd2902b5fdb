#pragma once

#include <string>

#include <arrow/status.h>

namespace fewter {

/// The message with the reason that the system gave, if it is not in it yet.
std::string MessageWithReason(const arrow::Status& status);

}  // namespace fewter
