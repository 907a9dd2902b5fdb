#pragma once

#include <cstddef>
#include <cstdint>

/// Product quantisation on raw pointers: tables of partial distances.
///
/// A query is cut into `m` sub-vectors of `sub_dimension` elements. A table has a row of `num_codewords` entries per
/// sub-vector; a vector's distance is the sum of one entry from each row, as its code says (pq_scan.h, pq_rows.h).
///
/// Pointers need no alignment. Nothing allocates; everything is thread safe.

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

/// As PqTableL2, but each entry is -2 times the inner product: what a query adds to a squared distance, beside terms
/// that the query or the codeword gives alone.
void PqTableCrossTerms(const float* query, const float* codebook, size_t m, size_t sub_dimension, size_t num_codewords,
                       float* table);

/// out[i] = what PqScan8, or for 16 codewords PqScan4, makes of row picks[i] by the table of PqTableL2, bit for bit,
/// but straight from the codewords: for few rows, a table is not worth its making. Codes are as in pq_scan.h;
/// `codewords` lie one after the other, codeword c of sub-vector j at (j * num_codewords + c) * sub_dimension.
void PqDistancesL2(const float* query, const float* codewords, size_t m, size_t sub_dimension, size_t num_codewords,
                   const uint8_t* codes, size_t stride, const uint32_t* picks, size_t num_picks, float* out);

}  // namespace fewter::simd
