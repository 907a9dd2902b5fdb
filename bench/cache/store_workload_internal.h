#pragma once

#include <fmt/core.h>

#include <concepts>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

#include "bench/cache/clock_internal.h"

/// What is measured of a store on disk, the same for ours and for RocksDB; ../peers/src/disk.rs does it for foyer.
///
///     fill DIR VALUE_BYTES COUNT             writes the entries
///     hit DIR VALUE_BYTES COUNT SECONDS      first_ns: the median over all entries of the first get after opening;
///                                            hit_ns: a later get, until one holds a pointer to the bytes, and a read
///                                            of the first; sum_ns: a get and the sum of all words
///     reopen DIR VALUE_BYTES COUNT           open_ms: until the store is open; usable_ms: and has answered one get
///
/// All entries fit the page cache and whatever memory the store keeps, so no figure is one of the disk itself. One
/// thread asks. Every value is compared at its first get.

namespace fewter::bench {

/// Where entries 0, 1, … live.
template <typename S>
concept Store = requires(S& store, uint32_t entry, std::string_view bytes) {
  { store.Put(entry, bytes) } -> std::same_as<arrow::Status>;
  /// Returns when all is written.
  { store.Finish() } -> std::same_as<arrow::Status>;
  /// What keeps the bytes of an entry in place, with data() and size(); size 0 if there is none.
  { store.Get(entry).data() } -> std::convertible_to<const void*>;
  { store.Get(entry).size() } -> std::convertible_to<size_t>;
};

/// How a store is opened: on `directory`, for so many entries of so many bytes.
template <Store S>
using Opener = arrow::Result<std::unique_ptr<S>> (*)(const std::string& directory, size_t value_bytes, uint32_t count);

inline std::string ValueOf(uint32_t entry, size_t value_bytes) {
  Random random(entry);
  std::string value(value_bytes, '\0');
  for (size_t i = 0; i + 8 <= value_bytes; i += 8) {
    const uint64_t word = random.Next();
    std::memcpy(value.data() + i, &word, sizeof(word));
  }
  return value;
}

/// The sum of the words: what a search does at least, reading all of it.
inline uint64_t SumOf(const void* data, size_t bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t word;
    std::memcpy(&word, static_cast<const char*>(data) + i, sizeof(word));
    sum += word;
  }
  return sum;
}

template <Store S>
arrow::Status Fill(S* store, size_t value_bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) ARROW_RETURN_NOT_OK(store->Put(i, ValueOf(i, value_bytes)));
  ARROW_RETURN_NOT_OK(store->Finish());
  fmt::print("{{\"entries\":{}}}\n", count);
  return arrow::Status::OK();
}

/// Reads the first byte of an entry that must be there.
template <Store S>
void Touch(S* store, uint32_t entry) {
  const auto found = store->Get(entry);
  if (found.size() == 0) std::abort();
  Keep(*static_cast<const char*>(static_cast<const void*>(found.data())));
}

/// Nanoseconds for the first get of each entry.
template <Store S>
arrow::Result<std::vector<double>> FirstGets(S* store, size_t value_bytes, const std::vector<uint32_t>& order) {
  std::vector<double> times;
  for (const uint32_t entry : order) {
    const auto start = Clock::now();
    const auto found = store->Get(entry);
    times.push_back(NanosecondsSince(start));
    const std::string expected = ValueOf(entry, value_bytes);
    if (found.size() != expected.size() || std::memcmp(found.data(), expected.data(), expected.size()) != 0) {
      return arrow::Status::Invalid("entry ", entry, " is not what was written");
    }
  }
  return times;
}

/// Nanoseconds for one of `order`, round and round.
template <typename Act>
double Repeat(double seconds, const std::vector<uint32_t>& order, Act act) {
  const auto start = Clock::now();
  size_t done = 0;
  while (NanosecondsSince(start) < seconds * 1e9) {
    for (const size_t end = done + 16; done < end; ++done) act(order[done % order.size()]);
  }
  return NanosecondsSince(start) / static_cast<double>(done);
}

template <Store S>
arrow::Status Hit(S* store, size_t value_bytes, uint32_t count, double seconds) {
  const std::vector<uint32_t> order = Shuffled(count, 7);
  ARROW_ASSIGN_OR_RAISE(std::vector<double> first, FirstGets(store, value_bytes, order));
  const double hit = Repeat(seconds, order, [&](uint32_t entry) { Touch(store, entry); });
  const double sum = Repeat(seconds, order, [&](uint32_t entry) {
    const auto found = store->Get(entry);
    Keep(SumOf(found.data(), found.size()));
  });
  fmt::print("{{\"first_ns\":{:.1f},\"hit_ns\":{:.1f},\"sum_ns\":{:.1f}}}\n", Median(std::move(first)), hit, sum);
  return arrow::Status::OK();
}

template <Store S>
arrow::Status RunStore(int argc, char** argv, Opener<S> open) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (argc != (verb == "hit" ? 6 : 5))
    return arrow::Status::Invalid("usage: see bench/cache/store_workload_internal.h");
  const auto value_bytes = static_cast<size_t>(std::atoll(argv[3]));
  const auto count = static_cast<uint32_t>(std::atoll(argv[4]));
  const auto start = Clock::now();
  ARROW_ASSIGN_OR_RAISE(const std::unique_ptr<S> store, open(argv[2], value_bytes, count));
  const double open_ns = NanosecondsSince(start);
  if (verb == "fill") return Fill(store.get(), value_bytes, count);
  if (verb == "hit") return Hit(store.get(), value_bytes, count, std::atof(argv[5]));
  Touch(store.get(), count / 2);
  fmt::print("{{\"open_ms\":{:.3f},\"usable_ms\":{:.3f}}}\n", open_ns / 1e6, NanosecondsSince(start) / 1e6);
  return arrow::Status::OK();
}

/// What main returns.
inline int ExitCodeOf(const char* program, const arrow::Status& status) {
  if (!status.ok()) fmt::print(stderr, "{}: {}\n", program, status.ToString());
  return status.ok() ? 0 : 1;
}

}  // namespace fewter::bench
