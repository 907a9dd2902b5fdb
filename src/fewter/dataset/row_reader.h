#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/cache/cache.h"
#include "fewter/lance/file_reader.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

namespace fewter {

/// Reads rows of a table, whatever files they are in. One version of a dataset; thread safe.
class RowReader {
 public:
  RowReader(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
            WeakCache cache)
      : store_(std::move(store)), manifest_(std::move(manifest)), cache_(std::move(cache)) {}

  /// Beside the table's own: a row's id, and where it lies (fragment << 32 | offset).
  static constexpr const char* kRowId = "_rowid";
  static constexpr const char* kRowAddress = "_rowaddr";

  /// The schema of what Read returns for these columns; all of the table's if there are none. A field inside structs is
  /// a column that is named by its path; JSON is text (json_columns.h). KeyError for one that the table does not have,
  /// NotImplemented for one of a type that is not read, an argument error for one named twice.
  arrow::Result<std::shared_ptr<arrow::Schema>> SchemaOf(const std::vector<std::string>& columns) const;

  /// Rows of a fragment: ranges of offsets in it, one after the other. `schema` comes from SchemaOf; if it has kRowId,
  /// `row_ids` are the rows' own, or there are none where these are addresses. Columns that the fragment has no data of
  /// are null.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Read(const lance::Fragment& fragment,
                                                          const std::vector<lance::RowRange>& rows,
                                                          std::span<const uint64_t> row_ids,
                                                          const std::shared_ptr<arrow::Schema>& schema);

  /// Opens the data files that hold these columns of a fragment, which Read does otherwise: for who has to wait for
  /// something else before.
  arrow::Status OpenFiles(const lance::Fragment& fragment, const arrow::Schema& schema);

  /// The offsets of a fragment's deleted rows, ascending. Read once and kept.
  arrow::Result<std::shared_ptr<const std::vector<uint32_t>>> DeletedOffsets(const lance::Fragment& fragment);

 private:
  arrow::Result<std::shared_ptr<lance::FileReader>> Open(const lance::Fragment& fragment, const lance::DataFile& file);
  /// Some columns of one data file.
  struct FilePart;
  arrow::Status ReadPart(const lance::Fragment& fragment, const std::vector<lance::RowRange>& rows, FilePart* part);
  /// Places of columns among the table's fields; nothing for one that is not stored.
  using Positions = std::vector<std::optional<size_t>>;
  Positions PositionsOf(const arrow::Schema& schema) const;
  /// Which of its data files hold them, none of which has been read.
  std::vector<FilePart> PartsOf(const lance::Fragment& fragment, const Positions& positions) const;
  arrow::Result<std::vector<FilePart>> ReadParts(const lance::Fragment& fragment,
                                                 const std::vector<lance::RowRange>& rows, const Positions& positions);

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const WeakCache cache_;
  std::mutex mutex_;
  /// By what the manifest has of them.
  std::unordered_map<const lance::DataFile*, std::shared_ptr<lance::FileReader>> files_;
  std::unordered_map<const lance::Fragment*, std::shared_ptr<const std::vector<uint32_t>>> deleted_;
};

}  // namespace fewter
