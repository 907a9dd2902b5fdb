#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/lance/file_metadata.h"

/// Reading rows of one column, in steps so that the IO of many columns can be done at once.

namespace fewter::lance {

/// One read of some rows of a column. The steps are called once each, in order; ranges of length 0 need no IO, and get
/// an empty buffer. Not thread safe.
class ColumnRead {
 public:
  virtual ~ColumnRead() = default;

  /// What must be read before it is known where the rows' bytes lie. Often nothing.
  virtual arrow::Result<std::vector<ByteRange>> Prepare() = 0;
  /// Where the rows' bytes lie. `prepared` are the ranges that Prepare named.
  virtual arrow::Result<std::vector<ByteRange>> Plan(Buffers prepared) = 0;
  /// The rows. `bytes` are the ranges that Plan named.
  virtual arrow::Result<std::shared_ptr<arrow::Array>> Decode(Buffers bytes) = 0;
};

/// A column of a file. Keeps what its pages need before they can be read. Thread safe.
class ColumnReader {
 public:
  virtual ~ColumnReader() = default;

  /// The field's name and whether it may be null; its type is that of the arrays that reads yield.
  virtual const Field& field() const = 0;
  /// Starts a read of rows of the file. Invalid if the column has fewer. The read must not outlive the reader.
  virtual arrow::Result<std::unique_ptr<ColumnRead>> Start(RowRange rows) = 0;
};

/// Finds a column by the path of its field (see FindField). KeyError if there is none, NotImplemented if its type is
/// not a primitive, a vector of primitives, or a list of one of these. Messages do not name the file or the column.
arrow::Result<std::shared_ptr<ColumnReader>> MakeColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                              const std::string& name);

/// Where a field is stored, and what it is made of.
struct ColumnLocation {
  Field field;
  /// The type of the values: those of the lists if it is a list.
  ValueType type;
  /// The field of the items; null if it is no list.
  std::shared_ptr<arrow::Field> item_field;
  /// The file's column. In version 2.0 the items of a list are the column after it.
  const ColumnMetadata* column = nullptr;
  const ColumnMetadata* item_column = nullptr;
};
arrow::Result<ColumnLocation> LocateColumn(const FileMetadata& metadata, const std::string& path);

/// Versions 2.1 and later.
std::shared_ptr<ColumnReader> MakeStructuralColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                         ColumnLocation location);
/// Version 2.0.
std::shared_ptr<ColumnReader> MakeArrayColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                    ColumnLocation location);

/// Some rows of one page.
struct PageSlice {
  size_t page = 0;
  RowRange rows;
};

/// Finds the pages that hold a column's rows.
class PageIndex {
 public:
  explicit PageIndex(const ColumnMetadata& column);

  uint64_t num_rows() const { return starts_.back(); }
  /// The slices, in order and none of them empty, that make up the rows. Invalid if there are fewer.
  arrow::Result<std::vector<PageSlice>> Slices(RowRange rows) const;

 private:
  /// The first row of each page, and the number of rows at the end.
  std::vector<uint64_t> starts_;
};

}  // namespace fewter::lance
