#pragma once

#include <cstddef>
#include <cstdint>

/// Product quantisation on raw pointers: tables of partial distances, and sums of their entries over a partition's
/// codes.
///
/// A query is cut into `m` sub-vectors of `sub_dimension` elements. A table has a row of `num_codewords` entries per
/// sub-vector; a vector's distance is the sum of one entry from each row, as its code says.
///
/// Codes are column-major: byte j of row i is codes[j * stride + i], stride >= num_rows. Rows beyond num_rows are not
/// read. Any bytes are valid codes. Pointers need no alignment. Nothing allocates; everything is thread safe.

namespace fewter::simd {

/// table[j * num_codewords + c] = squared distance of the query's sub-vector j to codeword c of sub-vector j.
///
/// The codebook lies as it is read: in blocks of 16 codewords, within which vectors run over codewords. Element t of
/// codeword c of sub-vector j is at codebook[(j * num_codewords + c - c % 16) * sub_dimension + t * 16 + c % 16].
/// Requires num_codewords to be a multiple of 16.
void PqTableL2(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
               float* table);

/// The tables of several queries, each of m * sub_dimension elements, one behind the other; so are the tables. The same
/// entries as by PqTableL2, but the codebook, which is larger than a table, passes by only once.
void PqTablesL2(const float* queries, size_t num_queries, const float* codebook, size_t m, size_t sub_dimension,
                size_t num_codewords, float* tables);

/// As PqTableL2, but each entry is 1 - inner product.
void PqTableDot(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
                float* table);

/// out[i] = sum over j of table[j * 256 + code j of row i]: m bytes a row, a table row of 256 entries for each.
/// The sum starts from 0 and takes j in ascending order in float32, so it is the same bit for bit on every processor.
void PqScan8(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out);

/// The same for codes of 4 bits: m / 2 bytes a row, byte j holds sub-vector 2j in its low half and 2j + 1 in its high
/// half; a table row has 16 entries. Requires an even m.
void PqScan4(const float* table, const uint8_t* codes, size_t stride, size_t num_rows, size_t m, float* out);

}  // namespace fewter::simd
