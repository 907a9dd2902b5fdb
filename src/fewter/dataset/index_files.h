#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fewter/cache/cache.h"
#include "fewter/lance/file_reader.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/lance/single_file_index.h"
#include "fewter/vector/ivf/index.h"
#include "fewter/vector/ivf/state.h"

namespace fewter {

/// The metadata of a Lance file, named by the file's path within its namespace. Cached under a key of its own, so that
/// opening the file again reads no footer.
struct FileMetadataKey {
  using Value = lance::FileMetadata;
  static constexpr std::string_view kTypeId = "fewter.lance.FileMetadataKey";
  static CacheCodec Codec() { return CacheCodec::For<lance::FileMetadata>(); }

  std::string_view path;

  void AppendFields(KeyWriter& fields) const { fields.String(path); }
};

/// A reader of the file, whose metadata comes from the cache if it is there. `needs_head` as for FileReader::Open.
arrow::Result<std::shared_ptr<lance::FileReader>> OpenLanceFile(const lance::ObjectStore& store, const WeakCache& cache,
                                                                const IndexFileReference& file, lance::IoKind kind,
                                                                bool needs_head = false);

/// Readers of a segment's two files, as far as there are any.
struct IndexReaders {
  std::shared_ptr<lance::FileReader> index;
  std::shared_ptr<lance::FileReader> storage;
};

/// The folder of an index segment, relative to the dataset's root.
std::string IndexFolder(const lance::IndexMetadata& index);

/// A file that is opened when something has to be read from it, unless it has been already. Thread safe.
class LazyFile {
 public:
  /// `reader` may be null.
  LazyFile(std::shared_ptr<const lance::ObjectStore> store, WeakCache cache, IndexFileReference file,
           std::shared_ptr<lance::FileReader> reader);

  /// As PartitionReader; `enough_requests` as for FileReader::ReadRanges.
  PartitionReader::Batches ReadRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans,
                                    size_t enough_requests);

 private:
  arrow::Result<std::shared_ptr<lance::FileReader>> Reader();

  std::shared_ptr<const lance::ObjectStore> store_;
  WeakCache cache_;
  IndexFileReference file_;
  std::mutex mutex_;
  std::shared_ptr<lance::FileReader> reader_;
};

/// The two files of a segment, each opened when the first partition has to be read from it. Thread safe.
class LazyPartitionReader : public PartitionReader {
 public:
  LazyPartitionReader(const std::shared_ptr<const lance::ObjectStore>& store, const WeakCache& cache,
                      const IvfIndexState& state, IndexReaders readers);

  Batches ReadRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) override;
  Batches ReadSubIndexRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) override;

 private:
  /// One for each partition, of both files together, what opening them took beyond two included.
  size_t EnoughRequests(std::span<const RowSpan> spans) const;

  LazyFile storage_;
  LazyFile index_;
  const bool has_sub_index_;
};

/// The one file of a segment of before version 2.0, which has no sub-index. Thread safe.
class SingleFilePartitionReader : public PartitionReader {
 public:
  /// The state has single_file_rows.
  SingleFilePartitionReader(const lance::ObjectStore& store, const IvfIndexState& state);

  Batches ReadRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) override;
  Batches ReadSubIndexRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans) override;

 private:
  arrow::internal::Executor* executor_;
  std::shared_ptr<lance::ReadableFile> file_;
  lance::SingleFileLayout layout_;
};

/// What reads the partitions of a segment: the one or the other, as its files are.
std::shared_ptr<PartitionReader> MakePartitionReader(const std::shared_ptr<const lance::ObjectStore>& store,
                                                     const WeakCache& cache, const IvfIndexState& state,
                                                     IndexReaders readers);

}  // namespace fewter
