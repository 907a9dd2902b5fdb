#include "fewter/lance/file_reader.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include <arrow/array/array_base.h>

#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"
#include "fewter/util/side_by_side.h"

namespace fewter::lance {
namespace {

/// What is read of a file whose metadata is not known yet. Index files have a few KiB of metadata, and up to a few
/// hundred of global buffers.
constexpr uint64_t kTailSize = uint64_t{64} << 10;
constexpr uint64_t kRemoteIndexTailSize = uint64_t{1} << 20;

uint64_t TailSize(const ReadableFile& file, uint64_t size) {
  if (!file.is_remote() || file.kind() != IoKind::kIndex) return std::min(size, kTailSize);
  return size <= ReadableFile::kReadWhole ? size : kRemoteIndexTailSize;
}

/// The end of a file, as far as it is at hand.
struct FileEnd {
  uint64_t start = 0;
  std::shared_ptr<arrow::Buffer> bytes;

  bool Has(ByteRange range) const { return bytes != nullptr && range.offset >= start; }
  /// Requires that it has the range, which lies in the file.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Cut(ByteRange range) const {
    return SliceChecked(bytes, range.offset - start, range.length, "the end of a file");
  }
};

/// Reads what several reads ask for in one go: a buffer for each range, an empty one for no bytes.
arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> Fetch(const std::vector<ByteRange>& wanted,
                                                                 const FileEnd& end, ReadableFile* file) {
  std::vector<std::shared_ptr<arrow::Buffer>> buffers(wanted.size(), std::make_shared<arrow::Buffer>(nullptr, 0));
  std::vector<ByteRange> ranges;
  std::vector<size_t> positions;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].length == 0) continue;
    if (end.Has(wanted[i])) {
      ARROW_ASSIGN_OR_RAISE(buffers[i], end.Cut(wanted[i]));
      continue;
    }
    ranges.push_back(wanted[i]);
    positions.push_back(i);
  }
  if (ranges.empty()) return buffers;
  ARROW_ASSIGN_OR_RAISE(auto read, file->ReadMany(ranges));
  for (size_t i = 0; i < positions.size(); ++i) buffers[positions[i]] = std::move(read[i]);
  return buffers;
}

}  // namespace

class FileReader::Impl {
 public:
  explicit Impl(std::shared_ptr<const FileMetadata> metadata) : metadata_(std::move(metadata)) {}

  /// Keeps bytes of the file's end that are at hand anyway, for global buffers and rows.
  void KeepTail(std::shared_ptr<arrow::Buffer> tail) { tail_ = std::move(tail); }
  FileEnd end() const {
    const auto& tail = tail_ != nullptr ? tail_ : metadata_->tail();
    return {metadata_->file_size() - static_cast<uint64_t>(tail->size()), tail};
  }

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

/// Some rows of one column, whose errors name it.
class NamedColumnRead : public SteppedRead {
 public:
  NamedColumnRead(const FileMetadata& metadata, std::string name, std::shared_ptr<ColumnReader> reader,
                  std::unique_ptr<ColumnRead> read)
      : metadata_(metadata), name_(std::move(name)), reader_(std::move(reader)), read_(std::move(read)) {}

  static arrow::Status InColumn(const FileMetadata& metadata, const std::string& name, const arrow::Status& status) {
    return status.WithMessage("lance file '", metadata.path(), "', column '", name, "': ", status.message());
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    auto next = read_->Next(bytes);
    if (!next.ok()) return InColumn(metadata_, name_, next.status());
    return next;
  }

  /// Once all steps have been taken.
  arrow::Result<std::shared_ptr<arrow::Array>> Decode(int64_t num_rows) {
    auto array = read_->Decode();
    if (!array.ok()) return InColumn(metadata_, name_, array.status());
    if ((*array)->length() == num_rows) return array;
    return InColumn(metadata_, name_, arrow::Status::Invalid("decoded ", (*array)->length(), " rows, not ", num_rows));
  }

  std::shared_ptr<arrow::Field> FieldOf(const arrow::Array& decoded) const {
    return reader_->field()->WithType(decoded.type())->WithName(name_);
  }

 private:
  const FileMetadata& metadata_;
  const std::string name_;
  const std::shared_ptr<ColumnReader> reader_;
  const std::unique_ptr<ColumnRead> read_;
};

/// Some rows, read in steps so that the IO of several such reads can be done at once. One that fails ends, and lets the
/// others go on.
class RowRead : public SteppedRead {
 public:
  /// The ranges of rows come one after the other.
  RowRead(const FileMetadata& metadata, std::vector<RowRange> rows) : metadata_(metadata), rows_(std::move(rows)) {
    for (const RowRange& range : rows_) {
      if (RangeIsInside(range.start, range.length, metadata_.num_rows())) continue;
      outcome_ = arrow::Status::Invalid("lance file '", metadata_.path(), "': rows ", range.start, " + ", range.length,
                                        " of ", metadata_.num_rows());
    }
  }

  /// What has gone wrong so far.
  const arrow::Status& outcome() const { return outcome_; }

  void Add(const std::string& name, const arrow::Result<std::shared_ptr<ColumnReader>>& column) {
    if (outcome_.ok()) outcome_ = Start(name, column);
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    if (!outcome_.ok()) return std::nullopt;
    auto next = steps_.Next(bytes);
    if (next.ok()) return next;
    outcome_ = next.status();
    return std::nullopt;
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Decode() {
    int64_t num_rows = 0;
    for (const RowRange& range : rows_) num_rows += static_cast<int64_t>(range.length);
    std::vector<std::shared_ptr<arrow::Field>> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (const auto& column : columns_) {
      ARROW_ASSIGN_OR_RAISE(auto array, column->Decode(num_rows));
      fields.push_back(column->FieldOf(*array));
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
  }

 private:
  arrow::Status Start(const std::string& name, const arrow::Result<std::shared_ptr<ColumnReader>>& column) {
    auto read = column.ok() ? (*column)->Start(rows_) : column.status();
    if (!read.ok()) return NamedColumnRead::InColumn(metadata_, name, read.status());
    columns_.push_back(std::make_unique<NamedColumnRead>(metadata_, name, *column, *std::move(read)));
    steps_.Add(columns_.back().get());
    return arrow::Status::OK();
  }

  const FileMetadata& metadata_;
  const std::vector<RowRange> rows_;
  std::vector<std::unique_ptr<NamedColumnRead>> columns_;
  SteppedReads steps_;
  arrow::Status outcome_;
};

/// Takes all steps of all reads that do not fail. The error of fetching bytes is returned.
arrow::Status RunSteps(const FileEnd& end, ReadableFile* file, std::deque<RowRead>* reads) {
  SteppedReads steps;
  for (RowRead& read : *reads) steps.Add(&read);
  std::vector<std::shared_ptr<arrow::Buffer>> bytes;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto wanted, steps.Next(bytes));
    if (!wanted) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(bytes, Fetch(*wanted, end, file));
  }
}

}  // namespace

FileReader::FileReader(std::shared_ptr<const FileMetadata> metadata, std::shared_ptr<ReadableFile> file)
    : metadata_(std::move(metadata)), file_(std::move(file)), impl_(std::make_unique<Impl>(metadata_)) {}

FileReader::~FileReader() = default;

arrow::Result<std::shared_ptr<FileReader>> FileReader::Open(std::shared_ptr<ReadableFile> file) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, file->Size());
  uint64_t tail_size = TailSize(*file, size);
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
  const FileEnd end = impl_->end();
  if (!end.Has(range)) return file_->Read(range);
  ARROW_ASSIGN_OR_RAISE(auto bytes, end.Cut(range));
  // What is made of it may live much longer than the rest.
  if (2 * bytes->size() >= end.bytes->size()) return bytes;
  return bytes->CopySlice(0, bytes->size());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FileReader::ReadRows(const std::vector<std::string>& columns,
                                                                        uint64_t start, uint64_t length) {
  return Read(columns, {{{start, length}}}, nullptr).front();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FileReader::ReadRows(const std::vector<std::string>& columns,
                                                                        std::vector<RowRange> rows) {
  return Read(columns, {std::move(rows)}, nullptr).front();
}

std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> FileReader::ReadRanges(
    const std::vector<std::string>& columns, std::span<const RowRange> ranges, arrow::internal::Executor* executor) {
  std::vector<std::vector<RowRange>> rows;
  for (const RowRange& range : ranges) rows.push_back({range});
  return Read(columns, rows, executor);
}

std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> FileReader::Read(
    const std::vector<std::string>& columns, const std::vector<std::vector<RowRange>>& rows,
    arrow::internal::Executor* executor) {
  std::deque<RowRead> reads;
  for (const std::vector<RowRange>& ranges : rows) {
    RowRead& read = reads.emplace_back(*metadata_, ranges);
    for (const std::string& column : columns) read.Add(column, impl_->Column(column));
  }
  const arrow::Status fetched = RunSteps(impl_->end(), file_.get(), &reads);
  std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> results(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!reads[i].outcome().ok()) results[i] = reads[i].outcome();
  }
  if (!fetched.ok() && rows.size() > 1) {
    // Which of them it was is found out one by one.
    for (size_t i = 0; i < rows.size(); ++i) {
      if (reads[i].outcome().ok()) results[i] = Read(columns, {rows[i]}, nullptr).front();
    }
    return results;
  }
  const auto decode = [&](size_t i) {
    if (reads[i].outcome().ok()) results[i] = fetched.ok() ? reads[i].Decode() : fetched;
  };
  RunSideBySide(executor, reads.size(), decode, executor == nullptr ? 1 : reads.size());
  return results;
}

}  // namespace fewter::lance
