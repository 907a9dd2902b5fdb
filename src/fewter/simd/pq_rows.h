#pragma once

#include <cstddef>
#include <cstdint>

/// Sums of the tables of pq_scan.h for codes that lie row after row, as a graph wants them: one row is one or two cache
/// lines, where a column-major scan would touch one for each byte.
///
/// With `picks` they look at rows picks[0], picks[1] … picks[num_rows - 1] instead of the first num_rows, and ask for
/// the next ones while they look at some. Any bytes are valid codes. Nothing allocates; everything is thread safe.

namespace fewter::simd {

/// out[i] = sum over j of table[j * 256 + codes[i * m + j]], from 0 and j = 0 on in float32: bit for bit what PqScan8
/// gives.
void PqSumRows8(const float* table, const uint8_t* codes, size_t num_rows, size_t m, float* out,
                const uint32_t* picks = nullptr);

/// The same for codes of 4 bits, m / 2 bytes a row; see PqScan4. Requires an even m.
void PqSumRows4(const float* table, const uint8_t* codes, size_t num_rows, size_t m, float* out,
                const uint32_t* picks = nullptr);

}  // namespace fewter::simd
