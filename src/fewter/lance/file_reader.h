#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/file_metadata.h"
#include "fewter/lance/object_store.h"

namespace arrow::internal {
class Executor;
}

namespace fewter::lance {

/// Reads columns of one Lance file (versions 2.0, 2.1 and 2.2): a data file, or one of the two files of an index.
///
/// Only the ranges that are needed are read. What a page needs before any of its rows can be found (its chunk sizes,
/// its dictionary) is read on the first use of the page and kept. Thread safe.
class FileReader {
 public:
  /// Reads the file's tail (one request, or two if its metadata is larger than the tail). Of a remote index file more
  /// is read, so that its global buffers come with it; of one of at most ReadableFile::kReadWhole all. Those of a
  /// larger one that did not come are read in one more round. With `needs_head` the first MiB of it is read side by
  /// side with the tail, for files that begin with a global buffer. What has been read serves reads of rows, too; of a
  /// small file only the first.
  static arrow::Result<std::shared_ptr<FileReader>> Open(std::shared_ptr<ReadableFile> file, bool needs_head = false);

  /// Makes a reader from metadata read earlier. No IO, and no error: the metadata has been checked.
  static std::shared_ptr<FileReader> Make(std::shared_ptr<const FileMetadata> metadata,
                                          std::shared_ptr<ReadableFile> file);
  ~FileReader();

  const FileMetadata& metadata() const { return *metadata_; }
  const std::shared_ptr<const FileMetadata>& shared_metadata() const { return metadata_; }

  /// A global buffer; buffers that lie within the metadata's tail need no request.
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadGlobalBuffer(uint32_t index);

  /// Rows [start, start + length) of the named columns, in the order named; one inside a struct by its path (see
  /// FindField), and null where the struct is. The pages' bytes are fetched together, neighbouring ranges in one
  /// request.
  ///
  /// KeyError for an unknown column; Invalid for rows past the end or malformed pages; NotImplemented, naming the
  /// column and the encoding, for types and encodings that are not read.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(const std::vector<std::string>& columns, uint64_t start,
                                                              uint64_t length);

  /// The same for several ranges of rows, one after the other: in any order, overlapping and repeated if they like.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(const std::vector<std::string>& columns,
                                                              std::vector<RowRange> rows);

  /// The same, but each range with a result of its own: all their bytes are fetched together, in rounds of requests
  /// that go side by side: at most two, but for text and lists in files of version 2.0; of a remote index file mostly
  /// one. `executor` decodes them side by side; null for this thread alone. `enough_requests` as for
  /// ReadableFile::ReadMany.
  std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> ReadRanges(
      const std::vector<std::string>& columns, std::span<const RowRange> ranges, arrow::internal::Executor* executor,
      size_t enough_requests = ReadableFile::kAnyNumber);

 private:
  class Impl;
  FileReader(std::shared_ptr<const FileMetadata> metadata, std::shared_ptr<ReadableFile> file);

  /// A result for each element of `rows`, whose ranges come one after the other in it.
  std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> Read(const std::vector<std::string>& columns,
                                                                       const std::vector<std::vector<RowRange>>& rows,
                                                                       arrow::internal::Executor* executor,
                                                                       size_t enough_requests);

  /// Reads the global buffers that are not at hand.
  arrow::Status ReadGlobalBuffersAhead();

  std::shared_ptr<const FileMetadata> metadata_;
  std::shared_ptr<ReadableFile> file_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewter::lance
