#include "fewter/util/status_text.h"

#include <cstring>

#include <arrow/util/io_util.h>

namespace fewter {

std::string MessageWithReason(const arrow::Status& status) {
  const int error = arrow::internal::ErrnoFromStatus(status);
  const std::string reason = error == 0 ? std::string() : std::strerror(error);
  if (reason.empty() || status.message().find(reason) != std::string::npos) return status.message();
  return status.message() + ": " + reason;
}

}  // namespace fewter
