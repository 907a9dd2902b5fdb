/// A hit in memory: entries of 4 KiB, all there, asked for in random order through the typed cache, one by one or 20 at
/// a time. The counterpart is ../peers/src/memory.rs.
///
///     memory_hit get|many ENTRIES THREADS SECONDS
///
/// A few hundred entries stay in the processor's own caches, and the figure is one of instructions; of ten thousand
/// each hit waits for memory, once for each place that it has to look at, and then for the value.
///
/// The key is made for each look-up: type id and partition are hashed together with the digest of the namespace, which
/// names dataset and index. What a hit returns keeps the value alive; its first word is read. The counters of hits that
/// our cache always keeps are part of the figure; moka, quick_cache and foyer keep none as they are built here.

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/cache/clock_internal.h"
#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"

namespace fewter::bench {
namespace {

constexpr size_t kWords = 512;
constexpr size_t kBatch = 20;

struct Block {
  std::array<uint64_t, kWords> words;
  int64_t SizeInBytes() const { return sizeof(words); }
};

struct BlockKey {
  using Value = Block;
  static constexpr std::string_view kTypeId = "fewter.bench.BlockKey";
  uint32_t partition = 0;
  void AppendFields(KeyWriter& fields) const { fields.U32(partition); }
};

Cache MakeCache(uint32_t entries) {
  const Cache cache = Cache(MakeMemoryBackend(int64_t{2} * entries * int64_t{sizeof(Block)}))
                          .Child("/data/packages.lance")
                          .Child("6a1f8f5e-3c1d-4b8e-9f57-2f0c6f1f4a3b");
  // All values first: those of an index lie far apart from the cache's own records, since they are larger.
  std::vector<std::shared_ptr<const Block>> blocks;
  for (uint32_t i = 0; i < entries; ++i) {
    auto block = std::make_shared<Block>();
    block->words.fill(i);
    blocks.push_back(std::move(block));
  }
  for (uint32_t i = 0; i < entries; ++i) cache.Insert(BlockKey{i}, std::move(blocks[i]));
  return cache;
}

uint64_t ReadEach(const Cache& cache, const std::vector<BlockKey>& keys) {
  uint64_t sum = 0;
  for (const BlockKey& key : keys) sum += cache.Get(key)->words[0];
  return sum;
}

uint64_t ReadBatches(const Cache& cache, const std::vector<BlockKey>& keys) {
  uint64_t sum = 0;
  for (size_t i = 0; i < keys.size(); i += kBatch) {
    for (const auto& block : cache.GetMany(std::span(keys).subspan(i, std::min(kBatch, keys.size() - i))))
      sum += block->words[0];
  }
  return sum;
}

/// Nanoseconds for one hit on one thread, while the others do the same.
double Measure(const Cache& cache, uint32_t entries, bool in_batches, size_t thread, double seconds,
               std::barrier<>* start_line) {
  PinToProcessor(thread, std::thread::hardware_concurrency());
  std::vector<BlockKey> keys;
  for (const uint32_t partition : Shuffled(entries, thread)) keys.push_back({partition});
  const auto pass = [&] { Keep(in_batches ? ReadBatches(cache, keys) : ReadEach(cache, keys)); };
  pass();
  start_line->arrive_and_wait();
  const auto start = Clock::now();
  size_t hits = 0;
  while (NanosecondsSince(start) < seconds * 1e9) {
    pass();
    hits += keys.size();
  }
  return NanosecondsSince(start) / static_cast<double>(hits);
}

void Run(bool in_batches, uint32_t entries, size_t threads, double seconds) {
  const Cache cache = MakeCache(entries);
  std::vector<double> times(threads);
  std::barrier start_line(static_cast<std::ptrdiff_t>(threads));
  {
    std::vector<std::jthread> running;
    for (size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] { times[i] = Measure(cache, entries, in_batches, i, seconds, &start_line); });
    }
  }
  const double total = std::accumulate(times.begin(), times.end(), 0.0);
  fmt::print("{{\"hit_ns\":{:.1f}}}\n", total / static_cast<double>(threads));
}

}  // namespace
}  // namespace fewter::bench

int main(int argc, char** argv) {
  const std::string_view verb = argc == 5 ? argv[1] : "";
  if (verb != "get" && verb != "many") {
    fmt::print(stderr, "usage: memory_hit get|many ENTRIES THREADS SECONDS\n");
    return 2;
  }
  fewter::bench::Run(verb == "many", static_cast<uint32_t>(std::atoi(argv[2])), static_cast<size_t>(std::atoi(argv[3])),
                     std::atof(argv[4]));
  return 0;
}
