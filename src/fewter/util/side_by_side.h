#pragma once

#include <cstddef>
#include <functional>
#include <limits>

#include <arrow/status.h>

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// Calls work(0) … work(pieces - 1), side by side on the executor's threads and the caller's, and returns when all are
/// done. The order is not defined; `work` must be safe to call from several threads. By at most `threads` of them, the
/// caller's included; with 1 the executor is not asked, and may be null. What the caller works for (WorkContext) its
/// helpers work for, too.
///
/// The caller takes pieces too, so it never waits for a piece that nobody has begun. That matters when it is itself a
/// thread of the pool: with one task a piece, a pool full of waiting threads would stop.
void RunSideBySide(arrow::internal::Executor* executor, size_t pieces, const std::function<void(size_t)>& work,
                   size_t threads = std::numeric_limits<size_t>::max());

/// The same for work that may fail. All of it is done, whatever becomes of the rest; the first error in the order of
/// the pieces if there is one.
arrow::Status TrySideBySide(arrow::internal::Executor* executor, size_t pieces,
                            const std::function<arrow::Status(size_t)>& work,
                            size_t threads = std::numeric_limits<size_t>::max());

}  // namespace fewter
