#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

namespace fewter::lance {

/// Decodes a 32-bit roaring bitmap in its portable form; the values come ascending and without repeats.
///
/// Lance keeps sets of fragment ids and of deleted rows in this form. A run of 65536 values takes 14 bytes of it, so
/// `max_values` bounds the memory that hostile bytes can ask for: Invalid for more values, for bytes that end too early
/// or go on after the last container, for values out of order and for a container whose number of values is not the one
/// it says. The message starts with `what`.
///
/// Our own decoder, as CRoaring 0.2 checks lengths but trusts the order and the counts within them.
arrow::Result<std::vector<uint32_t>> ParseRoaringBitmap(std::string_view bytes, uint64_t max_values,
                                                        std::string_view what);

/// Decodes a set of 64-bit numbers: a count, then for each upper half, ascending, that half and a bitmap of the lower
/// ones. `visit` gets one upper half after the other with its lower halves, ascending, and can end it all with an
/// error. `max_values` bounds the numbers of all together; Invalid as above, and for upper halves out of order.
arrow::Status VisitRoaringTreemap(
    std::string_view bytes, uint64_t max_values, std::string_view what,
    const std::function<arrow::Status(uint32_t upper, const std::vector<uint32_t>& lower)>& visit);

}  // namespace fewter::lance
