#include "fewter/lance/file_reader.h"

#include <algorithm>
#include <span>
#include <utility>

#include <arrow/array/array_base.h>

#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// What is read of a file whose metadata is not known yet. Index files have a few KiB of metadata.
constexpr uint64_t kTailSize = uint64_t{64} << 10;

/// Reads what several columns ask for in one go, and hands each its own.
class Gather {
 public:
  void Add(const std::vector<ByteRange>& ranges) {
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + ranges.size());
    all_.insert(all_.end(), ranges.begin(), ranges.end());
  }

  arrow::Status Fetch(ReadableFile* file) {
    buffers_.assign(all_.size(), std::make_shared<arrow::Buffer>(nullptr, 0));
    std::vector<ByteRange> ranges;
    std::vector<size_t> positions;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].length == 0) continue;
      ranges.push_back(all_[i]);
      positions.push_back(i);
    }
    if (ranges.empty()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto read, file->ReadMany(ranges));
    for (size_t i = 0; i < positions.size(); ++i) buffers_[positions[i]] = std::move(read[i]);
    return arrow::Status::OK();
  }

  /// The buffers of the `i`th call of Add.
  Buffers Of(size_t i) const {
    const size_t first = i == 0 ? 0 : ends_[i - 1];
    return Buffers(buffers_).subspan(first, ends_[i] - first);
  }

 private:
  std::vector<ByteRange> all_;
  std::vector<size_t> ends_;
  std::vector<std::shared_ptr<arrow::Buffer>> buffers_;
};

}  // namespace

class FileReader::Impl {
 public:
  explicit Impl(std::shared_ptr<const FileMetadata> metadata) : metadata_(std::move(metadata)) {}

  /// Keeps bytes of the file's end that are at hand anyway, for global buffers.
  void KeepTail(std::shared_ptr<arrow::Buffer> tail) { tail_ = std::move(tail); }
  const std::shared_ptr<arrow::Buffer>& tail() const { return tail_ != nullptr ? tail_ : metadata_->tail(); }

  arrow::Result<std::shared_ptr<ColumnReader>> Column(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = columns_.find(name);
    if (found != columns_.end()) return found->second;
    ARROW_ASSIGN_OR_RAISE(auto column, MakeColumnReader(metadata_, name));
    columns_.emplace(name, column);
    return column;
  }

 private:
  const std::shared_ptr<const FileMetadata> metadata_;
  std::shared_ptr<arrow::Buffer> tail_;
  std::mutex mutex_;
  // Guarded by mutex_, which no IO is done under.
  std::unordered_map<std::string, std::shared_ptr<ColumnReader>> columns_;
};

namespace {

/// One call of ReadRows.
class RowRead {
 public:
  RowRead(const FileMetadata& metadata, ReadableFile* file) : metadata_(metadata), file_(file) {}

  arrow::Status Start(const std::string& name, arrow::Result<std::shared_ptr<ColumnReader>> column, RowRange rows) {
    names_.push_back(name);
    if (!column.ok()) return InColumn(names_.size() - 1, column.status());
    columns_.push_back(*std::move(column));
    auto read = columns_.back()->Start(rows);
    if (!read.ok()) return InColumn(names_.size() - 1, read.status());
    reads_.push_back(*std::move(read));
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Run(RowRange rows) {
    Gather prepared;
    for (size_t i = 0; i < reads_.size(); ++i) {
      auto ranges = reads_[i]->Prepare();
      if (!ranges.ok()) return InColumn(i, ranges.status());
      prepared.Add(*ranges);
    }
    ARROW_RETURN_NOT_OK(prepared.Fetch(file_));
    Gather bytes;
    for (size_t i = 0; i < reads_.size(); ++i) {
      auto ranges = reads_[i]->Plan(prepared.Of(i));
      if (!ranges.ok()) return InColumn(i, ranges.status());
      bytes.Add(*ranges);
    }
    ARROW_RETURN_NOT_OK(bytes.Fetch(file_));
    return Decode(bytes, static_cast<int64_t>(rows.length));
  }

 private:
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Decode(const Gather& bytes, int64_t num_rows) {
    std::vector<std::shared_ptr<arrow::Field>> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (size_t i = 0; i < reads_.size(); ++i) {
      auto array = reads_[i]->Decode(bytes.Of(i));
      if (!array.ok()) return InColumn(i, array.status());
      if ((*array)->length() != num_rows) {
        return InColumn(i, arrow::Status::Invalid("decoded ", (*array)->length(), " rows, not ", num_rows));
      }
      fields.push_back(arrow::field(names_[i], (*array)->type(), columns_[i]->field().nullable));
      arrays.push_back(*std::move(array));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
  }

  arrow::Status InColumn(size_t column, const arrow::Status& status) const {
    return status.WithMessage("lance file '", metadata_.path(), "', column '", names_[column], "': ", status.message());
  }

  const FileMetadata& metadata_;
  ReadableFile* file_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<ColumnReader>> columns_;
  std::vector<std::unique_ptr<ColumnRead>> reads_;
};

}  // namespace

FileReader::FileReader(std::shared_ptr<const FileMetadata> metadata, std::shared_ptr<ReadableFile> file)
    : metadata_(std::move(metadata)), file_(std::move(file)), impl_(std::make_unique<Impl>(metadata_)) {}

FileReader::~FileReader() = default;

arrow::Result<std::shared_ptr<FileReader>> FileReader::Open(std::shared_ptr<ReadableFile> file) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, file->Size());
  uint64_t tail_size = std::min(size, kTailSize);
  ARROW_ASSIGN_OR_RAISE(auto tail, file->Read({size - tail_size, tail_size}));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t required, FileMetadata::RequiredTail(file->path(), size, tail));
    if (required <= tail_size) break;
    tail_size = required;
    ARROW_ASSIGN_OR_RAISE(tail, file->Read({size - tail_size, tail_size}));
  }
  ARROW_ASSIGN_OR_RAISE(auto metadata, FileMetadata::Parse(file->path(), size, tail));
  auto reader = Make(std::move(metadata), std::move(file));
  // Global buffer 0 is the schema, which has been decoded; only others are worth keeping more of the file for.
  if (reader->metadata_->global_buffers().size() > 1) reader->impl_->KeepTail(std::move(tail));
  return reader;
}

std::shared_ptr<FileReader> FileReader::Make(std::shared_ptr<const FileMetadata> metadata,
                                             std::shared_ptr<ReadableFile> file) {
  return std::shared_ptr<FileReader>(new FileReader(std::move(metadata), std::move(file)));
}

arrow::Result<std::shared_ptr<arrow::Buffer>> FileReader::ReadGlobalBuffer(uint32_t index) {
  const auto& buffers = metadata_->global_buffers();
  if (index >= buffers.size()) {
    return arrow::Status::Invalid("lance file '", metadata_->path(), "': no global buffer ", index, " of ",
                                  buffers.size());
  }
  const ByteRange range = buffers[index];
  const std::shared_ptr<arrow::Buffer>& tail = impl_->tail();
  const uint64_t tail_start = metadata_->file_size() - static_cast<uint64_t>(tail->size());
  if (range.offset < tail_start) return file_->Read(range);
  return SliceChecked(tail, range.offset - tail_start, range.length, metadata_->path().c_str());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FileReader::ReadRows(const std::vector<std::string>& columns,
                                                                        uint64_t start, uint64_t length) {
  if (!RangeIsInside(start, length, metadata_->num_rows())) {
    return arrow::Status::Invalid("lance file '", metadata_->path(), "': rows ", start, " + ", length, " of ",
                                  metadata_->num_rows());
  }
  RowRead read(*metadata_, file_.get());
  for (const std::string& name : columns) {
    ARROW_RETURN_NOT_OK(read.Start(name, impl_->Column(name), {start, length}));
  }
  return read.Run({start, length});
}

}  // namespace fewter::lance
