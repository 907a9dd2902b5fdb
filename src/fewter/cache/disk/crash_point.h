#pragma once

#include <atomic>

/// Named places at which a test may end the process, to see that what is on disk then can be opened again.
///
/// before-write, mid-write, before-sync, after-sync, before-rename, after-rename: a segment is written and published.
/// before-unlink, after-unlink: eviction, merging or invalidation removes a segment.
/// heat-written: the heat file has been renamed into place.

namespace fewter::disk::internal {

using CrashHook = void (*)(const char* name);

/// Null, and so nearly free, but in tests.
inline std::atomic<CrashHook> crash_hook{nullptr};

inline void CrashPoint(const char* name) {
  if (const CrashHook hook = crash_hook.load(std::memory_order_relaxed)) hook(name);
}

}  // namespace fewter::disk::internal
