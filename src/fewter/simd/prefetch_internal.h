#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/cache_control.h>

namespace fewter::simd {

inline constexpr size_t kCacheLine = 64;

/// Asks for all of [begin, begin + bytes), so that a row which is one here and one there comes while others are
/// compared. Each line once: a second request for it takes as long as the first. Harmless for any address, which may
/// lie past the end of what it was computed from, where no pointer may be.
inline void PrefetchAll(uintptr_t begin, size_t bytes) {
  for (uintptr_t line = begin / kCacheLine * kCacheLine; line < begin + bytes; line += kCacheLine) {
    hwy::Prefetch(reinterpret_cast<const char*>(line));  // NOLINT(performance-no-int-to-ptr)
  }
}
inline void PrefetchAll(const void* begin, size_t bytes) {
  PrefetchAll(reinterpret_cast<uintptr_t>(begin), bytes);
}

/// Asks for an array that a scan will read soon, or as much of it as leaves the second-level cache to others.
inline void PrefetchArray(const void* begin, size_t bytes) {
  PrefetchAll(begin, std::min<size_t>(bytes, 64 << 10));
}

}  // namespace fewter::simd
