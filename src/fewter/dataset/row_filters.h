#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "fewter/vector/top_k.h"

namespace fewter {

/// Filters for SearchRequest::prefilter, made of row ids as a search returns them (with stable row ids, those). The ids
/// are copied into a roaring bitmap and may come in any order, repeated ones included.
std::shared_ptr<const RowFilter> AllowRows(std::span<const uint64_t> row_ids);
std::shared_ptr<const RowFilter> BlockRows(std::span<const uint64_t> row_ids);

/// Lets pass what both let pass. Null lets everything pass; so does what this returns if both are null.
std::shared_ptr<const RowFilter> BothOf(std::shared_ptr<const RowFilter> a, std::shared_ptr<const RowFilter> b);

}  // namespace fewter
