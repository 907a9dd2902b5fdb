#pragma once

#include <memory>

#include "fewter/cache/backend.h"

namespace fewter {

/// Keeps every entry that has a codec as the bytes of EncodeEntry, verifies and decodes them on each hit, and keeps the
/// other entries alive as they are. Without a limit; entries that are refused stay and are counted at each Get.
///
/// For testing codecs, since a value that comes back has been through its bytes, and as the smallest worked example of
/// a backend.
std::shared_ptr<CacheBackend> MakeSerialisingBackend();

}  // namespace fewter
