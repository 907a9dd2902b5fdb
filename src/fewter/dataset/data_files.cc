#include "fewter/dataset/data_files.h"

#include <algorithm>

#include "fewter/dataset/index_files.h"

namespace fewter {

const lance::DataFile* FindDataFile(const lance::Fragment& fragment, int32_t field_id) {
  for (const auto& file : fragment.files) {
    if (std::find(file.fields.begin(), file.fields.end(), field_id) != file.fields.end()) return &file;
  }
  return nullptr;
}

arrow::Result<std::shared_ptr<lance::FileReader>> OpenDataFile(const lance::ObjectStore& store, const WeakCache& cache,
                                                               const lance::Fragment& fragment,
                                                               const lance::DataFile& file) {
  if (file.is_legacy()) {
    return arrow::Status::NotImplemented(file.path, ": data files of version 0.", file.minor_version,
                                         " (legacy) are not read: write the dataset anew with a data_storage_version "
                                         "of 2.0 or later");
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, OpenLanceFile(store, cache, {file.path, file.size}, lance::IoKind::kData));
  const uint64_t rows = reader->metadata().num_rows();
  if (rows == fragment.physical_rows) return reader;
  return arrow::Status::Invalid(file.path, ": has ", rows, " rows, but in the manifest fragment ", fragment.id, " has ",
                                fragment.physical_rows);
}

arrow::Result<size_t> PositionInFile(const lance::FileMetadata& file, const lance::Field& field) {
  const auto& fields = file.fields();
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& one) { return one.id == field.id; });
  if (found != fields.end()) return static_cast<size_t>(found - fields.begin());
  return arrow::Status::Invalid(file.path(), ": no field with id ", field.id, " for column '", field.name, "'");
}

}  // namespace fewter
