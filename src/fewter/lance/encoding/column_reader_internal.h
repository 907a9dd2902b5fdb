#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/encoding/field_tree_internal.h"
#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/lance/encoding/stepped_read_internal.h"
#include "fewter/lance/file_metadata.h"

/// Reading rows of one field, in steps so that the IO of many columns can be done at once.

namespace fewter::lance {

/// One read of some rows of a column.
class ColumnRead : public SteppedRead {
 public:
  /// The rows, once all steps have been taken.
  virtual arrow::Result<std::shared_ptr<arrow::Array>> Decode() = 0;
};

/// A field of a file, with all that is below it. Keeps what its pages need before they can be read. Thread safe.
class ColumnReader {
 public:
  virtual ~ColumnReader() = default;

  /// The field; the arrays that reads yield have its type, but for floats that the pages know to be others.
  virtual const std::shared_ptr<arrow::Field>& field() const = 0;
  /// Starts a read of ranges of rows of the file, one after the other. Invalid if the column has fewer. The read must
  /// not outlive the reader. With `guesses` it asks for the rows where they probably lie together with what says where
  /// they do, which saves a step where a step costs more than bytes.
  virtual arrow::Result<std::unique_ptr<ColumnRead>> Start(const std::vector<RowRange>& rows, bool guesses) = 0;
};

/// Finds a column by its path; errors as LocateField.
arrow::Result<std::shared_ptr<ColumnReader>> MakeColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                              const std::string& path);

/// Versions 2.1 and later. Where a struct around the field is null, so is the field.
arrow::Result<std::shared_ptr<ColumnReader>> MakeStructuralColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                                        LocatedField field);
/// Version 2.0.
arrow::Result<std::shared_ptr<ColumnReader>> MakeArrayColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                                   FieldTree tree);

/// The file column of this index. Invalid if the file has fewer.
arrow::Result<const ColumnMetadata*> ColumnAt(const FileMetadata& metadata, uint64_t index);

/// Ranges of rows of one page, one after the other.
struct PageRows {
  size_t page = 0;
  std::vector<RowRange> ranges;
};

/// Finds the pages that hold a column's rows.
class PageIndex {
 public:
  /// Pages count `values_per_row` values for each row: more than one for fixed-size lists of structs.
  explicit PageIndex(const ColumnMetadata& column, uint64_t values_per_row = 1);

  uint64_t num_rows() const { return starts_.back(); }
  /// What is to be read of which page, in order, for ranges of the column's rows; no range is empty. Invalid if there
  /// are fewer rows.
  arrow::Result<std::vector<PageRows>> Divide(const std::vector<RowRange>& rows) const;

 private:
  /// The first row of each page, and the number of rows at the end.
  std::vector<uint64_t> starts_;
};

}  // namespace fewter::lance
