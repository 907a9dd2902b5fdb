#include "fewter/dataset/index_files.h"

#include <utility>

#include "fewter/util/side_by_side.h"

namespace fewter {

arrow::Result<std::shared_ptr<lance::FileReader>> OpenLanceFile(const lance::ObjectStore& store, const WeakCache& cache,
                                                                const IndexFileReference& file, lance::IoKind kind,
                                                                bool needs_head) {
  auto bytes = store.OpenFile(file.path, file.size, kind);
  // A reader that has just read the file's ends can serve global buffers and rows from them, so it is kept.
  std::shared_ptr<lance::FileReader> opened;
  ARROW_ASSIGN_OR_RAISE(
      auto metadata,
      cache.GetOrLoad(FileMetadataKey{file.path}, [&]() -> arrow::Result<std::shared_ptr<const lance::FileMetadata>> {
        ARROW_ASSIGN_OR_RAISE(opened, lance::FileReader::Open(bytes, needs_head));
        return opened->shared_metadata();
      }));
  if (opened != nullptr) return opened;
  return lance::FileReader::Make(std::move(metadata), std::move(bytes));
}

std::string IndexFolder(const lance::IndexMetadata& index) {
  return "_indices/" + index.uuid.ToString();
}

LazyFile::LazyFile(std::shared_ptr<const lance::ObjectStore> store, WeakCache cache, IndexFileReference file,
                   std::shared_ptr<lance::FileReader> reader)
    : store_(std::move(store)), cache_(std::move(cache)), file_(std::move(file)), reader_(std::move(reader)) {}

arrow::Result<std::shared_ptr<lance::FileReader>> LazyFile::Reader() {
  {
    std::lock_guard lock(mutex_);
    if (reader_ != nullptr) return reader_;
  }
  // Opened outside the lock: two threads may both do it, and the first one's reader is kept.
  ARROW_ASSIGN_OR_RAISE(auto opened, OpenLanceFile(*store_, cache_, file_, lance::IoKind::kIndex));
  std::lock_guard lock(mutex_);
  if (reader_ == nullptr) reader_ = std::move(opened);
  return reader_;
}

PartitionReader::Batches LazyFile::ReadRows(const std::vector<std::string>& columns, std::span<const RowSpan> spans,
                                            size_t enough_requests) {
  const auto reader = Reader();
  if (!reader.ok()) return PartitionReader::Batches(spans.size(), reader.status());
  std::vector<lance::RowRange> ranges;
  for (const RowSpan& span : spans) ranges.push_back({span.first, span.count});
  return (*reader)->ReadRanges(columns, ranges, store_->executor(), enough_requests);
}

LazyPartitionReader::LazyPartitionReader(const std::shared_ptr<const lance::ObjectStore>& store, const WeakCache& cache,
                                         const IvfIndexState& state, IndexReaders readers)
    : storage_(store, cache, state.storage_file, std::move(readers.storage)),
      index_(store, cache, state.index_file, std::move(readers.index)),
      has_sub_index_(state.sub_index != nullptr) {}

size_t LazyPartitionReader::EnoughRequests(std::span<const RowSpan> spans) const {
  if (!has_sub_index_) return spans.size();
  // Of the file with the graphs the first MiB has been a request of its own.
  return spans.size() > 2 ? (spans.size() - 1) / 2 : 1;
}

PartitionReader::Batches LazyPartitionReader::ReadRows(const std::vector<std::string>& columns,
                                                       std::span<const RowSpan> spans) {
  return storage_.ReadRows(columns, spans, EnoughRequests(spans));
}

PartitionReader::Batches LazyPartitionReader::ReadSubIndexRows(const std::vector<std::string>& columns,
                                                               std::span<const RowSpan> spans) {
  return index_.ReadRows(columns, spans, EnoughRequests(spans));
}

SingleFilePartitionReader::SingleFilePartitionReader(const lance::ObjectStore& store, const IvfIndexState& state)
    : executor_(store.executor()),
      file_(store.OpenFile(state.storage_file.path, state.storage_file.size, lance::IoKind::kIndex)),
      layout_{state.single_file_rows->first_byte, state.single_file_rows->code_bytes,
              state.single_file_rows->is_unpacked} {}

PartitionReader::Batches SingleFilePartitionReader::ReadRows(const std::vector<std::string>& /*columns*/,
                                                             std::span<const RowSpan> spans) {
  Batches batches(spans.size());
  RunSideBySide(executor_, spans.size(), [&](size_t i) {
    batches[i] = lance::ReadSingleFileRows(file_.get(), layout_, spans[i].first, spans[i].count);
  });
  return batches;
}

PartitionReader::Batches SingleFilePartitionReader::ReadSubIndexRows(const std::vector<std::string>& /*columns*/,
                                                                     std::span<const RowSpan> spans) {
  return Batches(spans.size(), arrow::Status::Invalid(file_->path(), ": an index of a single file has no sub-index"));
}

std::shared_ptr<PartitionReader> MakePartitionReader(const std::shared_ptr<const lance::ObjectStore>& store,
                                                     const WeakCache& cache, const IvfIndexState& state,
                                                     IndexReaders readers) {
  if (state.single_file_rows) return std::make_shared<SingleFilePartitionReader>(*store, state);
  return std::make_shared<LazyPartitionReader>(store, cache, state, std::move(readers));
}

}  // namespace fewter
