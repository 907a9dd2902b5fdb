#include "fewter/simd/distance.h"

#include <random>
#include <type_traits>
#include <vector>

#include <benchmark/benchmark.h>

#include "fewter/simd/hamming.h"
#include "fewter/simd/memory_share_internal.h"
#include "fewter/simd/select.h"
#include "fewter/simd/sketch.h"

/// Bytes of vectors read per second, and that as a share of what memory allows: within the caches (the first sizes of
/// each) and from memory (the last).

namespace fewter::simd {
namespace {

/// Some random elements, over and over. Any bits are a half, and a fourth of the values of bytes are as good as all.
template <typename Element>
std::vector<Element> RandomElements(size_t n) {
  constexpr size_t kDifferent = 1 << 16;
  std::mt19937 generator(5);
  std::uniform_real_distribution<double> uniform(0, 64);
  std::vector<Element> values(n);
  for (size_t i = 0; i < n; ++i) {
    if (i >= kDifferent) {
      values[i] = values[i - kDifferent];
    } else if constexpr (std::is_same_v<Element, Half>) {
      values[i] = static_cast<Half>(0x3000 | (generator() & 0x3ff));
    } else {
      values[i] = static_cast<Element>(uniform(generator));
    }
  }
  return values;
}

template <typename Query, typename Element, auto kernel>
void BM_Rows(benchmark::State& state) {
  const auto dimension = static_cast<size_t>(state.range(0));
  const auto num_rows = static_cast<size_t>(state.range(1));
  const auto query = RandomElements<Query>(dimension);
  const auto rows = RandomElements<Element>(num_rows * dimension);
  std::vector<float> out(num_rows);
  for (auto _ : state) {
    kernel(query.data(), rows.data(), num_rows, dimension, out.data(), nullptr);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, rows.size() * sizeof(Element));
}

void BM_SketchProducts(benchmark::State& state) {
  const size_t stride = SketchStride(static_cast<size_t>(state.range(0)));
  const auto num_rows = static_cast<size_t>(state.range(1));
  const std::vector<int16_t> whole(stride, 3);
  const std::vector<int8_t> high(stride, 0), low(stride, 3);
  const auto rows = RandomElements<uint8_t>(num_rows * stride);
  std::vector<int32_t> out(num_rows);
  for (auto _ : state) {
    SketchProducts({whole.data(), high.data(), low.data()}, rows.data(), num_rows, stride, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, rows.size());
}

void BM_SketchRow(benchmark::State& state) {
  const auto row = RandomElements<float>(static_cast<size_t>(state.range(0)));
  std::vector<uint8_t> bytes(SketchStride(row.size()));
  for (auto _ : state) {
    benchmark::DoNotOptimize(SketchRow(row.data(), row.size(), bytes.data()));
    benchmark::ClobberMemory();
  }
  SetBytesRead(&state, row.size() * sizeof(float));
}

void BM_SelectAtMost(benchmark::State& state) {
  const auto values = RandomElements<float>(static_cast<size_t>(state.range(0)));
  std::vector<uint32_t> indices(values.size());
  for (auto _ : state) benchmark::DoNotOptimize(SelectAtMost(values.data(), values.size(), 0.3f, indices.data()));
  SetBytesRead(&state, values.size() * sizeof(float));
}

void Sizes(benchmark::internal::Benchmark* b) {
  b->Args({384, 10})->Args({384, 400})->Args({384, 300000});
}

using FloatKernel = void (*)(const float*, const float*, size_t, size_t, float*, const uint32_t*);
using HalfKernel = void (*)(const float*, const Half*, size_t, size_t, float*, const uint32_t*);
using DoubleKernel = void (*)(const double*, const double*, size_t, size_t, float*, const uint32_t*);
using ByteKernel = void (*)(const uint8_t*, const uint8_t*, size_t, size_t, float*, const uint32_t*);

constexpr FloatKernel kL2F32 = L2SquaredRows, kDotF32 = DotRows, kCosineF32 = CosineDistanceRows;
constexpr HalfKernel kL2F16 = L2SquaredRows, kDotF16 = DotRows, kCosineF16 = CosineDistanceRows;
constexpr DoubleKernel kL2F64 = L2SquaredRows, kDotF64 = DotRows, kCosineF64 = CosineDistanceRows;
constexpr ByteKernel kL2U8 = L2SquaredRows, kHamming = HammingRows;

BENCHMARK(BM_Rows<float, float, kL2F32>)->Name("L2/f32")->Apply(Sizes);
BENCHMARK(BM_Rows<float, float, kDotF32>)->Name("Dot/f32")->Apply(Sizes);
BENCHMARK(BM_Rows<float, float, kCosineF32>)->Name("Cosine/f32")->Apply(Sizes);
BENCHMARK(BM_Rows<float, Half, kL2F16>)->Name("L2/f16")->Apply(Sizes);
BENCHMARK(BM_Rows<float, Half, kDotF16>)->Name("Dot/f16")->Apply(Sizes);
BENCHMARK(BM_Rows<float, Half, kCosineF16>)->Name("Cosine/f16")->Apply(Sizes);
BENCHMARK(BM_Rows<double, double, kL2F64>)->Name("L2/f64")->Apply(Sizes);
BENCHMARK(BM_Rows<double, double, kDotF64>)->Name("Dot/f64")->Apply(Sizes);
BENCHMARK(BM_Rows<double, double, kCosineF64>)->Name("Cosine/f64")->Apply(Sizes);
BENCHMARK(BM_Rows<uint8_t, uint8_t, kL2U8>)->Name("L2/u8")->Apply(Sizes);
BENCHMARK(BM_Rows<uint8_t, uint8_t, kHamming>)
    ->Name("Hamming")
    ->Args({48, 400})
    ->Args({48, 2000000})
    ->Args({384, 300000});
BENCHMARK(BM_SketchProducts)->Name("SketchProducts")->Apply(Sizes);
BENCHMARK(BM_SketchRow)->Name("SketchRow")->Arg(384);
BENCHMARK(BM_SelectAtMost)->Name("SelectAtMost")->Arg(384);

}  // namespace
}  // namespace fewter::simd
