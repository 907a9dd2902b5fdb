#include "fewter/vector/quantizer/registry.h"

#include <algorithm>
#include <limits>

#include <arrow/status.h>

#include "fewter/vector/quantizer/flat/flat.h"
#include "fewter/vector/quantizer/flat_binary/flat_binary.h"
#include "fewter/vector/quantizer/pq/pq.h"
#include "fewter/vector/quantizer/rabitq/rabitq.h"
#include "fewter/vector/quantizer/sq/sq.h"

namespace fewter {
namespace {

constexpr const StorageKindEntry* kKinds[] = {&kFlatKind, &kFlatBinaryKind, &kPqKind, &kSqKind, &kRabitqKind};

}  // namespace

std::string_view ToString(StorageKind kind) {
  for (const StorageKindEntry* entry : kKinds) {
    if (entry->kind == kind) return entry->name;
  }
  return "unknown";
}

arrow::Result<const StorageKindEntry*> FindStorageKind(uint32_t kind) {
  for (const StorageKindEntry* entry : kKinds) {
    if (static_cast<uint32_t>(entry->kind) == kind) return entry;
  }
  return arrow::Status::Invalid("storage kind: unknown: ", kind);
}

const StorageKindEntry* FindStorageKind(std::string_view lance_name, ElementType element_type) {
  const bool is_binary = element_type == ElementType::kUint8;
  for (const StorageKindEntry* entry : kKinds) {
    if (entry->lance_name == lance_name && (entry->kind == StorageKind::kFlatBinary) == is_binary) return entry;
  }
  return nullptr;
}

void QueryScorer::ScoreRows(size_t /*i*/, const PartitionStorage& /*storage*/, std::span<const uint32_t> rows,
                            float* out) {
  std::fill_n(out, rows.size(), std::numeric_limits<float>::quiet_NaN());
}

}  // namespace fewter
