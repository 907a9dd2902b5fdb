#include "fewter/cli/cache_choice.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <arrow/util/uri.h>

#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/registry/registry.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/status_text.h"

namespace fewter::cli {

namespace {

constexpr int64_t kMemoryBytes = int64_t{1} << 30;

arrow::Result<CachePlace> PlaceOf(const std::string& uri) {
  arrow::util::Uri parsed;
  if (!uri.starts_with("disk://")) return CachePlace{uri, {}};
  if (!parsed.Parse(uri).ok() || !parsed.host().empty() || parsed.path().empty()) {
    return ArgumentError("disk:// needs an absolute path, as in disk:///var/cache/fewter");
  }
  return CachePlace{uri, parsed.path()};
}

}  // namespace

std::string UserCacheFolder() {
  // The specification says to ignore a relative path.
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/fewter";
  const char* home = std::getenv("HOME");
  return home == nullptr || home[0] != '/' ? std::string() : std::string(home) + "/.cache/fewter";
}

arrow::Result<std::shared_ptr<CacheBackend>> OpenCache(const std::string& choice) {
  const size_t slash = choice.find('/');
  // A colon before the first slash would be that of a mistyped URI.
  const bool is_folder = slash != std::string::npos && choice.find(':') > slash;
  if (choice != kDefaultCache && !is_folder) return OpenCacheBackend(choice);
  if (is_folder && choice.find_first_of(",?") != std::string::npos) {
    return ArgumentError("'", choice, "': several tiers, and options, are given by URIs, as in ",
                         "memory://,disk:///var/cache/fewter?capacity=20GiB");
  }
  auto memory = MakeMemoryBackend(kMemoryBytes);
  DiskBackendOptions options;
  options.directory = is_folder ? std::filesystem::absolute(choice).string() : UserCacheFolder();
  options.capacity_bytes = kDefaultDiskBytes;
  if (options.directory.empty()) return memory;
  auto disk = MakeDiskBackend(std::move(options));
  if (!disk.ok()) {
    if (is_folder) return disk.status();
    fmt::print(stderr, "fewter: caching in memory only: {}\n", MessageWithReason(disk.status()));
    return memory;
  }
  return MakeTieredBackend({std::move(memory), *std::move(disk)});
}

void WarnOf(const TierReport& tier) {
  fmt::print(stderr, "fewter: {} is {}: {}\n", tier.kind, ToString(tier.health.state), tier.health.last_message);
}

void WarnOfUnhealthyTiers(const Session& session) {
  const auto warn = [](const CacheBackend& cache) {
    for (const TierReport& tier : cache.Report()) {
      if (tier.health.state != TierState::kHealthy) WarnOf(tier);
    }
  };
  const auto& cache = session.cache().backend();
  const auto& data_cache = session.data_cache().backend();
  warn(*cache);
  if (data_cache != cache) warn(*data_cache);
}

arrow::Result<std::vector<CachePlace>> LastingPlaces(const std::string& choice) {
  if (choice == "none") return ArgumentError("'none' keeps nothing");
  if (choice.empty()) return ArgumentError("which cache? A folder, or a URI such as disk:///var/cache/fewter");
  if (choice == kDefaultCache || choice.find("://") == std::string::npos) {
    const std::string folder = choice == kDefaultCache ? UserCacheFolder() : choice;
    if (folder.empty()) return ArgumentError("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    std::error_code ignored;
    if (choice == kDefaultCache && !std::filesystem::exists(folder, ignored)) {
      fmt::print(stderr, "fewter: nothing is cached: there is no folder '{}' yet\n", Printable(folder));
      return std::vector<CachePlace>();
    }
    return std::vector<CachePlace>{{folder, std::filesystem::absolute(folder).string()}};
  }
  std::vector<CachePlace> places;
  for (const std::string& uri : SplitTiers(choice)) {
    if (uri.starts_with("memory://")) continue;
    ARROW_ASSIGN_OR_RAISE(places.emplace_back(), PlaceOf(uri));
  }
  if (places.empty()) return ArgumentError("'", choice, "' keeps nothing that outlives a process");
  return places;
}

}  // namespace fewter::cli
