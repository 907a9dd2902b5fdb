/// What it costs to make a partition from a cache entry whose checksum has been verified before, by its size: the time,
/// and the memory taken, from operator new and from Arrow's pool. Prints one line of JSON.
///
///     decode_cost SECONDS_EACH

#include <fmt/format.h>

#include <arrow/memory_pool.h>

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cache/clock_internal.h"
#include "fewter/cache/envelope.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

namespace {

thread_local size_t heap_bytes = 0;

}  // namespace

// Not inlined, as gcc would otherwise see free() meet what it takes for another allocator's memory.
[[gnu::noinline]] void* operator new(size_t size) {
  heap_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace fewter::bench {
namespace {

constexpr size_t kDimension = 384;
constexpr size_t kRowIdBytes = 8;

struct Kind {
  std::string_view name;
  storage_test::TestPartition (*make)(size_t num_rows);
  size_t row_bytes;
};
constexpr Kind kKinds[] = {
    {"IVF_FLAT", [](size_t n) { return storage_test::FlatTestPartition(kDimension, n); },
     kDimension * sizeof(float) + kRowIdBytes},
    {"IVF_PQ", [](size_t n) { return storage_test::PqTestPartition(8, 48, kDimension, n); }, 48 + kRowIdBytes}};
constexpr size_t kSizes[] = {10'000, 100'000, 1'000'000, 10'000'000, 40'000'000};

struct Cost {
  double nanoseconds = 0;
  double allocated_bytes = 0;
};

int64_t AllocatedSoFar() {
  return static_cast<int64_t>(heap_bytes) + arrow::default_memory_pool()->total_bytes_allocated();
}

Cost Measure(const EncodedKey& key, const std::shared_ptr<arrow::Buffer>& entry, double seconds) {
  const auto decode = [&] {
    const DecodedEntry decoded = DecodeEntry(key, PartitionKey::Codec(), entry, VerifyBody::kNo);
    if (!decoded.hit()) std::abort();
    Keep(decoded.value.get());
  };
  decode();
  const int64_t allocated = AllocatedSoFar();
  const auto start = Clock::now();
  size_t times = 0;
  for (; NanosecondsSince(start) < seconds * 1e9; ++times) decode();
  const auto count = static_cast<double>(times);
  return {NanosecondsSince(start) / count, static_cast<double>(AllocatedSoFar() - allocated) / count};
}

std::string Row(const Kind& kind, size_t size, double seconds) {
  const auto made = kind.make(std::max<size_t>(size / kind.row_bytes, 1));
  KeyWriter fields(PartitionKey::kTypeId);
  PartitionKey{17}.AppendFields(fields);
  const auto name_space = CacheNamespace::Root()->Child("6a1f8f5e-3c1d-4b8e-9f57-2f0c6f1f4a3b");
  const EncodedKey key(*name_space, fields);
  const auto entry = storage_test::OrDie(EncodeEntry(key, PartitionKey::Codec(), made.partition.get()));
  const Cost cost = Measure(key, entry, seconds);
  return fmt::format("{{\"kind\":\"{}\",\"entry_bytes\":{},\"decode_ns\":{:.1f},\"allocated_bytes\":{:.0f}}}",
                     kind.name, entry->size(), cost.nanoseconds, cost.allocated_bytes);
}

void Run(double seconds) {
  std::vector<std::string> rows;
  for (const Kind& kind : kKinds) {
    for (const size_t size : kSizes) rows.push_back(Row(kind, size, seconds));
  }
  fmt::print("{{\"rows\":[{}]}}\n", fmt::join(rows, ","));
}

}  // namespace
}  // namespace fewter::bench

int main(int argc, char** argv) {
  fewter::bench::Run(argc > 1 ? std::atof(argv[1]) : 0.2);
  return 0;
}
