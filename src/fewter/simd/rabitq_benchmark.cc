#include <vector>

#include <benchmark/benchmark.h>

#include "fewter/simd/hadamard.h"
#include "fewter/simd/rabitq_ex_codes.h"
#include "fewter/simd/rabitq_scan.h"
#include "fewter/simd/random_test_data_internal.h"

/// What a RaBitQ search is made of: turning a query, filling its tables, scanning bits, and the rows that are looked at
/// more closely.

namespace fewter::simd {
namespace {

void BM_Rotate(benchmark::State& state) {
  const auto d = static_cast<size_t>(state.range(0));
  const std::vector<float> signs(kHadamardRounds * d, -1.0f);
  std::vector<float> values(d, 0.5f);
  for (auto _ : state) {
    HadamardRotate(signs.data(), d, values.data());
    benchmark::DoNotOptimize(values.data());
    benchmark::ClobberMemory();
  }
}

void BM_Tables(benchmark::State& state) {
  const auto d = static_cast<size_t>(state.range(0));
  const std::vector<float> query(d, 0.5f);
  std::vector<float> table(4 * d);
  std::vector<uint8_t> rounded(4 * d);
  for (auto _ : state) {
    float min = 0, max = 0;
    RabitqTable(query.data(), d, table.data());
    MinAndMax(table.data(), table.size(), &min, &max);
    RabitqRoundTable(table.data(), table.size(), min, 255 / (max - min), rounded.data(), nullptr);
    benchmark::DoNotOptimize(rounded.data());
    benchmark::ClobberMemory();
  }
}

// Rows and elements; then whether entries have 16 bits.
void BM_Scan(benchmark::State& state) {
  const auto num_blocks = static_cast<size_t>(state.range(0)) / kRabitqBlockRows;
  const auto d = static_cast<size_t>(state.range(1));
  const std::vector<uint8_t> codes = RandomData().RandomBytes(num_blocks * kRabitqBlockRows * d / 8);
  const std::vector<uint8_t> table = RandomData().RandomBytes(4 * d);
  const RabitqByteTable tables = {table.data(), state.range(2) != 0 ? table.data() : nullptr, 1, 0};
  std::vector<float> out(num_blocks * kRabitqBlockRows);
  for (auto _ : state) {
    RabitqScan(tables, codes.data(), num_blocks, d / 8, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * codes.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * out.size()));
}

void BM_LowerBounds(benchmark::State& state) {
  const auto n = static_cast<size_t>(state.range(0));
  const std::vector<float> values(n, 0.5f);
  std::vector<float> out(n);
  for (auto _ : state) {
    RabitqLowerBounds({}, values.data(), {values.data(), values.data(), values.data()}, n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * n));
}

// Elements and bits; a row after the other, which lie as in a partition.
void BM_ExDot(benchmark::State& state) {
  const size_t num_blocks = static_cast<size_t>(state.range(0)) / kRabitqExBlock;
  const auto bits = static_cast<uint32_t>(state.range(1));
  constexpr size_t kRows = 64;
  const std::vector<uint8_t> codes = RandomData().RandomBytes(kRows * num_blocks * 8 * bits);
  const std::vector<float> query(num_blocks * kRabitqExBlock, 0.5f);
  size_t row = 0;
  for (auto _ : state) {
    const uint8_t* at = codes.data() + row++ % kRows * num_blocks * 8 * bits;
    benchmark::DoNotOptimize(RabitqExDot(query.data(), at, num_blocks, bits));
  }
}

BENCHMARK(BM_Rotate)->Name("HadamardRotate")->Arg(128)->Arg(768)->Arg(1024)->Arg(1536);
BENCHMARK(BM_Tables)->Name("RabitqTables")->Arg(768);
BENCHMARK(BM_Scan)->Name("RabitqScan")->Args({10000, 768, 0})->Args({10000, 768, 1})->Args({10000, 1536, 0});
BENCHMARK(BM_LowerBounds)->Name("RabitqLowerBounds")->Arg(10000);
BENCHMARK(BM_ExDot)->Name("RabitqExDot")->ArgsProduct({{768}, {1, 2, 3, 4, 5, 6, 7, 8}});

}  // namespace
}  // namespace fewter::simd
