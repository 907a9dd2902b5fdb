#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include "fewter/lance/field.h"
#include "fewter/lance/object_store.h"

/// The metadata of a Lance file: footer, schema, columns and their pages.
///
/// Format: docs/format/lance_file.md.

namespace fewter::lance {

enum class FileVersion : uint8_t { kV2_0, kV2_1, kV2_2 };
std::string_view ToString(FileVersion version);

/// True if an error of this header's functions says that the file is in the container that Lance had before
/// version 2.0.
bool IsFirstContainer(const arrow::Status& status);

/// Rows [start, start + length) of a page, a column or a file.
struct RowRange {
  uint64_t start = 0;
  uint64_t length = 0;
  uint64_t end() const { return start + length; }
};

/// One page of a column: some of its rows, in one encoding.
struct PageMetadata {
  /// Absolute positions in the file. What each buffer holds is up to the encoding.
  std::vector<ByteRange> buffers;
  /// For the items of a list in version 2.0, which are a column of their own: items.
  uint64_t num_rows = 0;
  /// The type URL and the bytes of the encoding message; decoded when the page is first read.
  std::string encoding_type_url;
  std::string encoding;
};

struct ColumnMetadata {
  std::vector<PageMetadata> pages;
};

/// What is known about a file before any of its rows is read. Immutable; every range has been checked to lie inside
/// the file, and no column's rows add up to more than 64 bits can hold.
class FileMetadata {
 public:
  /// Decodes the file's last bytes. `tail` must hold at least what RequiredTail says; `file_size` is the length of the
  /// whole file. NotImplemented for file versions that we do not read, Invalid for malformed metadata, both naming
  /// `path`.
  static arrow::Result<std::shared_ptr<const FileMetadata>> Parse(const std::string& path, uint64_t file_size,
                                                                  std::shared_ptr<arrow::Buffer> tail);

  /// How many bytes of the file's end Parse needs, found from the last `tail->size()` bytes (kFooterSize or more, or
  /// the whole of a shorter file). If that is more than `tail` holds, ask again with a tail of that size: where the
  /// metadata begins is only known once the table of global buffers is at hand, which nearly always lies in the last
  /// KiB.
  static arrow::Result<uint64_t> RequiredTail(const std::string& path, uint64_t file_size,
                                              const std::shared_ptr<arrow::Buffer>& tail);
  static constexpr uint64_t kFooterSize = 40;

  const std::string& path() const { return path_; }
  uint64_t file_size() const { return file_size_; }
  FileVersion version() const { return version_; }
  uint64_t num_rows() const { return num_rows_; }
  /// Fields in pre-order, as in the file's own schema.
  const std::vector<Field>& fields() const { return fields_; }
  /// The schema's key-value metadata, where index files keep their parameters.
  const std::map<std::string, std::string>& schema_metadata() const { return schema_metadata_; }
  const std::vector<ByteRange>& global_buffers() const { return global_buffers_; }
  const std::vector<ColumnMetadata>& columns() const { return columns_; }
  /// The bytes that it was decoded from: the file's last tail()->size() bytes, no more than Parse needs.
  const std::shared_ptr<arrow::Buffer>& tail() const { return tail_; }

  /// The memory it holds, tail and decoded form together, for caches that count bytes.
  int64_t SizeInBytes() const;
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const { buffers->push_back(tail_); }

  /// What a cache needs to keep it: the path, the file's size and the tail. Deserialize decodes the tail anew and
  /// trusts the bytes no more than Parse does.
  static constexpr std::string_view kCacheTypeId = "fewter.lance.FileMetadata";
  static constexpr uint32_t kCacheTypeVersion = 1;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const FileMetadata>> Deserialize(const std::shared_ptr<arrow::Buffer>& body);

 private:
  class Parser;
  FileMetadata() = default;

  std::string path_;
  uint64_t file_size_ = 0;
  FileVersion version_ = FileVersion::kV2_0;
  uint64_t num_rows_ = 0;
  std::vector<Field> fields_;
  std::map<std::string, std::string> schema_metadata_;
  std::vector<ByteRange> global_buffers_;
  std::vector<ColumnMetadata> columns_;
  std::shared_ptr<arrow::Buffer> tail_;
};

}  // namespace fewter::lance
