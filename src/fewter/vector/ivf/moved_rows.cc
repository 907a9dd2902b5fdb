#include "fewter/vector/ivf/moved_rows.h"

#include <utility>
#include <vector>

namespace fewter {

arrow::Result<std::shared_ptr<const PartitionStorage>> MoveRows(std::shared_ptr<const PartitionStorage> storage,
                                                                const RowMoves& moves, StorageLayout layout) {
  const uint64_t* row_ids = storage->row_ids();
  std::vector<uint32_t> kept;
  std::vector<uint64_t> new_ids;
  bool is_changed = false;
  for (uint32_t row = 0; row < storage->num_rows(); ++row) {
    std::optional<uint64_t> id = moves.NewId(row_ids[row]);
    is_changed |= id != row_ids[row];
    if (!id && layout == StorageLayout::kRandomAccess) id = kDeletedRowId;
    if (!id) continue;
    kept.push_back(row);
    new_ids.push_back(*id);
  }
  if (!is_changed) return storage;
  return storage->Select(kept, std::move(new_ids));
}

}  // namespace fewter
