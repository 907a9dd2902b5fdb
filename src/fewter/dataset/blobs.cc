#include "fewter/dataset/blobs.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <string>

#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/util.h>
#include <arrow/buffer_builder.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/checked_cast.h>
#include <arrow/util/key_value_metadata.h>

#include "fewter/dataset/blob_places.h"
#include "fewter/dataset/column_assembly.h"
#include "fewter/dataset/nested_types.h"
#include "fewter/dataset/read_ahead.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/lance/field.h"
#include "fewter/util/bytes.h"

namespace fewter {

namespace {

using arrow::internal::checked_cast;
using Data = std::shared_ptr<arrow::ArrayData>;

/// What is read of a file at a time, and then copied to its place.
constexpr uint64_t kBytesReadTogether = uint64_t{16} << 20;
/// A blob that is longer is read in pieces of this size.
constexpr uint64_t kLongestPiece = uint64_t{8} << 20;
/// Of a batch of a scan.
constexpr uint64_t kBytesOfBatch = uint64_t{64} << 20;
/// How many batches are under way.
constexpr size_t kBatchesAhead = 2;

/// What a field says of itself whose blobs are bytes; the second kind no longer is of the type that it names.
std::shared_ptr<const arrow::KeyValueMetadata> MetadataOfBytes(const lance::Field& field) {
  std::vector<std::string> keys, values;
  for (const auto& [key, value] : field.metadata) {
    if (field.is_blob_v2() && (key == lance::kExtensionKey || key == lance::kBlobKey)) continue;
    keys.push_back(key);
    values.push_back(value);
  }
  return keys.empty() ? nullptr : arrow::key_value_metadata(std::move(keys), std::move(values));
}

std::shared_ptr<arrow::Field> WithBytes(const std::vector<lance::Field>& fields, size_t position,
                                        const std::shared_ptr<arrow::Field>& field) {
  if (DescribesBlobs(*field)) {
    return field->WithType(arrow::large_binary())->WithMetadata(MetadataOfBytes(fields[position]));
  }
  const std::vector<size_t> children = ChildrenOf(fields, position);
  if (children.size() != static_cast<size_t>(field->type()->num_fields())) return field;
  arrow::FieldVector below;
  bool is_other = false;
  for (size_t i = 0; i < children.size(); ++i) {
    const auto& child = field->type()->field(static_cast<int>(i));
    below.push_back(WithBytes(fields, children[i], child));
    is_other = is_other || below.back() != child;
  }
  const auto type = is_other ? WithFields(*field->type(), std::move(below)) : nullptr;
  return type == nullptr ? field : field->WithType(type);
}

/// Where the column lies among the table's fields; nothing for one that is not stored.
const lance::Field* StoredField(const lance::Manifest& manifest, const std::string& column) {
  const bool is_own = column == RowReader::kRowId || column == RowReader::kRowAddress;
  return is_own ? nullptr : manifest.FindField(column);
}

/// Parts of a file that are read together, the first ones of `parts`.
size_t CountTogether(std::span<const BlobPlaces::Part> parts) {
  size_t count = 0;
  for (uint64_t bytes = 0; count < parts.size(); ++count) {
    bytes += parts[count].range.length;
    if (count > 0 && bytes > kBytesReadTogether) break;
  }
  return count;
}

/// The parts in the order of their places, none longer than a piece; with where the bytes belong in place of the blob.
std::vector<BlobPlaces::Part> PiecesOf(const std::vector<BlobPlaces::Part>& parts, std::span<const int64_t> offsets) {
  std::vector<BlobPlaces::Part> pieces;
  for (const BlobPlaces::Part& part : parts) {
    const auto begin = static_cast<size_t>(offsets[part.blob]);
    for (uint64_t done = 0; done < part.range.length; done += kLongestPiece) {
      const uint64_t length = std::min(kLongestPiece, part.range.length - done);
      pieces.push_back({{part.range.offset + done, length}, begin + done});
    }
  }
  std::ranges::sort(pieces, {}, [](const BlobPlaces::Part& piece) { return piece.range.offset; });
  return pieces;
}

arrow::Status ReadPieces(lance::ReadableFile* file, std::span<const BlobPlaces::Part> pieces, uint8_t* to) {
  while (!pieces.empty()) {
    const auto together = pieces.first(CountTogether(pieces));
    std::vector<lance::ByteRange> ranges;
    for (const BlobPlaces::Part& piece : together) ranges.push_back(piece.range);
    ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadMany(ranges));
    for (size_t i = 0; i < together.size(); ++i) std::memcpy(to + together[i].blob, bytes[i]->data(), ranges[i].length);
    pieces = pieces.subspan(together.size());
  }
  return arrow::Status::OK();
}

/// The validity of an array without an offset; null if all of it is valid.
arrow::Result<std::shared_ptr<arrow::Buffer>> ValidityOf(const arrow::ArrayData& data) {
  if (!data.MayHaveNulls()) return nullptr;
  if (data.offset == 0) return data.buffers[0];
  return arrow::internal::CopyBitmap(arrow::default_memory_pool(), data.buffers[0]->data(), data.offset, data.length);
}

}  // namespace

/// A column of some rows on its way from descriptions to bytes.
class BlobReader::Column {
 public:
  explicit Column(const BlobReader& reader) : store_(*reader.store_), manifest_(*reader.manifest_) {}

  /// `data` is of the field at `position`, and each of its elements of a row with one of the addresses.
  arrow::Result<Data> Convert(const Data& data, size_t position, const std::shared_ptr<arrow::DataType>& type,
                              std::span<const uint64_t> addresses) const {
    if (data->type->Equals(*type)) return data;
    if (type->id() == arrow::Type::LARGE_BINARY) return Bytes(data, position, addresses);
    switch (type->id()) {
      case arrow::Type::STRUCT:
        return Struct(*data, position, type, addresses);
      case arrow::Type::LIST:
      case arrow::Type::MAP:
        return List<int32_t>(*data, position, type, addresses);
      case arrow::Type::LARGE_LIST:
        return List<int64_t>(*data, position, type, addresses);
      default:
        return arrow::Status::NotImplemented("blobs in a column of type ", data->type->ToString());
    }
  }

 private:
  arrow::Result<Data> Struct(const arrow::ArrayData& data, size_t position,
                             const std::shared_ptr<arrow::DataType>& type, std::span<const uint64_t> addresses) const {
    const std::vector<size_t> children = ChildrenOf(manifest_.fields, position);
    ARROW_ASSIGN_OR_RAISE(auto validity, ValidityOf(data));
    auto converted = arrow::ArrayData::Make(type, data.length, {std::move(validity)});
    for (size_t i = 0; i < data.child_data.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto child, Convert(data.child_data[i]->Slice(data.offset, data.length), children[i],
                                                type->field(static_cast<int>(i))->type(), addresses));
      converted->child_data.push_back(std::move(child));
    }
    return converted;
  }

  template <typename Offset>
  arrow::Result<Data> List(const arrow::ArrayData& data, size_t position, const std::shared_ptr<arrow::DataType>& type,
                           std::span<const uint64_t> addresses) const {
    const std::span offsets(data.GetValues<Offset>(1), static_cast<size_t>(data.length + 1));
    std::vector<Offset> own_offsets = {0};
    std::vector<uint64_t> of_items;
    for (size_t row = 0; row < addresses.size(); ++row) {
      own_offsets.push_back(offsets[row + 1] - offsets[0]);
      of_items.resize(static_cast<size_t>(own_offsets.back()), addresses[row]);
    }
    ARROW_ASSIGN_OR_RAISE(auto validity, ValidityOf(data));
    ARROW_ASSIGN_OR_RAISE(auto items,
                          Convert(data.child_data[0]->Slice(offsets[0], own_offsets.back()),
                                  ChildrenOf(manifest_.fields, position).front(), type->field(0)->type(), of_items));
    auto own = arrow::Buffer::FromVector(std::move(own_offsets));
    return arrow::ArrayData::Make(type, data.length, {std::move(validity), std::move(own)}, {std::move(items)});
  }

  arrow::Result<Data> Bytes(const Data& data, size_t position, std::span<const uint64_t> addresses) const {
    const arrow::StructArray described(data);
    ARROW_ASSIGN_OR_RAISE(const BlobPlaces places, PlacesOf(described, manifest_, position, addresses));
    ARROW_ASSIGN_OR_RAISE(auto files, OpenFiles(places, position));
    std::vector<int64_t> offsets = {0};
    arrow::TypedBufferBuilder<bool> validity;
    for (size_t i = 0; i < places.sizes.size(); ++i) {
      uint64_t end = 0;
      if (!CheckedAdd(static_cast<uint64_t>(offsets.back()), places.sizes[i], &end) ||
          end > uint64_t{std::numeric_limits<int64_t>::max()}) {
        return arrow::Status::CapacityError("column '", lance::PathOf(manifest_.fields, position),
                                            "': too many bytes of blobs for one array");
      }
      offsets.push_back(static_cast<int64_t>(end));
      ARROW_RETURN_NOT_OK(validity.Append(places.is_valid[i]));
    }
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bytes, arrow::AllocateBuffer(offsets.back()));
    ARROW_RETURN_NOT_OK(store_.RunTogether(files.size(), [&](size_t i) {
      return ReadPieces(files[i].first.get(), PiecesOf(*files[i].second, offsets), bytes->mutable_data());
    }));
    ARROW_ASSIGN_OR_RAISE(auto valid, validity.Finish());
    return arrow::ArrayData::Make(arrow::large_binary(), data->length,
                                  {std::move(valid), arrow::Buffer::FromVector(std::move(offsets)), std::move(bytes)});
  }

  using Files = std::vector<std::pair<std::shared_ptr<lance::ReadableFile>, const std::vector<BlobPlaces::Part>*>>;

  /// All that is to be read lies in them, so that no memory is taken for more than there is.
  arrow::Result<Files> OpenFiles(const BlobPlaces& places, size_t position) const {
    Files files;
    for (const auto& [path, file] : places.files) {
      files.emplace_back(store_.OpenFile(path, file.size, lance::IoKind::kData), &file.parts);
    }
    ARROW_RETURN_NOT_OK(store_.RunTogether(files.size(), [&](size_t i) -> arrow::Status {
      const auto& [file, parts] = files[i];
      ARROW_ASSIGN_OR_RAISE(const uint64_t size, file->Size());
      for (const BlobPlaces::Part& part : *parts) {
        if (RangeIsInside(part.range.offset, part.range.length, size)) continue;
        return arrow::Status::Invalid(file->path(), ": column '", lance::PathOf(manifest_.fields, position),
                                      "': a blob of ", part.range.length, " bytes at ", part.range.offset,
                                      " goes past the end of ", size);
      }
      return arrow::Status::OK();
    }));
    return files;
  }

  const lance::ObjectStore& store_;
  const lance::Manifest& manifest_;
};

std::shared_ptr<arrow::Schema> BlobReader::SchemaOf(const arrow::Schema& described) const {
  arrow::FieldVector fields;
  for (const auto& field : described.fields()) {
    const lance::Field* stored = StoredField(*manifest_, field->name());
    fields.push_back(field);
    if (stored == nullptr) continue;
    const auto position = static_cast<size_t>(stored - manifest_->fields.data());
    fields.back() = WithBytes(manifest_->fields, position, field);
  }
  return arrow::schema(std::move(fields), described.metadata());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> BlobReader::Read(
    const arrow::RecordBatch& described, const std::shared_ptr<arrow::Schema>& schema) const {
  const auto row_addresses = described.GetColumnByName(RowReader::kRowAddress);
  const std::span addresses(checked_cast<const arrow::UInt64Array&>(*row_addresses).raw_values(),
                            static_cast<size_t>(described.num_rows()));
  std::vector<Data> columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    const lance::Field* stored = StoredField(*manifest_, schema->field(i)->name());
    Data& column = columns.emplace_back(described.column_data(i));
    if (stored == nullptr) continue;
    const auto position = static_cast<size_t>(stored - manifest_->fields.data());
    ARROW_ASSIGN_OR_RAISE(column, Column(*this).Convert(column, position, schema->field(i)->type(), addresses));
  }
  return arrow::RecordBatch::Make(schema, described.num_rows(), std::move(columns));
}

std::shared_ptr<arrow::Schema> WithRowAddress(const std::shared_ptr<arrow::Schema>& schema) {
  if (schema->GetFieldIndex(RowReader::kRowAddress) >= 0) return schema;
  arrow::FieldVector fields = schema->fields();
  fields.push_back(arrow::field(RowReader::kRowAddress, arrow::uint64()));
  return arrow::schema(std::move(fields), schema->metadata());
}

namespace {

class BlobScanReader : public arrow::RecordBatchReader {
 public:
  BlobScanReader(std::shared_ptr<arrow::RecordBatchReader> described, std::shared_ptr<const BlobReader> blobs,
                 std::shared_ptr<arrow::Schema> schema, arrow::internal::Executor* executor)
      : described_(std::move(described)), blobs_(std::move(blobs)), schema_(std::move(schema)), batches_(executor) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    // Once it has failed nothing follows: rows would be left out.
    if (!outcome_.ok()) return outcome_;
    while (batches_.size() < kBatchesAhead && AddBatch()) {
    }
    if (batches_.size() == 0) return arrow::Status::OK();
    outcome_ = batches_.Take().Value(batch);
    return outcome_;
  }

 private:
  /// False if there are no more.
  bool AddBatch() {
    if (is_done_) return false;
    while (rows_ == nullptr || next_ == rows_->num_rows()) {
      auto rows = described_->Next();
      is_done_ = !rows.ok() || *rows == nullptr;
      if (!rows.ok()) batches_.Add([failure = rows.status()] { return failure; });
      if (is_done_) return !rows.ok();
      rows_ = *std::move(rows);
      bytes_ = BlobBytesOfRows(rows_->columns(), *rows_->schema(), rows_->num_rows());
      next_ = 0;
    }
    const int64_t count = CountNext();
    batches_.Add(
        [blobs = blobs_, rows = rows_->Slice(next_, count), schema = schema_] { return blobs->Read(*rows, schema); });
    next_ += count;
    return true;
  }

  /// How many of the rows go into the next batch.
  int64_t CountNext() const {
    const auto rest = std::span(bytes_).subspan(static_cast<size_t>(next_));
    uint64_t bytes = rest.front();
    size_t count = 1;
    while (count < rest.size() && CheckedAdd(bytes, rest[count], &bytes) && bytes <= kBytesOfBatch) ++count;
    return static_cast<int64_t>(count);
  }

  const std::shared_ptr<arrow::RecordBatchReader> described_;
  const std::shared_ptr<const BlobReader> blobs_;
  const std::shared_ptr<arrow::Schema> schema_;
  /// What batches are cut from: rows with descriptions, how long their blobs are, and how many rows have been cut off.
  std::shared_ptr<arrow::RecordBatch> rows_;
  std::vector<uint64_t> bytes_;
  int64_t next_ = 0;
  bool is_done_ = false;
  arrow::Status outcome_;
  ReadAhead<std::shared_ptr<arrow::RecordBatch>> batches_;
};

}  // namespace

std::shared_ptr<arrow::RecordBatchReader> MakeBlobScanReader(std::shared_ptr<arrow::RecordBatchReader> described,
                                                             std::shared_ptr<const BlobReader> blobs,
                                                             std::shared_ptr<arrow::Schema> schema,
                                                             arrow::internal::Executor* executor) {
  return std::make_shared<BlobScanReader>(std::move(described), std::move(blobs), std::move(schema), executor);
}

}  // namespace fewter
