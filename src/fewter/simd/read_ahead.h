#pragma once

#include <cstddef>
#include <cstdint>

namespace fewter::simd {

/// Where a scan reads on after the rows that it was given. With it a kernel asks for the first bytes of what comes next
/// while the last rows are looked at; the processor by itself asks for nothing beyond a page, and each scan that begins
/// elsewhere would wait for memory.
struct ReadAhead {
  /// The end of the piece of memory that the rows are a part of; null if what follows them is read as well.
  const void* end = nullptr;
  /// What is read after that piece.
  const void* next = nullptr;

  /// What is read `bytes` after `at`, which lies in the piece. An address to ask for, which may be that of nothing.
  uintptr_t After(const void* at, size_t bytes) const {
    const uintptr_t address = reinterpret_cast<uintptr_t>(at) + bytes, last = reinterpret_cast<uintptr_t>(end);
    return end == nullptr || address < last ? address : reinterpret_cast<uintptr_t>(next) + (address - last);
  }
};

}  // namespace fewter::simd
