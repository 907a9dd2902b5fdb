#pragma once

#include <cstddef>
#include <cstdint>

/// Distances of rows whose codes lie column after column: sums of the entries of a table (pq_tables.h).
///
/// Codes are column-major: byte j of row i is codes[j * stride + i], stride >= num_rows. Rows beyond num_rows are not
/// read. Any bytes are valid codes. Pointers need no alignment. Nothing allocates; everything is thread safe.

namespace fewter::simd {

/// out[i] = sum over j of table[j * 256 + code j of row i]: m bytes a row, a table row of 256 entries for each.
/// The sum starts from 0 and takes j in ascending order in float32, so it is the same bit for bit on every processor.
void PqScan8(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out);

/// The same for codes of 4 bits: m / 2 bytes a row, byte j holds sub-vector 2j in its low half and 2j + 1 in its high
/// half; a table row has 16 entries. Requires an even m.
void PqScan4(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out);

/// out[i] = what PqScan4 makes of row picks[i], bit for bit, for a few rows here and there.
void PqScanPicked4(const float* table, const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks,
                   size_t m, float* out);

}  // namespace fewter::simd
