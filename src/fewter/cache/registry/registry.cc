#include "fewter/cache/registry/registry.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <arrow/util/uri.h>

#include "fewter/cache/byte_size.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/tiered_backend.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

constexpr int64_t kDefaultMemoryCapacity = int64_t{1} << 30;

using Backend = arrow::Result<std::shared_ptr<CacheBackend>>;

/// Messages never repeat a URI: what is wrong with it may be where its password ends.
arrow::Result<arrow::util::Uri> Parse(const std::string& text) {
  arrow::util::Uri uri;
  if (uri.Parse(text).ok()) return uri;
  return ArgumentError("the cache URI that begins with ", text.substr(0, text.find(':')),
                       ":// is malformed; write blanks and special characters as %20 and the like");
}

arrow::Result<bool> ParseFlag(std::string_view name, std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return ArgumentError("option ", name, " is '", value, "', which is neither true nor false");
}

Backend OpenMemory(const std::string& text) {
  ARROW_ASSIGN_OR_RAISE(const auto uri, Parse(text));
  if (!uri.host().empty() || !uri.path().empty()) {
    return ArgumentError("memory:// takes no host or path");
  }
  int64_t capacity = kDefaultMemoryCapacity;
  ARROW_ASSIGN_OR_RAISE(const auto options, uri.query_items());
  for (const auto& [name, value] : options) {
    if (name != "capacity") return ArgumentError("memory:// has no option '", name, "'");
    ARROW_ASSIGN_OR_RAISE(capacity, ParseByteSize(value));
  }
  return MakeMemoryBackend(capacity);
}

Backend OpenDisk(const std::string& text) {
  ARROW_ASSIGN_OR_RAISE(const auto uri, Parse(text));
  DiskBackendOptions disk;
  disk.directory = uri.path();
  if (!uri.host().empty() || disk.directory.empty()) {
    return ArgumentError("disk:// needs an absolute path, as in disk:///var/cache/fewter");
  }
  if (disk.directory.find('\0') != std::string::npos) return ArgumentError("disk:// has a path with a zero byte");
  ARROW_ASSIGN_OR_RAISE(const auto options, uri.query_items());
  for (const auto& [name, value] : options) {
    if (name == "capacity") {
      ARROW_ASSIGN_OR_RAISE(disk.capacity_bytes, ParseByteSize(value));
    } else if (name == "copy") {
      ARROW_ASSIGN_OR_RAISE(disk.copy, ParseFlag(name, value));
    } else {
      return ArgumentError("disk:// has no option '", name, "'");
    }
  }
  return MakeDiskBackend(std::move(disk));
}

Backend OpenRedis(const std::string& text) {
  ARROW_ASSIGN_OR_RAISE(auto options, ParseRedisUri(text));
  return MakeRedisBackend(std::move(options));
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsKindCharacter(char c) {
  return IsLetter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/// The length of the kind that `text` begins with, if "://" follows it; 0 otherwise.
size_t KindLength(std::string_view text) {
  if (text.empty() || !IsLetter(text.front())) return 0;
  const auto end = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsKindCharacter) - text.begin());
  return text.substr(end).starts_with("://") ? end : 0;
}

/// The kinds that there are, by name.
class Registry {
 public:
  static Registry& Instance() {
    static Registry registry;
    return registry;
  }

  arrow::Status Add(const std::string& kind, CacheOpener opener) {
    const bool has_capitals = std::any_of(kind.begin(), kind.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (kind.empty() || has_capitals || KindLength(kind + "://") != kind.size())
      return ArgumentError("'", kind, "' cannot be a kind of cache");
    std::lock_guard lock(mutex_);
    if (!kinds_.emplace(kind, std::move(opener)).second) {
      return ArgumentError("there is a kind of cache called '", kind, "' already");
    }
    return arrow::Status::OK();
  }

  /// Empty if there is none.
  CacheOpener Find(std::string_view kind) const {
    std::lock_guard lock(mutex_);
    const auto found = kinds_.find(kind);
    return found == kinds_.end() ? CacheOpener() : found->second;
  }

  std::vector<std::string> Names() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    names.reserve(kinds_.size());
    for (const auto& [name, opener] : kinds_) names.push_back(name);
    return names;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, CacheOpener, std::less<>> kinds_ = {
      {"memory", OpenMemory},    {"disk", OpenDisk},    {"redis", OpenRedis},  {"rediss", OpenRedis},
      {"redis+unix", OpenRedis}, {"valkey", OpenRedis}, {"valkeys", OpenRedis}};
};

Backend OpenOne(const std::string& uri) {
  if (uri == "none") return MakeMemoryBackend(0);
  const std::string_view kind = std::string_view(uri).substr(0, KindLength(uri));
  if (kind.empty()) {
    return ArgumentError(
        "a cache is named by a URI such as memory:// or disk:///absolute/path/of/a/folder; on the command line a "
        "folder may also be written with a slash, as ./folder");
  }
  if (const CacheOpener opener = Registry::Instance().Find(kind)) return opener(uri);
  std::string known;
  for (const auto& name : CacheKinds()) known += name + "://, ";
  return ArgumentError("cache URI: unknown kind '", kind, "'; there are ", known, "and none");
}

}  // namespace

arrow::Status RegisterCacheKind(const std::string& kind, CacheOpener opener) {
  return Registry::Instance().Add(kind, std::move(opener));
}

std::vector<std::string> CacheKinds() {
  return Registry::Instance().Names();
}

std::vector<std::string> SplitTiers(std::string_view uri) {
  std::vector<std::string> tiers;
  size_t begin = 0;
  for (size_t comma = uri.find(','); comma != std::string_view::npos; comma = uri.find(',', comma + 1)) {
    const size_t next = std::min(uri.find_first_not_of(' ', comma + 1), uri.size());
    if (KindLength(uri.substr(next)) == 0) continue;
    tiers.emplace_back(uri.substr(begin, comma - begin));
    begin = next;
  }
  tiers.emplace_back(uri.substr(begin));
  return tiers;
}

arrow::Result<std::shared_ptr<CacheBackend>> OpenCacheBackend(const std::string& uri) {
  std::vector<std::shared_ptr<CacheBackend>> tiers;
  for (const std::string& tier : SplitTiers(uri)) {
    ARROW_ASSIGN_OR_RAISE(tiers.emplace_back(), OpenOne(tier));
  }
  if (tiers.size() == 1) return tiers.front();
  return MakeTieredBackend(std::move(tiers));
}

}  // namespace fewter
