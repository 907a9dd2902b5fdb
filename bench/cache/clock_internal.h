#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

/// Time, processors and chance, the same way as in ../peers/src/clock.rs: both sides ask for the same entries in the
/// same order.

namespace fewter::bench {

using Clock = std::chrono::steady_clock;

inline double NanosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// Keeps this thread on one processor, if it may.
inline void PinToProcessor(size_t index, size_t processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(index % processors, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/// SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

/// The numbers below `count` in an order that depends on `seed`.
inline std::vector<uint32_t> Shuffled(uint32_t count, uint64_t seed) {
  Random random(seed);
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.Next() % (i + 1)]);
  return order;
}

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Makes the compiler believe that a value is used.
template <typename T>
void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace fewter::bench
