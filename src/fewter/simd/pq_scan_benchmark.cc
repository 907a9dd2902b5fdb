#include "fewter/simd/pq_scan.h"

#include <vector>

#include <benchmark/benchmark.h>

#include "fewter/simd/memory_share_internal.h"
#include "fewter/simd/pq_bounds.h"
#include "fewter/simd/pq_tables.h"
#include "fewter/simd/random_test_data_internal.h"

/// Bytes of codes scanned per second, table look-ups per second, and the time to fill a table.

namespace fewter::simd {
namespace {

template <void (*kernel)(const float*, const uint8_t*, size_t, size_t, size_t, float*)>
void BM_Scan(benchmark::State& state) {
  const auto num_rows = static_cast<size_t>(state.range(0));
  const auto m = static_cast<size_t>(state.range(1));
  const size_t width = kernel == PqScan8 ? m : m / 2;
  const std::vector<uint8_t> codes = RandomData().RandomBytes(width * num_rows);
  std::vector<float> table(m * (kernel == PqScan8 ? 256 : 16), 0.25f), out(num_rows);
  for (auto _ : state) {
    kernel(table.data(), codes.data(), num_rows, num_rows, m, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * codes.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * num_rows * m));
}

template <void (*kernel)(const PqBoundedQuery&, const PqBoundedRows&, size_t)>
void BM_Bounds(benchmark::State& state) {
  const auto num_rows = static_cast<size_t>(state.range(0));
  const auto m = static_cast<size_t>(state.range(1));
  const size_t stride = (num_rows + 63) / 64 * 64;
  const size_t width = kernel == PqBounds8 ? m : m / 2;
  const std::vector<uint8_t> codes = RandomData().RandomBytes(width * stride);
  const std::vector<uint8_t> bytes(m * (kernel == PqBounds8 ? 256 : 16));
  std::vector<float> base(num_rows, 0.5f), out(num_rows);
  for (auto _ : state) {
    kernel({bytes.data(), 0.25f, out.data()}, {codes.data(), stride, num_rows, base.data()}, m);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, width * num_rows);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * num_rows * m));
}

// Two queries at once; what is counted is what each of them reads.
void BM_PairOfBounds4(benchmark::State& state) {
  const auto num_rows = static_cast<size_t>(state.range(0));
  const auto m = static_cast<size_t>(state.range(1));
  const size_t stride = (num_rows + 63) / 64 * 64;
  const std::vector<uint8_t> codes = RandomData().RandomBytes(m / 2 * stride), bytes(m * 16);
  std::vector<float> base(num_rows, 0.5f), out(num_rows), out_of_other(num_rows);
  for (auto _ : state) {
    PqPairOfBounds4({bytes.data(), 0.25f, out.data()}, {bytes.data(), 0.25f, out_of_other.data()},
                    {codes.data(), stride, num_rows, base.data()}, m);
    benchmark::DoNotOptimize(out.data());
    benchmark::DoNotOptimize(out_of_other.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, m * num_rows);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * 2 * num_rows * m));
}

void BM_RoundTableDown(benchmark::State& state) {
  const auto m = static_cast<size_t>(state.range(0));
  std::vector<float> table(m * 256);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i * 7 % 1000);
  std::vector<uint8_t> bytes(table.size());
  for (auto _ : state) benchmark::DoNotOptimize(PqRoundTableDown(table.data(), m, 256, bytes.data()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * table.size() * sizeof(float)));
}

// Exact distances of rows here and there, as a scan takes them of those whose bound is near.
void BM_DistancesL2(benchmark::State& state) {
  const auto m = static_cast<size_t>(state.range(0));
  const auto sub_dimension = static_cast<size_t>(state.range(1));
  const auto num_codewords = static_cast<size_t>(state.range(2));
  const size_t num_rows = 384;
  const std::vector<float> query(m * sub_dimension, 0.5f), codewords(m * sub_dimension * num_codewords, 0.25f);
  const std::vector<uint8_t> codes = RandomData().RandomBytes(m * num_rows);
  uint32_t row = 0;
  float out;
  for (auto _ : state) {
    row = (row + 97) % num_rows;
    PqDistancesL2(query.data(), codewords.data(), m, sub_dimension, num_codewords, codes.data(), num_rows, &row, 1,
                  &out);
    benchmark::DoNotOptimize(out);
  }
}

template <void (*kernel)(const float*, const float*, size_t, size_t, size_t, float*)>
void BM_Table(benchmark::State& state) {
  const auto m = static_cast<size_t>(state.range(0));
  const auto sub_dimension = static_cast<size_t>(state.range(1));
  const auto num_codewords = static_cast<size_t>(state.range(2));
  const std::vector<float> query(m * sub_dimension, 0.5f), codebook(m * sub_dimension * num_codewords, 0.25f);
  std::vector<float> table(m * num_codewords);
  for (auto _ : state) {
    kernel(query.data(), codebook.data(), m, sub_dimension, num_codewords, table.data());
    benchmark::DoNotOptimize(table.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * codebook.size() * sizeof(float)));
}

BENCHMARK(BM_Scan<PqScan8>)->Name("PqScan8")->Args({384, 48})->Args({4096, 48})->Args({65536, 48});
BENCHMARK(BM_Scan<PqScan4>)->Name("PqScan4")->Args({384, 96})->Args({4096, 96})->Args({65536, 96});
BENCHMARK(BM_Bounds<PqBounds8>)->Name("PqBounds8")->Args({384, 48})->Args({390, 48})->Args({4096, 48});
BENCHMARK(BM_PairOfBounds4)->Name("PqPairOfBounds4")->Args({384, 192})->Args({390, 192})->Args({4096, 192});
BENCHMARK(BM_Bounds<PqBounds4>)->Name("PqBounds4")->Args({384, 192})->Args({390, 192})->Args({4096, 192});
BENCHMARK(BM_RoundTableDown)->Name("PqRoundTableDown")->Args({48});
BENCHMARK(BM_DistancesL2)->Name("PqDistancesL2")->Args({48, 8, 256})->Args({192, 2, 16});
BENCHMARK(BM_Table<PqTableL2>)->Name("PqTableL2")->Args({48, 8, 256})->Args({96, 4, 16});
BENCHMARK(BM_Table<PqTableCrossTerms>)->Name("PqTableCrossTerms")->Args({48, 8, 256})->Args({192, 2, 16});
BENCHMARK(BM_Table<PqTableDot>)->Name("PqTableDot")->Args({48, 8, 256})->Args({96, 4, 16});

}  // namespace
}  // namespace fewter::simd
