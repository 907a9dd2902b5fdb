#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

#include <benchmark/benchmark.h>

/// What memory allows, measured in the same run, for benchmarks to compare themselves with.

namespace fewter::simd {

/// Of this thread, as Google Benchmark counts for its rates, so that other work on the machine disturbs neither.
inline double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Reads all of `words` once, asking for what lies `prefetch_lines` cache lines ahead, and returns bytes a second.
template <size_t prefetch_lines>
double ReadOnce(const std::vector<uint64_t>& words) {
  constexpr size_t kWordsOfLine = 8, kWordsOfStep = 4 * kWordsOfLine;
  const double start = ProcessorSeconds();
  uint64_t sums[kWordsOfStep] = {};
  for (size_t i = 0; i + kWordsOfStep <= words.size(); i += kWordsOfStep) {
    for (size_t line = 0; line < 4 && prefetch_lines != 0; ++line) {
      __builtin_prefetch(words.data() + i + (line + prefetch_lines) * kWordsOfLine);
    }
    for (size_t j = 0; j < kWordsOfStep; ++j) sums[j] ^= words[i + j];
  }
  benchmark::DoNotOptimize(sums);
  return static_cast<double>(words.size() * sizeof(uint64_t)) / (ProcessorSeconds() - start);
}

/// The bytes a second that one thread reads from memory: the best of several passes over more than the caches hold,
/// with and without prefetching. Measured at the first call, which takes about half a second.
inline double MemoryBandwidth() {
  static const double best = [] {
    const std::vector<uint64_t> words((size_t{256} << 20) / sizeof(uint64_t), 3);
    double fastest = 0;
    for (int pass = 0; pass < 10; ++pass) {
      fastest = std::max({fastest, ReadOnce<0>(words), ReadOnce<16>(words), ReadOnce<48>(words)});
    }
    return fastest;
  }();
  return best;
}

/// Adds "bytes_per_second" and "of_memory", their share of what memory allows, to a benchmark that reads `bytes` in
/// each iteration. To be called after the loop. A share above 1 means that the bytes came from a cache.
inline void SetBytesRead(benchmark::State* state, size_t bytes) {
  const auto all = static_cast<double>(state->iterations()) * static_cast<double>(bytes);
  state->SetBytesProcessed(static_cast<int64_t>(all));
  state->counters["of_memory"] = benchmark::Counter(all / MemoryBandwidth(), benchmark::Counter::kIsRate);
}

}  // namespace fewter::simd
