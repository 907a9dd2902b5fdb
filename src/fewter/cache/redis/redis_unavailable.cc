#include "fewter/cache/redis/redis_backend.h"

// What a build without libvalkey has instead of redis_backend.cc.

namespace fewter {

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature is that of the real one.
arrow::Result<std::shared_ptr<CacheBackend>> MakeRedisBackend(RedisBackendOptions /*options*/) {
  return arrow::Status::NotImplemented(
      "this build of fewter has no Redis support: libvalkey was not there when it was built (CMake option "
      "FEWTER_REDIS)");
}

}  // namespace fewter
