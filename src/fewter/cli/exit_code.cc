#include "fewter/cli/exit_code.h"

#include <cerrno>
#include <string_view>

#include <arrow/util/io_util.h>

#include "fewter/lance/retry.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

ExitCode ForErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return kNotFound;
    case EACCES:
    case EPERM:
      return kRefused;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return kUnreachable;
    default:
      return kFailed;
  }
}

/// Object stores give no errno; what went wrong is in the words of Arrow's message.
ExitCode ForWords(const arrow::Status& status) {
  const auto says = [&](std::string_view words) { return status.message().find(words) != std::string::npos; };
  // An object that stays shorter than the manifest says is not the one that was written.
  if (says(lance::kShortAnswer) || says("(HTTP status 416)")) return kCorruptOrNotSupported;
  if (lance::IsTransient(status)) return kUnreachable;
  for (const char* words :
       {"NETWORK_CONNECTION", "Failed to connect", "Could not connect", "resolve host", "(UNAVAILABLE"}) {
    if (says(words)) return kUnreachable;
  }
  for (const char* words : {"ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "ExpiredToken", "HTTP status 403", "] 403 "}) {
    if (says(words)) return kRefused;
  }
  return kFailed;
}

}  // namespace

ExitCode ExitCodeFor(const arrow::Status& status) {
  if (status.ok()) return kOk;
  if (IsArgumentError(status)) return kUsage;
  if (status.IsKeyError()) return kNotFound;
  // What Google's client makes of keys that are none.
  if (status.message().find("Invalid ServiceAccountCredentials") != std::string::npos) return kRefused;
  if (status.IsInvalid() || status.IsNotImplemented() || status.IsSerializationError()) return kCorruptOrNotSupported;
  if (status.IsIOError()) {
    const int error = arrow::internal::ErrnoFromStatus(status);
    return error != 0 ? ForErrno(error) : ForWords(status);
  }
  return kFailed;
}

}  // namespace fewter::cli
