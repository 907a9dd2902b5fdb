#include "fewter/simd/pq_scan.h"

#include <random>
#include <vector>

#include <benchmark/benchmark.h>

/// Bytes of codes scanned per second, table look-ups per second, and the time to fill a table.

namespace fewter::simd {
namespace {

template <void (*kernel)(const float*, const uint8_t*, size_t, size_t, size_t, float*)>
void BM_Scan(benchmark::State& state) {
  const auto num_rows = static_cast<size_t>(state.range(0));
  const auto m = static_cast<size_t>(state.range(1));
  const size_t width = kernel == PqScan8 ? m : m / 2;
  std::mt19937 generator(5);
  std::vector<uint8_t> codes(width * num_rows);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(generator());
  std::vector<float> table(m * (kernel == PqScan8 ? 256 : 16), 0.25f), out(num_rows);
  for (auto _ : state) {
    kernel(table.data(), codes.data(), num_rows, num_rows, m, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * codes.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * num_rows * m));
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
BENCHMARK(BM_Table<PqTableL2>)->Name("PqTableL2")->Args({48, 8, 256})->Args({96, 4, 16});
BENCHMARK(BM_Table<PqTableDot>)->Name("PqTableDot")->Args({48, 8, 256})->Args({96, 4, 16});

}  // namespace
}  // namespace fewter::simd
