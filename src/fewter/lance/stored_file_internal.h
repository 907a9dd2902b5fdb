#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>

#include "fewter/lance/byte_cache.h"
#include "fewter/lance/object_store.h"
#include "fewter/lance/retry.h"

/// Files of an object store, and the requests that reading them takes.

namespace fewter::lance {

/// A file and its names: for the file system, for messages, and relative to the store's root.
struct FileNames {
  std::string in_file_system;
  std::string in_full;
  std::string path;
  /// What else there is to say if there is no such file.
  std::string note_if_missing = {};
};

/// What all files of a store share. Immutable but for the counter.
struct StoreAccess {
  std::shared_ptr<arrow::fs::FileSystem> fs;
  std::shared_ptr<IoCounter> counter;
  RetryPolicy retry;
  IoTracer tracer;
  arrow::internal::Executor* executor = nullptr;
  /// A request costs a round trip, and what comes back is not always what was asked for.
  bool is_remote = false;
  /// Opening a file, too, costs a round trip.
  bool opening_asks = false;

  /// Sends a request until it succeeds, there is no point in sending it again, or the query in scope is over. Each
  /// attempt is counted and traced; it adds the bytes that it read.
  arrow::Status Send(const IoEvent& request, const std::function<arrow::Status(uint64_t* bytes)>& attempt) const;

  /// One attempt: fills in how it went.
  void SendOnce(const std::function<arrow::Status(uint64_t* bytes)>& attempt, IoQuery* query, IoEvent* event) const;

  /// Counts and traces reads that have been answered at once, all in one round. Fails if the query in scope is over.
  arrow::Status Note(std::vector<IoEvent> answered) const;

  /// What the store knows of a file, which may be that there is none. One request.
  arrow::Result<arrow::fs::FileInfo> Ask(const FileNames& file, IoKind kind) const;
};

std::shared_ptr<ReadableFile> MakeStoredFile(std::shared_ptr<const StoreAccess> access, FileNames names, uint64_t size,
                                             IoKind kind);

/// A file whose bytes are looked for in a cache first.
std::shared_ptr<ReadableFile> MakeCachedFile(std::shared_ptr<ReadableFile> file, std::shared_ptr<ByteCache> cache,
                                             uint64_t size);

/// Error that a file does not exist; see IsNotFound.
arrow::Status NotFoundError(const FileNames& file);

}  // namespace fewter::lance
