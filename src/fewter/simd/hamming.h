#pragma once

#include <cstddef>
#include <cstdint>

namespace fewter::simd {

/// out[i] = the number of bits in which the query and row i differ, each of `bytes` bytes; rows follow one another
/// without padding. Exact as long as there are at most 2^24 bits. Any addresses; nothing allocates; thread safe.
///
/// With `picks` it looks at rows picks[0], picks[1] … picks[num_rows - 1] instead of the first num_rows, and asks for
/// the next ones while it looks at some.
void HammingRows(const uint8_t* query, const uint8_t* rows, size_t num_rows, size_t bytes, float* out,
                 const uint32_t* picks = nullptr);

}  // namespace fewter::simd
