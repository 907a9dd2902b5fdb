#include "fewter/dataset/blob_places.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/util/checked_cast.h>
#include <arrow/util/key_value_metadata.h>

#include "fewter/dataset/column_assembly.h"
#include "fewter/lance/field.h"
#include "fewter/util/bytes.h"

namespace fewter {

namespace {

using arrow::internal::checked_cast;

/// Of the second kind of blobs.
enum class Place : uint8_t { kDataFile = 0, kSharedFile = 1, kOwnFile = 2, kElsewhere = 3 };

/// In files of version 2.0 a null of the first kind is an empty blob there.
constexpr uint64_t kNullPosition = 1;

/// A blob file's name: 32 binary digits, the lowest first.
std::string BlobFilePath(std::string_view data_file, uint32_t id) {
  constexpr std::string_view kExtension = ".lance";
  if (data_file.ends_with(kExtension)) data_file.remove_suffix(kExtension.size());
  std::string path(data_file);
  path += '/';
  for (uint32_t bit = 0; bit < 32; ++bit) path += (id >> bit & 1) != 0 ? '1' : '0';
  return path + ".blob";
}

/// What an array of descriptions says.
class Descriptions {
 public:
  explicit Descriptions(const arrow::StructArray& array)
      : array_(array),
        is_first_kind_(array.num_fields() == 2),
        positions_(Get<arrow::UInt64Array>("position")),
        sizes_(Get<arrow::UInt64Array>("size")),
        kinds_(Get<arrow::UInt8Array>("kind")),
        ids_(Get<arrow::UInt32Array>("blob_id")),
        uris_(Get<arrow::StringArray>("blob_uri")) {}

  int64_t length() const { return array_.length(); }
  bool IsNull(int64_t i) const {
    return array_.IsNull(i) || (is_first_kind_ && size(i) == 0 && position(i) == kNullPosition);
  }
  uint64_t position(int64_t i) const { return positions_->Value(i); }
  uint64_t size(int64_t i) const { return sizes_->Value(i); }
  Place place(int64_t i) const { return is_first_kind_ ? Place::kDataFile : static_cast<Place>(kinds_->Value(i)); }
  uint32_t id(int64_t i) const { return ids_->Value(i); }
  std::string_view uri(int64_t i) const { return uris_->GetView(i); }

 private:
  template <typename Array>
  std::shared_ptr<Array> Get(const char* name) const {
    return arrow::internal::checked_pointer_cast<Array>(array_.GetFieldByName(name));
  }

  const arrow::StructArray& array_;
  const bool is_first_kind_;
  const std::shared_ptr<arrow::UInt64Array> positions_;
  const std::shared_ptr<arrow::UInt64Array> sizes_;
  /// Null for the first kind, as those below.
  const std::shared_ptr<arrow::UInt8Array> kinds_;
  const std::shared_ptr<arrow::UInt32Array> ids_;
  const std::shared_ptr<arrow::StringArray> uris_;
};

/// The data files of a field, by fragment.
class FilesOfField {
 public:
  FilesOfField(const lance::Manifest& manifest, size_t position) : manifest_(manifest), position_(position) {}

  arrow::Result<const lance::DataFile*> Find(uint64_t address) {
    const uint64_t id = address >> 32;
    const lance::DataFile*& file = files_[id];
    if (file != nullptr) return file;
    const lance::Fragment* fragment = manifest_.FindFragment(id);
    if (fragment != nullptr) {
      const auto found = std::find_if(fragment->files.begin(), fragment->files.end(),
                                      [&](const auto& one) { return HoldsField(one, manifest_.fields, position_); });
      if (found != fragment->files.end()) file = &*found;
    }
    if (file != nullptr) return file;
    return arrow::Status::Invalid("fragment ", id, " has blobs of column '", lance::PathOf(manifest_.fields, position_),
                                  "' and no data file of it");
  }

 private:
  const lance::Manifest& manifest_;
  const size_t position_;
  std::map<uint64_t, const lance::DataFile*> files_;
};

/// The file that a blob lies in.
arrow::Result<std::pair<std::string, uint64_t>> FileOf(const Descriptions& blobs, int64_t i,
                                                       const lance::DataFile& data_file) {
  switch (blobs.place(i)) {
    case Place::kDataFile:
      return std::pair{data_file.path, data_file.size};
    case Place::kSharedFile:
      return std::pair{BlobFilePath(data_file.path, blobs.id(i)), uint64_t{0}};
    case Place::kOwnFile: {
      // It is all of the file, which then need not be asked for.
      uint64_t size = 0;
      if (!CheckedAdd(blobs.position(i), blobs.size(i), &size)) size = 0;
      return std::pair{BlobFilePath(data_file.path, blobs.id(i)), size};
    }
    case Place::kElsewhere:
      return arrow::Status::NotImplemented("the bytes of a blob outside of the dataset are not read: ", blobs.uri(i));
  }
  return arrow::Status::Invalid("a blob of kind ", static_cast<int>(blobs.place(i)));
}

bool HoldsBlobs(const arrow::Field& field) {
  const auto& below = field.type()->fields();
  return DescribesBlobs(field) ||
         std::any_of(below.begin(), below.end(), [](const auto& one) { return HoldsBlobs(*one); });
}

/// The largest number stands for all that are larger.
void AddSaturated(uint64_t more, uint64_t* sum) {
  if (!CheckedAdd(*sum, more, sum)) *sum = std::numeric_limits<uint64_t>::max();
}

/// Of what is described in elements [first, first + length) of an array.
uint64_t BlobBytesIn(const arrow::Array& array, const arrow::Field& field, int64_t first, int64_t length) {
  uint64_t bytes = 0;
  const auto add = [&](uint64_t more) { AddSaturated(more, &bytes); };
  if (DescribesBlobs(field)) {
    const Descriptions blobs(checked_cast<const arrow::StructArray&>(array));
    for (int64_t i = first; i < first + length; ++i) add(blobs.IsNull(i) ? 0 : blobs.size(i));
    return bytes;
  }
  const auto add_list = [&](const auto& list) {
    const int64_t begin = list.value_offset(first);
    add(BlobBytesIn(*list.values(), *field.type()->field(0), begin, list.value_offset(first + length) - begin));
  };
  switch (array.type_id()) {
    case arrow::Type::STRUCT:
      for (int i = 0; i < field.type()->num_fields(); ++i) {
        const auto& child = checked_cast<const arrow::StructArray&>(array).field(i);
        add(BlobBytesIn(*child, *field.type()->field(i), first, length));
      }
      break;
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      add_list(checked_cast<const arrow::ListArray&>(array));
      break;
    case arrow::Type::LARGE_LIST:
      add_list(checked_cast<const arrow::LargeListArray&>(array));
      break;
    default:
      break;
  }
  return bytes;
}

}  // namespace

bool DescribesBlobs(const arrow::Field& field) {
  return field.type()->id() == arrow::Type::STRUCT && field.HasMetadata() &&
         field.metadata()->Contains(lance::kBlobKey);
}

std::vector<uint64_t> BlobBytesOfRows(const arrow::ArrayVector& columns, const arrow::Schema& schema, int64_t rows) {
  std::vector<uint64_t> bytes(static_cast<size_t>(rows));
  for (size_t column = 0; column < columns.size(); ++column) {
    const arrow::Field& field = *schema.field(static_cast<int>(column));
    if (!HoldsBlobs(field)) continue;
    for (int64_t row = 0; row < rows; ++row) {
      AddSaturated(BlobBytesIn(*columns[column], field, row, 1), &bytes[static_cast<size_t>(row)]);
    }
  }
  return bytes;
}

arrow::Result<BlobPlaces> PlacesOf(const arrow::StructArray& described, const lance::Manifest& manifest,
                                   size_t position, std::span<const uint64_t> addresses) {
  const Descriptions blobs(described);
  FilesOfField files(manifest, position);
  BlobPlaces places;
  for (int64_t i = 0; i < blobs.length(); ++i) {
    const bool is_valid = !blobs.IsNull(i);
    places.is_valid.push_back(is_valid);
    places.sizes.push_back(is_valid ? blobs.size(i) : 0);
    const bool says_size = blobs.place(i) != Place::kElsewhere;
    if (!is_valid || (says_size && blobs.size(i) == 0)) continue;
    ARROW_ASSIGN_OR_RAISE(const lance::DataFile* data_file, files.Find(addresses[static_cast<size_t>(i)]));
    auto found = FileOf(blobs, i, *data_file);
    if (!found.ok()) {
      return found.status().WithMessage(data_file->path, ": column '", lance::PathOf(manifest.fields, position),
                                        "': ", found.status().message());
    }
    auto& [path, size] = *found;
    BlobPlaces::File& file = places.files[std::move(path)];
    file.size = size;
    file.parts.push_back({{blobs.position(i), blobs.size(i)}, static_cast<size_t>(i)});
  }
  return places;
}

}  // namespace fewter
