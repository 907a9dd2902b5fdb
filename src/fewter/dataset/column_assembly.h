#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/file_metadata.h"
#include "fewter/lance/manifest.h"

/// From what data files hold of a column to what the table calls it now: fields of structs may have been dropped,
/// added, renamed or stored anew since a file was written.

namespace fewter {

/// The positions of a field's children.
std::vector<size_t> ChildrenOf(const std::vector<lance::Field>& fields, size_t position);

/// Whether a data file has a column for the table's field that stands there, or for one below it.
bool HoldsField(const lance::DataFile& file, const std::vector<lance::Field>& table, size_t position);

/// A column as one data file has it.
struct StoredColumn {
  const lance::DataFile* file = nullptr;
  std::shared_ptr<const lance::FileMetadata> metadata;
  /// Where it stands among the file's fields.
  size_t position = 0;
  std::shared_ptr<arrow::ArrayData> data;
};

/// The column of the table's field that stands there, with `num_rows` rows, as `type` of it, where JSON may be text.
/// `stored` is what the data files of a fragment that hold it have; all null if none does. Of a struct in several
/// files, a row is null if it is null in all of them.
///
/// NotImplemented, naming the column, for one that is stored as another type, or lists whose items are in several
/// files. JSON that is to be text: as JsonAsText, naming the column.
arrow::Result<std::shared_ptr<arrow::ArrayData>> AssembleColumn(const std::vector<lance::Field>& table, size_t position,
                                                                const std::shared_ptr<arrow::DataType>& type,
                                                                int64_t num_rows, std::vector<StoredColumn> stored);

}  // namespace fewter
