#pragma once

#include <cstdint>
#include <memory>

#include "fewter/cache/backend.h"

namespace fewter {

/// Keeps live values in this process.
///
/// A hit takes no lock and writes nothing that other threads read, but for the first few hits of an entry, which raise
/// its use count, and for one reference count among several of the entry's. Which entries go when there is no room is
/// the choice of eviction_queue.h.
///
/// Sizes: an entry that lists its buffers (CacheEntry::append_buffers) is charged for the memory behind them, which may
/// be more than it uses of it; memory that several entries share is charged once. An entry that would keep alive much
/// more than it uses is copied, by its codec, into memory of its own. Bytes of mapped files are counted apart and not
/// charged: the kernel takes them back when it needs to.
///
/// Fork a process while no other thread uses its caches, as with anything that has locks: a child would wait for ever
/// for a lock that a thread held which it does not have. Caches made after the fork are not concerned.
///
/// `capacity_bytes` is what the entries may cost together: their values, their keys and the backend's own records of
/// them. It is one budget for all: an entry may take the whole of it.
std::shared_ptr<CacheBackend> MakeMemoryBackend(int64_t capacity_bytes);

}  // namespace fewter
