#include "fewter/dataset/index_files.h"

#include <utility>

namespace fewter {

arrow::Result<std::shared_ptr<lance::FileReader>> OpenLanceFile(const lance::ObjectStore& store, const WeakCache& cache,
                                                                const IndexFileReference& file, lance::IoKind kind) {
  auto bytes = store.OpenFile(file.path, file.size, kind);
  // A reader that has just read the file's tail can serve small global buffers from it, so it is kept.
  std::shared_ptr<lance::FileReader> opened;
  ARROW_ASSIGN_OR_RAISE(
      auto metadata,
      cache.GetOrLoad(FileMetadataKey{file.path}, [&]() -> arrow::Result<std::shared_ptr<const lance::FileMetadata>> {
        ARROW_ASSIGN_OR_RAISE(opened, lance::FileReader::Open(bytes));
        return opened->shared_metadata();
      }));
  if (opened != nullptr) return opened;
  return lance::FileReader::Make(std::move(metadata), std::move(bytes));
}

std::string IndexFolder(const lance::IndexMetadata& index) {
  return "_indices/" + index.uuid.ToString();
}

LazyFile::LazyFile(std::shared_ptr<const lance::ObjectStore> store, WeakCache cache, IndexFileReference file)
    : store_(std::move(store)), cache_(std::move(cache)), file_(std::move(file)) {}

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

LazyPartitionReader::LazyPartitionReader(const std::shared_ptr<const lance::ObjectStore>& store, const WeakCache& cache,
                                         const IvfIndexState& state)
    : storage_(store, cache, state.storage_file), index_(store, cache, state.index_file) {}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> LazyPartitionReader::ReadRows(
    const std::vector<std::string>& columns, uint64_t first_row, uint64_t num_rows) {
  ARROW_ASSIGN_OR_RAISE(auto reader, storage_.Reader());
  return reader->ReadRows(columns, first_row, num_rows);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> LazyPartitionReader::ReadSubIndexRows(
    const std::vector<std::string>& columns, uint64_t first_row, uint64_t num_rows) {
  ARROW_ASSIGN_OR_RAISE(auto reader, index_.Reader());
  return reader->ReadRows(columns, first_row, num_rows);
}

SingleFilePartitionReader::SingleFilePartitionReader(const lance::ObjectStore& store, const IvfIndexState& state)
    : file_(store.OpenFile(state.storage_file.path, state.storage_file.size, lance::IoKind::kIndex)),
      layout_{state.single_file_rows->first_byte, state.single_file_rows->code_bytes,
              state.single_file_rows->is_unpacked} {}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> SingleFilePartitionReader::ReadRows(
    const std::vector<std::string>& /*columns*/, uint64_t first_row, uint64_t num_rows) {
  return lance::ReadSingleFileRows(file_.get(), layout_, first_row, num_rows);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> SingleFilePartitionReader::ReadSubIndexRows(
    const std::vector<std::string>& /*columns*/, uint64_t /*first_row*/, uint64_t /*num_rows*/) {
  return arrow::Status::Invalid(file_->path(), ": an index of a single file has no sub-index");
}

std::shared_ptr<PartitionReader> MakePartitionReader(const std::shared_ptr<const lance::ObjectStore>& store,
                                                     const WeakCache& cache, const IvfIndexState& state) {
  if (state.single_file_rows) return std::make_shared<SingleFilePartitionReader>(*store, state);
  return std::make_shared<LazyPartitionReader>(store, cache, state);
}

}  // namespace fewter
