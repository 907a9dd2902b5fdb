#pragma once

#include <cstddef>
#include <cstdint>

/// RaBitQ's one-bit codes on raw pointers: inner products of a query with the bits of many rows, and what distances
/// follow from them.
///
/// A row has a bit an element. With a query q its inner product is the sum of q over the elements whose bits are set.
/// Four bits at a time that is a sum of entries of a table, 16 a group of four elements; the entries are rounded to
/// whole steps of eight or 16 bits, so that one instruction looks up 16 or more of them.
///
/// Pointers need no alignment. Any bytes are valid codes. Nothing allocates; everything is thread safe.

namespace fewter::simd {

/// table[g * 16 + c] = the sum of query[4 * g + b] over the bits b of c. The sum begins with the highest bit, in
/// float32. Requires a dimension that is a multiple of 8; the table has 4 * dimension entries.
void RabitqTable(const float* query, size_t dimension, float* table);

/// The least and the greatest of `n` values, a positive multiple of 32. Which ones if there is a NaN, is not said.
void MinAndMax(const float* values, size_t n, float* min, float* max);

/// The nearest whole number, halves to even, of (table[i] - min) * factor, between 0 and 65535: its lower byte to
/// low[i], its upper to high[i] unless `high` is null. Requires `n` to be a multiple of 32.
void RabitqRoundTable(const float* table, size_t n, float min, float factor, uint8_t* low, uint8_t* high);

/// The rounded table of a query. An entry is low + 256 * high, of steps; `high` is null if entries have eight bits.
struct RabitqByteTable {
  const uint8_t* low = nullptr;
  const uint8_t* high = nullptr;
  float step = 0;
  /// What the inner product of a row is whose entries are all 0.
  float base = 0;
};

/// Rows of a block of codes: RabitqScan reads so many side by side.
inline constexpr size_t kRabitqBlockRows = 32;

/// The row of a block, or that minus 16, whose code is in the j-th place of 16.
inline constexpr uint8_t kRabitqRowAt[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};

/// out[32 * b + r] = base + step * (the sum of row r's entries) for each of `num_blocks` blocks of 32 rows.
///
/// A row has `code_bytes` bytes; in byte p, the lower half is the code of group 2p, the upper that of group 2p + 1. A
/// block has 32 bytes for each p: the byte at j < 16 has the lower half of row kRabitqRowAt[j] in its lower half, and
/// that of row kRabitqRowAt[j] + 16 in its upper half; the byte at 16 + j has their upper halves.
/// Requires code_bytes <= 65536 / 8, for the sums are whole numbers below 2^31.
void RabitqScan(const RabitqByteTable& table, const uint8_t* codes, size_t num_blocks, size_t code_bytes, float* out);

/// How inner products become distances, or lower bounds of them.
struct RabitqFormula {
  float product_weight = 1;
  float product_offset = 0;
  float add_weight = 1;
  float offset = 0;
  /// Of the query's own error; for a bound.
  float error_weight = 0;
};

/// What was computed of each row when it was encoded. `error` is read by RabitqLowerBounds only.
struct RabitqFactors {
  const float* scale = nullptr;
  const float* add = nullptr;
  const float* error = nullptr;
};

/// out[i] = (product[i] * product_weight + product_offset) * scale[i] + add_weight * add[i] + offset.
void RabitqDistances(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
                     float* out);

/// out[i] = the same - error[i] * error_weight; minus infinity in the place of a NaN, which bounds nothing.
void RabitqLowerBounds(const RabitqFormula& formula, const float* products, const RabitqFactors& factors, size_t n,
                       float* out);

}  // namespace fewter::simd
