#pragma once

#include <arrow/status.h>

namespace fewter::cli {

/// What the process returns to the shell; documented in docs/cli.md, relied on by scripts.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kRefused = 4,
  kUnreachable = 5,
  kCorruptOrNotSupported = 6,
};

/// The exit code for an error that reached the top.
ExitCode ExitCodeFor(const arrow::Status& status);

}  // namespace fewter::cli
