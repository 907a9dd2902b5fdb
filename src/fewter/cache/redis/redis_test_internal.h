#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/redis/value_internal.h"
#include "fewter/cache/test_values_internal.h"

/// What the tests of the Redis backend share.

namespace fewter::testing {

/// A backend that asks a failed server again soon, with time enough for a slow machine.
inline RedisBackendOptions PatientOptions(const std::string& uri) {
  RedisBackendOptions options = ParseRedisUri(uri).ValueOrDie();
  options.timeout = options.connect_timeout = std::chrono::seconds(5);
  options.write_timeout = std::chrono::seconds(10);
  options.health.first_wait = std::chrono::milliseconds(20);
  options.health.longest_wait = std::chrono::milliseconds(20);
  return options;
}

inline Cache OpenCache(RedisBackendOptions options) {
  return Cache(MakeRedisBackend(std::move(options)).ValueOrDie());
}
inline Cache OpenCache(const std::string& uri) {
  return OpenCache(PatientOptions(uri));
}

/// Bytes that differ from place to place.
inline std::string LongText(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

inline void InsertAndFlush(const Cache& cache, uint64_t number, std::string_view text) {
  cache.Insert(TextKey{number}, Text::Make(text));
  cache.backend()->Flush();
}

/// The text under a key, or "miss".
inline std::string TextAt(const Cache& cache, uint64_t number) {
  const auto found = cache.Get(TextKey{number});
  return found == nullptr ? "miss" : found->ToString();
}

/// The Redis key of an entry.
inline std::string RedisKey(uint64_t number, const std::string& prefix = "fewter:1:") {
  return redis::HeadKey(prefix, (*Encoded(TextKey{number})).digest());
}

/// Asks until an answer comes, as queries would; true if it came before a machine can be called too slow.
template <typename Condition>
bool Eventually(const Condition& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < give_up) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

template <typename Work>
std::chrono::milliseconds TimeOf(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
}

inline uint64_t Faults(const Cache& cache, TierFault fault) {
  return cache.backend()->Report()[0].health.faults[static_cast<size_t>(fault)];
}
inline TierState StateOf(const Cache& cache) {
  return cache.backend()->Report()[0].health.state;
}

}  // namespace fewter::testing
