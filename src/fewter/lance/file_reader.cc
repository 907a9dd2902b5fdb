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
constexpr uint64_t kRemoteIndexTailSize = uint64_t{2} << 20;
/// What is read of the beginning of a large remote index file that begins with the centroids.
constexpr uint64_t kRemoteHeadSize = uint64_t{1} << 20;

bool IsRemoteIndex(const ReadableFile& file) {
  return file.is_remote() && file.kind() == IoKind::kIndex;
}

uint64_t TailSize(const ReadableFile& file, uint64_t size) {
  if (!IsRemoteIndex(file)) return std::min(size, kTailSize);
  return size <= ReadableFile::kReadWhole ? size : kRemoteIndexTailSize;
}

/// A run of a file's bytes that is in memory.
struct Stretch {
  uint64_t start = 0;
  std::shared_ptr<arrow::Buffer> bytes;

  uint64_t end() const { return start + static_cast<uint64_t>(bytes->size()); }
  bool Has(ByteRange range) const { return range.offset >= start && range.end() <= end(); }
  /// Requires that it has the range.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Cut(ByteRange range) const {
    return SliceChecked(bytes, range.offset - start, range.length, "a stretch of a file");
  }
};

/// The stretches of a file that are at hand.
class AtHand {
 public:
  void Add(uint64_t start, std::shared_ptr<arrow::Buffer> bytes) { stretches_.push_back({start, std::move(bytes)}); }

  /// The one that has all of the range, or null.
  const Stretch* Find(ByteRange range) const {
    const auto found =
        std::find_if(stretches_.begin(), stretches_.end(), [&](const Stretch& s) { return s.Has(range); });
    return found == stretches_.end() ? nullptr : &*found;
  }

  /// What is left of a range without its start and its end as far as these are at hand.
  ByteRange Missing(ByteRange range) const {
    for (const Stretch& one : stretches_) {
      if (one.start <= range.offset && range.offset < one.end()) {
        const uint64_t length = std::min(range.end(), one.end()) - range.offset;
        range = {range.offset + length, range.length - length};
      }
      if (one.start < range.end() && range.end() <= one.end()) range.length = one.start - range.offset;
    }
    return range;
  }

  /// All of a range, of which `missing` was not at hand and has been read.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Complete(ByteRange range, ByteRange missing,
                                                         std::shared_ptr<arrow::Buffer> bytes) const {
    if (missing == range) return bytes;
    arrow::BufferVector parts;
    const ByteRange before{range.offset, missing.offset - range.offset};
    const ByteRange behind{missing.end(), range.end() - missing.end()};
    if (before.length > 0) {
      ARROW_ASSIGN_OR_RAISE(parts.emplace_back(), Find(before)->Cut(before));
    }
    parts.push_back(std::move(bytes));
    if (behind.length > 0) {
      ARROW_ASSIGN_OR_RAISE(parts.emplace_back(), Find(behind)->Cut(behind));
    }
    return arrow::ConcatenateBuffers(parts);
  }

 private:
  std::vector<Stretch> stretches_;
};

/// Reads what several reads ask for in one go: a buffer for each range, an empty one for no bytes.
/// With at most `enough_requests`, if that is possible; see ReadableFile::ReadMany.
arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> Fetch(const std::vector<ByteRange>& wanted,
                                                                 const AtHand& at_hand, ReadableFile* file,
                                                                 size_t enough_requests) {
  std::vector<std::shared_ptr<arrow::Buffer>> buffers(wanted.size(), std::make_shared<arrow::Buffer>(nullptr, 0));
  std::vector<ByteRange> ranges;
  std::vector<size_t> positions;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].length == 0) continue;
    if (const Stretch* stretch = at_hand.Find(wanted[i])) {
      ARROW_ASSIGN_OR_RAISE(buffers[i], stretch->Cut(wanted[i]));
      continue;
    }
    ranges.push_back(at_hand.Missing(wanted[i]));
    positions.push_back(i);
  }
  if (ranges.empty()) return buffers;
  ARROW_ASSIGN_OR_RAISE(auto read, file->ReadMany(ranges, enough_requests));
  for (size_t k = 0; k < positions.size(); ++k) {
    const size_t i = positions[k];
    ARROW_ASSIGN_OR_RAISE(buffers[i], at_hand.Complete(wanted[i], ranges[k], std::move(read[k])));
  }
  return buffers;
}

}  // namespace

class FileReader::Impl {
 public:
  explicit Impl(std::shared_ptr<const FileMetadata> metadata) : metadata_(std::move(metadata)) {}

  /// Keeps bytes of the file that are at hand anyway, for global buffers and rows; `only_once` for one read of rows.
  void Keep(std::shared_ptr<const AtHand> at_hand, bool only_once) {
    const std::lock_guard lock(mutex_);
    at_hand_ = std::move(at_hand);
    only_once_ = only_once;
  }
  std::shared_ptr<const AtHand> at_hand(bool for_rows) {
    const std::lock_guard lock(mutex_);
    auto kept = at_hand_ == nullptr ? TailOfMetadata() : at_hand_;
    if (for_rows && only_once_) at_hand_ = nullptr;
    return kept;
  }

  /// Global buffers that were read before anybody asked for them.
  void KeepGlobalBuffer(uint32_t index, std::shared_ptr<arrow::Buffer> bytes) {
    const std::lock_guard lock(mutex_);
    global_buffers_[index] = std::move(bytes);
  }
  /// Null if there is none; each is handed out once.
  std::shared_ptr<arrow::Buffer> TakeGlobalBuffer(uint32_t index) {
    const std::lock_guard lock(mutex_);
    const auto found = global_buffers_.extract(index);
    return found.empty() ? nullptr : found.mapped();
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
  std::shared_ptr<const AtHand> TailOfMetadata() const {
    auto at_hand = std::make_shared<AtHand>();
    at_hand->Add(metadata_->file_size() - static_cast<uint64_t>(metadata_->tail()->size()), metadata_->tail());
    return at_hand;
  }

  const std::shared_ptr<const FileMetadata> metadata_;
  std::mutex mutex_;
  // Guarded by mutex_, which no IO is done under.
  std::shared_ptr<const AtHand> at_hand_;
  bool only_once_ = false;
  std::unordered_map<uint32_t, std::shared_ptr<arrow::Buffer>> global_buffers_;
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

  /// `guesses` as for ColumnReader::Start.
  void Add(const std::string& name, const arrow::Result<std::shared_ptr<ColumnReader>>& column, bool guesses) {
    if (outcome_.ok()) outcome_ = Start(name, column, guesses);
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
  arrow::Status Start(const std::string& name, const arrow::Result<std::shared_ptr<ColumnReader>>& column,
                      bool guesses) {
    auto read = column.ok() ? (*column)->Start(rows_, guesses) : column.status();
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
arrow::Status RunSteps(const AtHand& at_hand, ReadableFile* file, size_t enough_requests, std::deque<RowRead>* reads) {
  SteppedReads steps;
  for (RowRead& read : *reads) steps.Add(&read);
  std::vector<std::shared_ptr<arrow::Buffer>> bytes;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto wanted, steps.Next(bytes));
    if (!wanted) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(bytes, Fetch(*wanted, at_hand, file, enough_requests));
  }
}

}  // namespace

FileReader::FileReader(std::shared_ptr<const FileMetadata> metadata, std::shared_ptr<ReadableFile> file)
    : metadata_(std::move(metadata)), file_(std::move(file)), impl_(std::make_unique<Impl>(metadata_)) {}

FileReader::~FileReader() = default;

arrow::Result<std::shared_ptr<FileReader>> FileReader::Open(std::shared_ptr<ReadableFile> file, bool needs_head) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, file->Size());
  uint64_t tail_size = TailSize(*file, size);
  const bool is_part = IsRemoteIndex(*file) && tail_size < size;
  std::vector<ByteRange> ranges = {{size - tail_size, tail_size}};
  if (is_part && needs_head) ranges.push_back({0, kRemoteHeadSize});
  ARROW_ASSIGN_OR_RAISE(FileBytes ends, file->ReadMany(ranges));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> tail, EnsureAligned(ends.front()));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t required, FileMetadata::RequiredTail(file->path(), size, tail));
    if (required <= tail_size) break;
    tail_size = required;
    ARROW_ASSIGN_OR_RAISE(tail, file->Read({size - tail_size, tail_size}));
  }
  ARROW_ASSIGN_OR_RAISE(auto metadata, FileMetadata::Parse(file->path(), size, tail));
  auto reader = Make(std::move(metadata), std::move(file));
  // Global buffer 0 is the schema, which has been decoded; only others are worth keeping more of the file for.
  if (reader->metadata_->global_buffers().size() <= 1) return reader;
  auto at_hand = std::make_shared<AtHand>();
  at_hand->Add(size - tail_size, std::move(tail));
  if (ends.size() > 1) at_hand->Add(0, std::move(ends[1]));
  // A cache has the whole of a small file for the next time.
  reader->impl_->Keep(std::move(at_hand), /*only_once=*/!is_part);
  if (is_part) ARROW_RETURN_NOT_OK(reader->ReadGlobalBuffersAhead());
  return reader;
}

arrow::Status FileReader::ReadGlobalBuffersAhead() {
  const auto& buffers = metadata_->global_buffers();
  const auto at_hand = impl_->at_hand(/*for_rows=*/false);
  std::vector<uint32_t> absent;
  std::vector<ByteRange> ranges;
  for (uint32_t i = 1; i < buffers.size(); ++i) {
    if (at_hand->Find(buffers[i]) != nullptr) continue;
    absent.push_back(i);
    ranges.push_back(at_hand->Missing(buffers[i]));
  }
  if (absent.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(FileBytes read, file_->ReadMany(ranges));
  for (size_t k = 0; k < absent.size(); ++k) {
    ARROW_ASSIGN_OR_RAISE(read[k], at_hand->Complete(buffers[absent[k]], ranges[k], std::move(read[k])));
    impl_->KeepGlobalBuffer(absent[k], std::move(read[k]));
  }
  return arrow::Status::OK();
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
  if (auto bytes = impl_->TakeGlobalBuffer(index)) return EnsureAligned(std::move(bytes));
  const ByteRange range = buffers[index];
  const auto at_hand = impl_->at_hand(/*for_rows=*/false);
  const Stretch* stretch = at_hand->Find(range);
  if (stretch == nullptr) return file_->Read(range);
  ARROW_ASSIGN_OR_RAISE(auto bytes, stretch->Cut(range));
  // What is made of it may live much longer than the rest.
  if (2 * bytes->size() >= stretch->bytes->size()) return bytes;
  return bytes->CopySlice(0, bytes->size());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FileReader::ReadRows(const std::vector<std::string>& columns,
                                                                        uint64_t start, uint64_t length) {
  return Read(columns, {{{start, length}}}, nullptr, ReadableFile::kAnyNumber).front();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> FileReader::ReadRows(const std::vector<std::string>& columns,
                                                                        std::vector<RowRange> rows) {
  return Read(columns, {std::move(rows)}, nullptr, ReadableFile::kAnyNumber).front();
}

std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> FileReader::ReadRanges(
    const std::vector<std::string>& columns, std::span<const RowRange> ranges, arrow::internal::Executor* executor,
    size_t enough_requests) {
  std::vector<std::vector<RowRange>> rows;
  for (const RowRange& range : ranges) rows.push_back({range});
  return Read(columns, rows, executor, enough_requests);
}

std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> FileReader::Read(
    const std::vector<std::string>& columns, const std::vector<std::vector<RowRange>>& rows,
    arrow::internal::Executor* executor, size_t enough_requests) {
  std::deque<RowRead> reads;
  for (const std::vector<RowRange>& ranges : rows) {
    RowRead& read = reads.emplace_back(*metadata_, ranges);
    for (const std::string& column : columns) read.Add(column, impl_->Column(column), IsRemoteIndex(*file_));
  }
  const auto at_hand = impl_->at_hand(/*for_rows=*/true);
  const arrow::Status fetched = RunSteps(*at_hand, file_.get(), enough_requests, &reads);
  std::vector<arrow::Result<std::shared_ptr<arrow::RecordBatch>>> results(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!reads[i].outcome().ok()) results[i] = reads[i].outcome();
  }
  if (!fetched.ok() && rows.size() > 1) {
    // Which of them it was is found out one by one.
    for (size_t i = 0; i < rows.size(); ++i) {
      if (reads[i].outcome().ok()) results[i] = Read(columns, {rows[i]}, nullptr, enough_requests).front();
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
