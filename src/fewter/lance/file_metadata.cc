#include "fewter/lance/file_metadata.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include <arrow/util/utf8.h>

#include "fewter/lance/proto/file.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// Page buffers and global buffers of versions 2.1 and later start at multiples of this.
constexpr uint64_t kFileAlignment = 64;
/// An entry of the tables of columns and of global buffers: position and size.
constexpr uint64_t kTableEntrySize = 16;

struct Footer {
  uint64_t column_metadata_start = 0;
  ByteRange column_table;
  ByteRange global_buffer_table;
  uint32_t num_global_buffers = 0;
  uint32_t num_columns = 0;
  FileVersion version = FileVersion::kV2_0;
};

class FirstContainerDetail : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return "first container"; }
  static constexpr const char* kTypeId = "fewter::lance::FirstContainerDetail";
};

arrow::Result<FileVersion> VersionOf(uint16_t major, uint16_t minor) {
  if ((major == 0 && minor == 3) || (major == 2 && minor == 0)) return FileVersion::kV2_0;
  if (major == 2 && minor == 1) return FileVersion::kV2_1;
  if (major == 2 && minor == 2) return FileVersion::kV2_2;
  if (major == 0 && minor < 3) {
    return arrow::Status::NotImplemented("the container of before version 2.0 (", major, ".", minor,
                                         ") is not supported; write the data again with data_storage_version 2.0 to ",
                                         "2.2")
        .WithDetail(std::make_shared<FirstContainerDetail>());
  }
  return arrow::Status::NotImplemented("file version ", major, ".", minor, " is not supported, only 2.0 to 2.2 are; ",
                                       "write the data again with one of these as its data_storage_version");
}

/// Decodes the last kFooterSize bytes. `tail` are the last bytes of the file.
arrow::Result<Footer> ParseFooter(uint64_t file_size, const arrow::Buffer& tail) {
  const auto tail_size = static_cast<uint64_t>(tail.size());
  if (tail_size < FileMetadata::kFooterSize || tail_size > file_size) {
    return arrow::Status::Invalid("too short for a footer: ", tail_size, " of ", file_size, " bytes");
  }
  const uint8_t* bytes = tail.data() + (tail_size - FileMetadata::kFooterSize);
  if (std::memcmp(bytes + 36, "LANC", 4) != 0) return arrow::Status::Invalid("no LANC at its end");
  Footer footer;
  ARROW_ASSIGN_OR_RAISE(footer.version,
                        VersionOf(LoadLittleEndian<uint16_t>(bytes + 32), LoadLittleEndian<uint16_t>(bytes + 34)));
  footer.column_metadata_start = LoadLittleEndian<uint64_t>(bytes);
  footer.num_global_buffers = LoadLittleEndian<uint32_t>(bytes + 24);
  footer.num_columns = LoadLittleEndian<uint32_t>(bytes + 28);
  footer.column_table = {LoadLittleEndian<uint64_t>(bytes + 8), footer.num_columns * kTableEntrySize};
  footer.global_buffer_table = {LoadLittleEndian<uint64_t>(bytes + 16), footer.num_global_buffers * kTableEntrySize};
  const uint64_t footer_start = file_size - FileMetadata::kFooterSize;
  if (footer.column_metadata_start > footer_start) {
    return arrow::Status::Invalid("column metadata starts at ", footer.column_metadata_start, ", in the footer");
  }
  for (const ByteRange& table : {footer.column_table, footer.global_buffer_table}) {
    if (!RangeIsInside(table.offset, table.length, footer_start)) {
      return arrow::Status::Invalid("a table of its footer lies outside the file: ", table.offset, " + ", table.length);
    }
  }
  if (footer.num_global_buffers == 0) return arrow::Status::Invalid("no global buffer 0 with a schema");
  return footer;
}

ByteRange TableEntry(const uint8_t* table, uint32_t index) {
  const uint8_t* entry = table + index * kTableEntrySize;
  return {LoadLittleEndian<uint64_t>(entry), LoadLittleEndian<uint64_t>(entry + 8)};
}

/// The message with the file's name in front.
arrow::Status InFile(const std::string& path, const arrow::Status& status) {
  return status.WithMessage("lance file '", path, "': ", status.message());
}

template <typename Message>
arrow::Status ParseMessage(const uint8_t* data, uint64_t size, const char* what, Message* message) {
  // Protobuf counts in int.
  if (size > static_cast<uint64_t>(std::numeric_limits<int>::max()) ||
      !message->ParseFromArray(data, static_cast<int>(size))) {
    return arrow::Status::Invalid(what, " is not a valid message");
  }
  return arrow::Status::OK();
}

}  // namespace

std::string_view ToString(FileVersion version) {
  switch (version) {
    case FileVersion::kV2_0:
      return "2.0";
    case FileVersion::kV2_1:
      return "2.1";
    case FileVersion::kV2_2:
      return "2.2";
  }
  return "unknown";
}

bool IsFirstContainer(const arrow::Status& status) {
  return status.detail() != nullptr && std::string_view(status.detail()->type_id()) == FirstContainerDetail::kTypeId;
}

/// Fills a FileMetadata, one part after the other. Messages do not name the file; Parse adds that.
class FileMetadata::Parser {
 public:
  Parser(uint64_t file_size, std::shared_ptr<arrow::Buffer> tail, FileMetadata* out)
      : file_size_(file_size), tail_(std::move(tail)), out_(out) {}

  arrow::Status Run() {
    arrow::util::InitializeUTF8();
    ARROW_ASSIGN_OR_RAISE(footer_, ParseFooter(file_size_, *tail_));
    out_->version_ = footer_.version;
    ARROW_RETURN_NOT_OK(ParseGlobalBuffers());
    ARROW_RETURN_NOT_OK(ParseDescriptor());
    ARROW_RETURN_NOT_OK(ParseColumns());
    return KeepTail();
  }

 private:
  /// The bytes of a range that must lie in the tail.
  arrow::Result<const uint8_t*> InTail(ByteRange range, const char* what) {
    const uint64_t tail_start = file_size_ - static_cast<uint64_t>(tail_->size());
    if (range.offset < tail_start || !RangeIsInside(range.offset, range.length, file_size_)) {
      return arrow::Status::Invalid(what, " lies outside the file's last ", tail_->size(), " bytes: ", range.offset,
                                    " + ", range.length);
    }
    first_needed_ = std::min(first_needed_, range.offset);
    return tail_->data() + (range.offset - tail_start);
  }

  arrow::Status CheckBuffer(ByteRange range, const char* what) const {
    if (!RangeIsInside(range.offset, range.length, file_size_)) {
      return arrow::Status::Invalid(what, " lies outside the file's ", file_size_, " bytes: ", range.offset, " + ",
                                    range.length);
    }
    if (out_->version_ != FileVersion::kV2_0 && range.offset % kFileAlignment != 0) {
      return arrow::Status::Invalid(what, " is not aligned: it starts at ", range.offset);
    }
    return arrow::Status::OK();
  }

  arrow::Status ParseGlobalBuffers() {
    ARROW_ASSIGN_OR_RAISE(const uint8_t* table, InTail(footer_.global_buffer_table, "the table of global buffers"));
    out_->global_buffers_.reserve(footer_.num_global_buffers);
    for (uint32_t i = 0; i < footer_.num_global_buffers; ++i) {
      out_->global_buffers_.push_back(TableEntry(table, i));
      ARROW_RETURN_NOT_OK(CheckBuffer(out_->global_buffers_.back(), "a global buffer"));
    }
    return arrow::Status::OK();
  }

  arrow::Status ParseDescriptor() {
    const ByteRange range = out_->global_buffers_[0];
    ARROW_ASSIGN_OR_RAISE(const uint8_t* bytes, InTail(range, "the schema"));
    pb::FileDescriptor descriptor;
    ARROW_RETURN_NOT_OK(ParseMessage(bytes, range.length, "the schema", &descriptor));
    out_->num_rows_ = descriptor.length();
    for (const auto& entry : descriptor.schema().metadata()) out_->schema_metadata_[entry.key()] = entry.value();
    for (const pb::Field& message : descriptor.schema().fields()) ARROW_RETURN_NOT_OK(AddField(message));
    return arrow::Status::OK();
  }

  arrow::Status AddField(const pb::Field& message) {
    Field field;
    field.id = message.id();
    field.parent_id = message.parent_id();
    field.name = message.name();
    field.logical_type = message.logical_type();
    field.nullable = message.nullable();
    if (!arrow::util::ValidateUTF8(field.name) || !arrow::util::ValidateUTF8(field.logical_type)) {
      return arrow::Status::Invalid("a field whose name or type is not UTF-8: field ", field.id);
    }
    for (const auto& entry : message.metadata()) field.metadata[entry.key()] = entry.value();
    if (field.parent_id != -1 && !seen_ids_.contains(field.parent_id)) {
      return arrow::Status::Invalid("field '", field.name, "' comes before its parent ", field.parent_id);
    }
    seen_ids_.insert(field.id);
    out_->fields_.push_back(std::move(field));
    return arrow::Status::OK();
  }

  arrow::Status ParseColumns() {
    ARROW_ASSIGN_OR_RAISE(const uint8_t* table, InTail(footer_.column_table, "the table of columns"));
    first_needed_ = std::min(first_needed_, footer_.column_metadata_start);
    for (uint32_t i = 0; i < footer_.num_columns; ++i) {
      const ByteRange range = TableEntry(table, i);
      ARROW_ASSIGN_OR_RAISE(const uint8_t* bytes, InTail(range, "the metadata of a column"));
      pb::ColumnMetadata message;
      ARROW_RETURN_NOT_OK(ParseMessage(bytes, range.length, "the metadata of a column", &message));
      ARROW_RETURN_NOT_OK(AddColumn(message));
    }
    return arrow::Status::OK();
  }

  arrow::Status AddColumn(const pb::ColumnMetadata& message) {
    ColumnMetadata column;
    uint64_t rows = 0;
    for (const auto& page_message : message.pages()) {
      ARROW_ASSIGN_OR_RAISE(PageMetadata page, ParsePage(page_message));
      if (!CheckedAdd(rows, page.num_rows, &rows)) return arrow::Status::Invalid("a column with more than 2^64 rows");
      column.pages.push_back(std::move(page));
    }
    out_->columns_.push_back(std::move(column));
    return arrow::Status::OK();
  }

  arrow::Result<PageMetadata> ParsePage(const pb::ColumnMetadata::Page& message) const {
    PageMetadata page;
    page.num_rows = message.length();
    if (message.buffer_offsets_size() != message.buffer_sizes_size()) {
      return arrow::Status::Invalid("a page with ", message.buffer_offsets_size(), " buffer offsets but ",
                                    message.buffer_sizes_size(), " sizes");
    }
    for (int i = 0; i < message.buffer_offsets_size(); ++i) {
      page.buffers.push_back({message.buffer_offsets(i), message.buffer_sizes(i)});
      ARROW_RETURN_NOT_OK(CheckBuffer(page.buffers.back(), "a page's buffer"));
    }
    if (!message.encoding().has_direct()) {
      return arrow::Status::NotImplemented("a page whose encoding is not stored with it");
    }
    const std::string& bytes = message.encoding().direct().encoding();
    pb::EncodingMessage encoding;
    ARROW_RETURN_NOT_OK(ParseMessage(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                     "the encoding of a page", &encoding));
    page.encoding_type_url = encoding.type_url();
    page.encoding = std::move(*encoding.mutable_value());
    return page;
  }

  /// Keeps what was needed of the tail, in its own memory so that the rest can go.
  arrow::Status KeepTail() {
    const auto needed = static_cast<int64_t>(file_size_ - first_needed_);
    if (needed == tail_->size()) {
      out_->tail_ = std::move(tail_);
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(out_->tail_, tail_->CopySlice(tail_->size() - needed, needed));
    return arrow::Status::OK();
  }

  const uint64_t file_size_;
  std::shared_ptr<arrow::Buffer> tail_;
  FileMetadata* out_;
  Footer footer_;
  std::set<int32_t> seen_ids_;
  /// The lowest position that was looked at.
  uint64_t first_needed_ = std::numeric_limits<uint64_t>::max();
};

arrow::Result<std::shared_ptr<const FileMetadata>> FileMetadata::Parse(const std::string& path, uint64_t file_size,
                                                                       std::shared_ptr<arrow::Buffer> tail) {
  std::shared_ptr<FileMetadata> metadata(new FileMetadata);
  metadata->path_ = path;
  metadata->file_size_ = file_size;
  arrow::Status status = Parser(file_size, std::move(tail), metadata.get()).Run();
  if (!status.ok()) return InFile(path, status);
  return metadata;
}

arrow::Result<uint64_t> FileMetadata::RequiredTail(const std::string& path, uint64_t file_size,
                                                   const std::shared_ptr<arrow::Buffer>& tail) {
  arrow::Result<Footer> parsed = ParseFooter(file_size, *tail);
  if (!parsed.ok()) return InFile(path, parsed.status());
  const Footer& footer = *parsed;
  uint64_t first =
      std::min({footer.column_metadata_start, footer.column_table.offset, footer.global_buffer_table.offset});
  const uint64_t tail_start = file_size - static_cast<uint64_t>(tail->size());
  if (footer.global_buffer_table.offset >= tail_start) {
    const ByteRange schema = TableEntry(tail->data() + (footer.global_buffer_table.offset - tail_start), 0);
    if (!RangeIsInside(schema.offset, schema.length, file_size)) {
      return InFile(path, arrow::Status::Invalid("the schema lies outside the file's ", file_size,
                                                 " bytes: ", schema.offset, " + ", schema.length));
    }
    first = std::min(first, schema.offset);
  }
  return file_size - first;
}

int64_t FileMetadata::SizeInBytes() const {
  size_t size = sizeof(*this) + path_.capacity() + static_cast<size_t>(tail_->size());
  for (const Field& field : fields_) {
    size += sizeof(field) + field.name.capacity() + field.logical_type.capacity();
    for (const auto& [key, value] : field.metadata) size += 2 * sizeof(std::string) + key.capacity() + value.capacity();
  }
  for (const auto& [key, value] : schema_metadata_) size += 2 * sizeof(std::string) + key.capacity() + value.capacity();
  size += global_buffers_.capacity() * sizeof(ByteRange);
  for (const ColumnMetadata& column : columns_) {
    size += sizeof(column) + column.pages.capacity() * sizeof(PageMetadata);
    for (const PageMetadata& page : column.pages) {
      size +=
          page.buffers.capacity() * sizeof(ByteRange) + page.encoding_type_url.capacity() + page.encoding.capacity();
    }
  }
  return static_cast<int64_t>(size);
}

arrow::Status FileMetadata::Serialize(arrow::io::OutputStream* out) const {
  const uint64_t numbers[] = {file_size_, path_.size()};
  ARROW_RETURN_NOT_OK(out->Write(numbers, sizeof(numbers)));
  ARROW_RETURN_NOT_OK(out->Write(path_.data(), static_cast<int64_t>(path_.size())));
  return out->Write(tail_);
}

arrow::Result<std::shared_ptr<const FileMetadata>> FileMetadata::Deserialize(
    const std::shared_ptr<arrow::Buffer>& body) {
  constexpr uint64_t kNumbers = 16;
  const auto size = static_cast<uint64_t>(body->size());
  if (size < kNumbers) return arrow::Status::Invalid("cached file metadata: ", size, " bytes are too few");
  const auto file_size = LoadLittleEndian<uint64_t>(body->data());
  const auto path_size = LoadLittleEndian<uint64_t>(body->data() + 8);
  if (!RangeIsInside(kNumbers, path_size, size)) {
    return arrow::Status::Invalid("cached file metadata: a path of ", path_size, " bytes in ", size);
  }
  const std::string path(reinterpret_cast<const char*>(body->data()) + kNumbers, path_size);
  return Parse(path, file_size, arrow::SliceBuffer(body, static_cast<int64_t>(kNumbers + path_size)));
}

}  // namespace fewter::lance
