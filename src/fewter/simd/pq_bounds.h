#pragma once

#include <cstddef>
#include <cstdint>

/// Lower bounds of the sums of pq_scan.h, by tables of bytes that stay in registers while rows pass by: a scan is
/// several times as fast as one that sums floats, and whoever wants the nearest rows computes exact sums only of those
/// rows whose bound is near enough (the idea of André, Kermarrec and Le Scouarnec's "Cache locality is not enough",
/// 2015).
///
/// Codes are column-major as in pq_scan.h, but `stride` is a multiple of 64, as much of every column may be read, and
/// the codes of the first row lie at a multiple of 64 from where the columns begin. Nothing allocates; everything is
/// thread safe.

namespace fewter::simd {

/// What bytes stand for: entry e of a table is at least `step` times byte e, on top of the least entry of its row.
struct PqByteScale {
  /// Has so few digits that its product with a sum of bytes is exact.
  float step = 0;
  /// The sum of the rows' least entries.
  double start = 0;
};

/// Up to so many sub-vectors, sums of bytes fit in 16 bits.
inline constexpr size_t kMaxBoundedSubVectors = 4096;

/// Rounds a table of m x num_codewords finite entries down to bytes, all rows with the same step. But for rounding:
/// byte * step may exceed entry - least entry by up to step / 1024. Of 16 codewords, the bytes of two rows that share a
/// byte of code do not sum to more than 255. Requires m <= kMaxBoundedSubVectors and num_codewords to be a multiple of
/// 16.
PqByteScale PqRoundTableDown(const float* table, size_t m, size_t num_codewords, uint8_t* bytes);

/// What is computed for a query: by which table and step, and to where, a float for each row.
struct PqBoundedQuery {
  const uint8_t* bytes;
  float step;
  float* out;
};

/// Of which rows. `base` may be null, for zeros.
struct PqBoundedRows {
  const uint8_t* codes;
  size_t stride;
  size_t count;
  const float* base;
};

/// out[i] = base[i] + step * the sum over j of bytes[j * 256 + code j of row i], rounded once.
void PqBounds8(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m);

/// The same for codes of 4 bits and rows of 16 bytes, see PqScan4; of two that share a byte of code, bytes do not sum
/// to more than 255.
void PqBounds4(const PqBoundedQuery& query, const PqBoundedRows& rows, size_t m);

/// The same for two queries, which costs less than one after the other.
void PqPairOfBounds4(const PqBoundedQuery& query, const PqBoundedQuery& other, const PqBoundedRows& rows, size_t m);

}  // namespace fewter::simd
