#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include <arrow/result.h>

#include "fewter/vector/quantizer/quantizer.h"

namespace fewter {

/// Where rows went that were moved or deleted after an index was written. Thread safe.
class RowMoves {
 public:
  virtual ~RowMoves() = default;
  /// The id that a row has now; nothing if it has been deleted.
  virtual std::optional<uint64_t> NewId(uint64_t row_id) const = 0;
};

/// The id of rows that are kept though they have been deleted. No row has it, and no filter of live rows allows it.
inline constexpr uint64_t kDeletedRowId = std::numeric_limits<uint64_t>::max();

/// The rows of a partition under their new ids. Those that were deleted are left out of a storage for scans. In one for
/// random access the way to other rows may lead over them, and rows are named by their places, so they stay, as
/// kDeletedRowId. The storage itself if no row of it was moved or deleted.
arrow::Result<std::shared_ptr<const PartitionStorage>> MoveRows(std::shared_ptr<const PartitionStorage> storage,
                                                                const RowMoves& moves, StorageLayout layout);

}  // namespace fewter
