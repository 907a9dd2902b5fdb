#pragma once

#include <cstddef>
#include <cstdint>

namespace fewter::simd {

/// The inner products of a query with the bits of RaBitQ rows that are too few for a block of 32 (see rabitq_scan.h).
///
/// out[i] = the sum of table[g * 16 + code g of row i] over the groups g, in float32 and in their order. Byte p of row
/// i, at codes[p * num_rows + i], has the code of group 2p in its lower half, that of group 2p + 1 in its upper.
/// Requires num_rows < 32. Pointers need no alignment. Nothing allocates; thread safe.
void RabitqScanRest(const float* table, const uint8_t* codes, size_t num_rows, size_t code_bytes, float* out);

}  // namespace fewter::simd
