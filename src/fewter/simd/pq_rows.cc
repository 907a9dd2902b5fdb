#include "fewter/simd/pq_rows.h"

#include <algorithm>

#include "fewter/simd/prefetch_internal.h"

// Scalar loads, which no wider instruction set makes faster (see pq_scan.cc), so there is no dispatch here.

namespace fewter::simd {
namespace {

// What one byte of a row's codes adds to its sum. `entries` are those of the byte's first sub-vector.
struct Codes8 {
  static constexpr size_t kEntriesPerByte = 256;
  static float Add(const float* entries, uint8_t code, float sum) { return sum + entries[code]; }
};

struct Codes4 {
  static constexpr size_t kEntriesPerByte = 32;
  static float Add(const float* entries, uint8_t code, float sum) {
    return sum + entries[code & 15] + entries[16 + (code >> 4)];
  }
};

// Four rows at once, since each sum has to wait for its own last addition.
template <class Codes>
void FourRows(const float* table, const uint8_t* const (&rows)[4], size_t width, float (&sums)[4]) {
  float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (size_t j = 0; j < width; ++j, table += Codes::kEntriesPerByte) {
    sum0 = Codes::Add(table, rows[0][j], sum0);
    sum1 = Codes::Add(table, rows[1][j], sum1);
    sum2 = Codes::Add(table, rows[2][j], sum2);
    sum3 = Codes::Add(table, rows[3][j], sum3);
  }
  sums[0] = sum0, sums[1] = sum1, sums[2] = sum2, sums[3] = sum3;
}

template <class Codes>
void SumRows(const float* table, const uint8_t* codes, size_t num_rows, size_t width, float* out,
             const uint32_t* picks) {
  constexpr size_t kAhead = 16;
  const auto row_at = [&](size_t i) { return codes + (picks == nullptr ? i : picks[i]) * width; };
  const auto prefetch = [&](size_t begin, size_t end) {
    for (size_t i = begin; picks != nullptr && i < std::min(end, num_rows); ++i) PrefetchAll(row_at(i), width);
  };
  prefetch(0, kAhead);
  for (size_t i = 0; i < num_rows; i += 4) {
    prefetch(i + kAhead, i + kAhead + 4);
    // The last row stands in for those beyond it.
    const size_t last = num_rows - 1;
    const uint8_t* const rows[4] = {row_at(i), row_at(std::min(i + 1, last)), row_at(std::min(i + 2, last)),
                                    row_at(std::min(i + 3, last))};
    float sums[4];
    FourRows<Codes>(table, rows, width, sums);
    std::copy_n(sums, std::min<size_t>(4, num_rows - i), out + i);
  }
}

}  // namespace

void PqSumRows8(const float* table, const uint8_t* codes, size_t num_rows, size_t m, float* out,
                const uint32_t* picks) {
  SumRows<Codes8>(table, codes, num_rows, m, out, picks);
}

void PqSumRows4(const float* table, const uint8_t* codes, size_t num_rows, size_t m, float* out,
                const uint32_t* picks) {
  SumRows<Codes4>(table, codes, num_rows, m / 2, out, picks);
}

}  // namespace fewter::simd
