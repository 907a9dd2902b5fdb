#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/file_metadata.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

namespace fewter {

/// The ids of a fragment's rows by offset: stable ids where the table has them, addresses otherwise, and kDeletedRowId
/// for a deleted row, whose stable id may be that of a row elsewhere. Reads the deletion file.
arrow::Result<std::vector<uint64_t>> RowIdsOfFragment(const lance::ObjectStore& store, const lance::Manifest& manifest,
                                                      const lance::Fragment& fragment);

/// The same without the deleted rows.
arrow::Result<std::vector<uint64_t>> LiveRowIdsOfFragment(const lance::ObjectStore& store,
                                                          const lance::Manifest& manifest,
                                                          const lance::Fragment& fragment);

/// Live rows [first, first + length) of a fragment, counted without the deleted ones, as ranges of offsets. `deleted`
/// are the offsets of deleted rows, ascending.
std::vector<lance::RowRange> LiveRanges(const std::vector<uint32_t>& deleted, uint64_t first, uint64_t length);

/// Ascending offsets as ranges.
std::vector<lance::RowRange> RangesOf(std::span<const uint64_t> offsets);

/// Where rows lie (fragment << 32 | offset), by row id. Immutable, thread safe.
class RowLocations {
 public:
  /// Reads nothing if row ids are addresses; otherwise the row ids and deletions of every fragment.
  static arrow::Result<std::shared_ptr<const RowLocations>> Read(const lance::ObjectStore& store,
                                                                 const lance::Manifest& manifest);

  /// KeyError if there is no such row.
  arrow::Result<uint64_t> AddressOf(uint64_t row_id) const;

 private:
  bool ids_are_addresses_ = true;
  /// Id and address of every live row, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> addresses_;
};

}  // namespace fewter
