#include <cstdlib>
#include <new>

#include <benchmark/benchmark.h>

#include "fewter/vector/quantizer/storage_test_data_internal.h"

/// Decoding a partition from a cache entry, and scanning it, at the sizes of an index of 100,000 x 384 in 256 parts.
/// heap_bytes and heap_calls count what one decoding takes from operator new.

namespace {

thread_local size_t heap_bytes = 0;
thread_local size_t heap_calls = 0;

}  // namespace

// Not inlined, as gcc would otherwise see free() meet what it takes for another allocator's memory.
[[gnu::noinline]] void* operator new(size_t size) {
  heap_bytes += size;
  ++heap_calls;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace fewter::storage_test {
namespace {

constexpr size_t kPqRows = 384;
constexpr size_t kFlatRows = 682;

/// Flat for 0 bits, otherwise PQ.
TestPartition MakePartition(int64_t num_bits) {
  if (num_bits == 0) return FlatTestPartition(384, kFlatRows);
  return PqTestPartition(static_cast<uint32_t>(num_bits), num_bits == 8 ? 48 : 96, 384, kPqRows);
}

void BM_Decode(benchmark::State& state) {
  const auto body = SerializedBody(*MakePartition(state.range(0)).partition);
  heap_bytes = heap_calls = 0;
  for (auto _ : state) benchmark::DoNotOptimize(OrDie(Partition::Deserialize(body)));
  const auto times = static_cast<double>(state.iterations());
  state.counters["heap_bytes"] = static_cast<double>(heap_bytes) / times;
  state.counters["heap_calls"] = static_cast<double>(heap_calls) / times;
  state.counters["body_bytes"] = static_cast<double>(body->size());
}

void BM_Scan(benchmark::State& state) {
  const auto test = MakePartition(state.range(0));
  const auto& partition = test.partition;
  const auto query = RandomFloats(384, 8), centroid = RandomFloats(384, 9);
  const auto scorer = test.quantizer->MakeScorer(query.data(), {.metric = static_cast<Metric>(state.range(1))});
  TopK top_k(10);
  for (auto _ : state) {
    scorer->BeginPartition({.centroid = centroid.data()});
    scorer->Scan(partition->storage(), &top_k);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * partition->SizeInBytes());
}

BENCHMARK(BM_Decode)->Name("DecodePartition")->ArgName("bits")->Arg(0)->Arg(8)->Arg(4);
BENCHMARK(BM_Scan)->Name("ScanPartition")->ArgNames({"bits", "metric"})->ArgsProduct({{0, 8, 4}, {0, 1, 2}});

}  // namespace
}  // namespace fewter::storage_test
