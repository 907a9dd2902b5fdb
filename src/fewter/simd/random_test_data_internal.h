#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fewter::simd {

/// For the tests and benchmarks of this folder: numbers that are the same in every run. Fixtures derive from it.
class RandomData {
 public:
  explicit RandomData(uint32_t seed = 3) : generator_(seed) {}

  /// Around 0.
  std::vector<float> RandomFloats(size_t n, float deviation = 1) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(n);
    for (float& value : values) value = normal(generator_);
    return values;
  }

  std::vector<uint8_t> RandomBytes(size_t n, int largest = 255) {
    std::uniform_int_distribution<int> uniform(0, largest);
    std::vector<uint8_t> bytes(n);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(uniform(generator_));
    return bytes;
  }

  /// Each 1 or -1.
  std::vector<float> RandomSigns(size_t n) {
    std::vector<float> signs(n);
    for (float& sign : signs) sign = generator_() % 2 == 0 ? 1.0f : -1.0f;
    return signs;
  }

 private:
  std::mt19937 generator_;
};

}  // namespace fewter::simd
