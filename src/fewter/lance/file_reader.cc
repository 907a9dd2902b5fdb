#include "fewter/lance/file_reader.h"

#include <algorithm>
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

/// Reads what several columns ask for in one go, and hands each its own.
class Gather {
 public:
  /// Returns its place among the calls of Add.
  size_t Add(const std::vector<ByteRange>& ranges) {
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + ranges.size());
    all_.insert(all_.end(), ranges.begin(), ranges.end());
    return ends_.size() - 1;
  }

  arrow::Status Fetch(const FileEnd& end, ReadableFile* file) {
    buffers_.assign(all_.size(), std::make_shared<arrow::Buffer>(nullptr, 0));
    std::vector<ByteRange> ranges;
    std::vector<size_t> positions;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].length == 0) continue;
      if (end.Has(all_[i])) {
        ARROW_ASSIGN_OR_RAISE(buffers_[i], end.Cut(all_[i]));
        continue;
      }
      ranges.push_back(all_[i]);
      positions.push_back(i);
    }
    if (ranges.empty()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto read, file->ReadMany(ranges));
    for (size_t i = 0; i < positions.size(); ++i) buffers_[positions[i]] = std::move(read[i]);
    return arrow::Status::OK();
  }

  /// The buffers of the `i`th call of Add; none if there was none.
  Buffers Of(size_t i) const {
    if (i >= ends_.size()) return {};
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

/// Some rows, read in steps so that the IO of several such reads can be done at once. A step that fails ends it.
class RowRead {
 public:
  /// The ranges of rows come one after the other.
  RowRead(const FileMetadata& metadata, std::vector<RowRange> rows) : metadata_(metadata), rows_(std::move(rows)) {}

  arrow::Status Start(const std::string& name, arrow::Result<std::shared_ptr<ColumnReader>> column) {
    names_.push_back(name);
    if (!column.ok()) return InColumn(names_.size() - 1, column.status());
    columns_.push_back(*std::move(column));
    auto read = columns_.back()->Start(rows_);
    if (!read.ok()) return InColumn(names_.size() - 1, read.status());
    reads_.push_back({*std::move(read), std::nullopt, false});
    return arrow::Status::OK();
  }

  /// Hands out what has been read, and asks for what is to be read next.
  arrow::Status Step(const Gather& read, Gather* next) {
    for (size_t i = 0; i < reads_.size(); ++i) {
      Column& column = reads_[i];
      if (column.is_done) continue;
      auto ranges = column.read->Next(column.place ? read.Of(*column.place) : Buffers());
      if (!ranges.ok()) return InColumn(i, ranges.status());
      column.is_done = !ranges->has_value();
      if (!column.is_done) column.place = next->Add(**ranges);
    }
    return arrow::Status::OK();
  }

  bool is_done() const {
    return std::all_of(reads_.begin(), reads_.end(), [](const Column& column) { return column.is_done; });
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Decode() {
    int64_t num_rows = 0;
    for (const RowRange& range : rows_) num_rows += static_cast<int64_t>(range.length);
    std::vector<std::shared_ptr<arrow::Field>> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (size_t i = 0; i < reads_.size(); ++i) {
      auto array = reads_[i].read->Decode();
      if (!array.ok()) return InColumn(i, array.status());
      if ((*array)->length() != num_rows) {
        return InColumn(i, arrow::Status::Invalid("decoded ", (*array)->length(), " rows, not ", num_rows));
      }
      fields.push_back(columns_[i]->field()->WithType((*array)->type())->WithName(names_[i]));
      arrays.push_back(*std::move(array));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
  }

 private:
  struct Column {
    std::unique_ptr<ColumnRead> read;
    /// Where in the last gather its bytes are.
    std::optional<size_t> place;
    bool is_done;
  };

  arrow::Status InColumn(size_t column, const arrow::Status& status) const {
    return status.WithMessage("lance file '", metadata_.path(), "', column '", names_[column], "': ", status.message());
  }

  const FileMetadata& metadata_;
  std::vector<RowRange> rows_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<ColumnReader>> columns_;
  std::vector<Column> reads_;
};

/// Takes all steps of all reads that do not fail, whose outcomes it notes. The error of fetching bytes is returned.
arrow::Status RunSteps(const FileEnd& end, ReadableFile* file, std::vector<RowRead>& reads,
                       std::vector<arrow::Status>* outcomes) {
  Gather read;
  while (true) {
    Gather next;
    bool is_done = true;
    for (size_t i = 0; i < reads.size(); ++i) {
      if (!(*outcomes)[i].ok()) continue;
      (*outcomes)[i] = reads[i].Step(read, &next);
      is_done = is_done && (!(*outcomes)[i].ok() || reads[i].is_done());
    }
    if (is_done) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(next.Fetch(end, file));
    read = std::move(next);
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
  std::vector<RowRead> reads;
  std::vector<arrow::Status> outcomes;
  for (const std::vector<RowRange>& ranges : rows) {
    RowRead& read = reads.emplace_back(*metadata_, ranges);
    arrow::Status& outcome = outcomes.emplace_back();
    for (const RowRange& range : ranges) {
      if (RangeIsInside(range.start, range.length, metadata_->num_rows())) continue;
      outcome = arrow::Status::Invalid("lance file '", metadata_->path(), "': rows ", range.start, " + ", range.length,
                                       " of ", metadata_->num_rows());
    }
    for (size_t i = 0; i < columns.size() && outcome.ok(); ++i) {
      outcome = read.Start(columns[i], impl_->Column(columns[i]));
    }
  }
  const arrow::Status fetched = RunSteps(impl_->end(), file_.get(), reads, &outcomes);
  std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> results(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!outcomes[i].ok()) results[i] = outcomes[i];
  }
  if (!fetched.ok() && rows.size() > 1) {
    // Which of them it was is found out one by one.
    for (size_t i = 0; i < rows.size(); ++i) {
      if (outcomes[i].ok()) results[i] = Read(columns, {rows[i]}, nullptr).front();
    }
    return results;
  }
  const auto decode = [&](size_t i) {
    if (outcomes[i].ok()) results[i] = fetched.ok() ? reads[i].Decode() : fetched;
  };
  RunSideBySide(executor, reads.size(), decode, executor == nullptr ? 1 : reads.size());
  return results;
}

}  // namespace fewter::lance
