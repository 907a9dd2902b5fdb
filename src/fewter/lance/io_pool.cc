#include "fewter/lance/io_pool.h"

#include <memory>

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>

namespace fewter::lance {

arrow::internal::Executor* RemoteIoPool() {
  // Not ended with the process: a thread may still wait for a server then.
  static const std::shared_ptr<arrow::internal::ThreadPool> pool =
      arrow::internal::ThreadPool::MakeEternal(kRemoteRequests).ValueOr(nullptr);
  return pool != nullptr ? pool.get() : arrow::io::default_io_context().executor();
}

}  // namespace fewter::lance
