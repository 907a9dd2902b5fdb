#pragma once

#include <cstddef>
#include <functional>

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// Calls work(0) … work(pieces - 1), side by side on the executor's threads and the caller's, and returns when all are
/// done. The order is not defined; `work` must be safe to call from several threads.
///
/// The caller takes pieces too, so it never waits for a piece that nobody has begun. That matters when it is itself a
/// thread of the pool: with one task a piece, a pool full of waiting threads would stop.
void RunSideBySide(arrow::internal::Executor* executor, size_t pieces, const std::function<void(size_t)>& work);

}  // namespace fewter
