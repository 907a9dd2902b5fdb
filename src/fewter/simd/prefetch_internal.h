#pragma once

#include <cstddef>

#include <hwy/cache_control.h>

namespace fewter::simd {

inline constexpr size_t kCacheLine = 64;

/// Asks for all of [begin, begin + bytes), so that a row which is one here and one there comes while others are
/// compared. Harmless for any address.
inline void PrefetchAll(const void* begin, size_t bytes) {
  const auto* address = static_cast<const char*>(begin);
  for (size_t i = 0; i < bytes; i += kCacheLine) hwy::Prefetch(address + i);
  if (bytes > 0) hwy::Prefetch(address + bytes - 1);
}

}  // namespace fewter::simd
