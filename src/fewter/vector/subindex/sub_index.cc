#include "fewter/vector/subindex/sub_index.h"

#include <arrow/status.h>

#include "fewter/vector/subindex/hnsw/hnsw.h"

namespace fewter {
namespace {

constexpr SubIndexKindEntry kFlatSubIndex = {
    SubIndexKind::kFlat, "flat", "", StorageLayout::kScan, nullptr, nullptr, nullptr, nullptr};

/// Flat last: every name begins with its prefix.
constexpr const SubIndexKindEntry* kKinds[] = {&kHnswKind, &kFlatSubIndex};

}  // namespace

std::string_view ToString(SubIndexKind kind) {
  return EntryOf(kind).name;
}

const SubIndexKindEntry& EntryOf(SubIndexKind kind) {
  for (const SubIndexKindEntry* entry : kKinds) {
    if (entry->kind == kind) return *entry;
  }
  return kFlatSubIndex;
}

arrow::Result<const SubIndexKindEntry*> FindSubIndexKind(uint32_t kind) {
  for (const SubIndexKindEntry* entry : kKinds) {
    if (static_cast<uint32_t>(entry->kind) == kind) return entry;
  }
  return arrow::Status::Invalid("sub-index kind: unknown: ", kind);
}

const SubIndexKindEntry& FindSubIndexKind(std::string_view index_type) {
  for (const SubIndexKindEntry* entry : kKinds) {
    if (index_type.starts_with(entry->lance_prefix)) return *entry;
  }
  return kFlatSubIndex;
}

}  // namespace fewter
