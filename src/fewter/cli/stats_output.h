#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fewter/cache/backend.h"
#include "fewter/lance/object_store.h"

namespace fewter::cli {

/// 1536 as "1.5 KiB".
std::string HumanBytes(uint64_t bytes);

/// The "cache" of --stats: hits, misses, loads, bytes and entries of the whole, and "tiers", an object each, with what
/// happened to each type of entry, and faults if there were any.
nlohmann::json CacheStatsJson(const CacheBackend& cache);
void PrintCacheStats(const CacheBackend& cache);

/// The "io" of --stats: requests and bytes by kind.
nlohmann::json IoStatsJson(const lance::IoStats& io);
void PrintIoStats(const lance::IoStats& io);

}  // namespace fewter::cli
