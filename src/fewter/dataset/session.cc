#include "fewter/dataset/session.h"

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>

#include "fewter/cache/memory_backend.h"

namespace fewter {

std::shared_ptr<Session> Session::Make(SessionOptions options) {
  if (options.cache == nullptr) options.cache = MakeMemoryBackend(SessionOptions::kDefaultCacheBytes);
  if (options.data_cache == nullptr) options.data_cache = options.cache;
  arrow::internal::Executor* const own_io_executor = options.io_executor;
  if (options.io_executor == nullptr) options.io_executor = arrow::io::default_io_context().executor();
  if (options.cpu_executor == nullptr) options.cpu_executor = arrow::internal::GetCpuThreadPool();
  return std::shared_ptr<Session>(new Session(options, own_io_executor));
}

}  // namespace fewter
