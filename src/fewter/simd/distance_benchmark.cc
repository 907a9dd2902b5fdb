#include "fewter/simd/distance.h"

#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "fewter/simd/memory_share_internal.h"
#include "fewter/simd/select.h"

/// Bytes of vectors read per second: within the caches (the first size of each) and from memory (the last), the only
/// one whose share of what memory allows says something.

namespace fewter::simd {
namespace {

std::vector<float> RandomFloats(size_t n) {
  std::mt19937 generator(5);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (float& v : values) v = uniform(generator);
  return values;
}

template <void (*kernel)(const float*, const float*, size_t, size_t, float*, const uint32_t*)>
void BM_Rows(benchmark::State& state) {
  const auto dimension = static_cast<size_t>(state.range(0));
  const auto num_rows = static_cast<size_t>(state.range(1));
  const std::vector<float> query = RandomFloats(dimension), rows = RandomFloats(num_rows * dimension);
  std::vector<float> out(num_rows);
  for (auto _ : state) {
    kernel(query.data(), rows.data(), num_rows, dimension, out.data(), nullptr);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, rows.size() * sizeof(float));
}

// Distances between bytes.
void BM_ByteRows(benchmark::State& state) {
  const auto dimension = static_cast<size_t>(state.range(0));
  const auto num_rows = static_cast<size_t>(state.range(1));
  std::mt19937 generator(5);
  std::vector<uint8_t> query(dimension), rows(num_rows * dimension);
  for (uint8_t& value : query) value = static_cast<uint8_t>(generator());
  for (uint8_t& value : rows) value = static_cast<uint8_t>(generator());
  std::vector<float> out(num_rows);
  for (auto _ : state) {
    L2SquaredRows(query.data(), rows.data(), num_rows, dimension, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, rows.size());
}

void BM_SelectAtMost(benchmark::State& state) {
  const std::vector<float> values = RandomFloats(static_cast<size_t>(state.range(0)));
  std::vector<uint32_t> indices(values.size());
  for (auto _ : state) benchmark::DoNotOptimize(SelectAtMost(values.data(), values.size(), -0.99f, indices.data()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * values.size() * sizeof(float)));
}

void Sizes(benchmark::internal::Benchmark* b) {
  b->Args({96, 64})->Args({384, 10})->Args({384, 100})->Args({384, 400})->Args({384, 100000});
}

BENCHMARK(BM_Rows<L2SquaredRows>)->Name("L2SquaredRows")->Apply(Sizes);
BENCHMARK(BM_Rows<DotRows>)->Name("DotRows")->Apply(Sizes);
BENCHMARK(BM_Rows<CosineDistanceRows>)->Name("CosineDistanceRows")->Apply(Sizes);
BENCHMARK(BM_ByteRows)->Name("L2SquaredRows of bytes")->Apply(Sizes);
BENCHMARK(BM_SelectAtMost)->Name("SelectAtMost")->Arg(384);

}  // namespace
}  // namespace fewter::simd
