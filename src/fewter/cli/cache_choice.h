#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "fewter/cache/backend.h"
#include "fewter/dataset/session.h"

namespace fewter::cli {

/// What --cache means when it is not given: a folder, the user's cache folder.
inline constexpr const char* kDefaultCache = "default";
/// What says which cache there is when no option does.
inline constexpr const char* kCacheVariable = "FEWTER_CACHE";
/// The most that such a folder holds.
inline constexpr int64_t kDefaultDiskBytes = int64_t{5} << 30;

/// $XDG_CACHE_HOME/fewter, or ~/.cache/fewter; empty if there is neither.
std::string UserCacheFolder();

/// The cache that an option names: a URI; a folder, which is what has a '/' in it, as memory over a disk cache there;
/// or "default". A default cache whose folder cannot be used is memory only, and says so on standard error.
arrow::Result<std::shared_ptr<CacheBackend>> OpenCache(const std::string& choice);

/// Says on standard error that a tier is not healthy, and why.
void WarnOf(const TierReport& tier);
/// The same of every tier of a session's caches that is not: what was asked for has been answered without it.
void WarnOfUnhealthyTiers(const Session& session);

/// One tier of a cache that is given to `fewter cache`: a folder or URI.
struct CachePlace {
  std::string uri;
  /// The folder of a disk cache; empty for other kinds.
  std::string folder;
};

/// The tiers of "default", a folder, or a URI; without those that live and die with a process.
arrow::Result<std::vector<CachePlace>> LastingPlaces(const std::string& choice);

}  // namespace fewter::cli
