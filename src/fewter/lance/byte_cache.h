#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/io_stats.h"

/// Where bytes of a dataset's files may be kept between reads, and between processes.

namespace fewter::lance {

using FileBytes = std::vector<std::shared_ptr<arrow::Buffer>>;

/// Bytes of immutable files, by path, offset and length. Implemented on top of a cache by who opens a dataset; an
/// object store that has one looks there before it sends a request. Thread safe.
class ByteCache {
 public:
  virtual ~ByteCache() = default;

  /// Reads pieces of a file that are not there.
  using Loader = std::function<arrow::Result<FileBytes>(const std::vector<ByteRange>& absent)>;

  /// The pieces of a file, in the order given, 64-byte aligned. Those that are absent are loaded with one call, and
  /// kept; of callers that want the same one at the same time, one loads it.
  virtual arrow::Result<FileBytes> GetOrLoad(const std::string& path, std::span<const ByteRange> pieces,
                                             const Loader& load) = 0;

  /// What is known about a file rather than read from it, by the file's path and what it is; null if nothing is kept.
  virtual std::shared_ptr<arrow::Buffer> Find(const std::string& path) = 0;
  virtual void Keep(const std::string& path, std::shared_ptr<arrow::Buffer> note) = 0;
};

}  // namespace fewter::lance
