#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/result.h>

/// What a disk cache's directory holds, for people: reads it without opening a cache, and changes nothing.
///
/// Each function fails, as MakeDiskBackend does, for a directory that is not a cache of this format, and also for one
/// that is missing. What processes change meanwhile may be seen or not.

namespace fewter {

struct DiskCacheEntry {
  /// As CacheNamespace::ToString writes it.
  std::string name_space;
  std::string type_id;
  int64_t bytes = 0;
  /// The file, and where in it.
  std::string segment;
  uint64_t offset = 0;
  /// Uses, halved for every day since; as of the last process that closed the cache.
  float heat = 0;
};

/// Every entry that can be found, hottest first.
arrow::Result<std::vector<DiskCacheEntry>> ListDiskCache(const std::string& directory);

struct DiskCacheProblem {
  std::string file;
  uint64_t offset = 0;
  std::string what;
};

struct DiskCacheVerification {
  uint64_t intact_entries = 0;
  uint64_t corrupt_entries = 0;
  uint64_t segments = 0;
  /// Each names what is wrong: entries, and whole segments.
  std::vector<DiskCacheProblem> problems;
};

/// Reads every byte and compares it with its checksums: header, table and entries of each segment, the envelope of each
/// entry, and the heat file.
arrow::Result<DiskCacheVerification> VerifyDiskCache(const std::string& directory);

struct DiskCacheSummary {
  uint64_t segments = 0;
  /// Files that look like segments and are not whole, or of a newer version.
  uint64_t unreadable_segments = 0;
  uint64_t entries = 0;
  /// What all the files of the cache occupy.
  int64_t allocated_bytes = 0;
};

arrow::Result<DiskCacheSummary> SummariseDiskCache(const std::string& directory);

}  // namespace fewter
