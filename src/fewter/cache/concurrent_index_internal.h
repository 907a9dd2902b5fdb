#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "fewter/cache/key.h"

namespace fewter::internal {

/// A hash table from digests to objects that many threads read without a lock while one at a time changes it: open
/// addressing, linear probing, at most half full.
///
/// Node has a member `digest`. The table owns no node. A reader holds an EpochGuard (epoch_internal.h) while it uses
/// what Find returned; what a writer took out is freed only when all such readers have left. Writers exclude each
/// other.
template <typename Node>
class ConcurrentIndex {
 public:
  ConcurrentIndex() : slots_(new Slots(kFirstSize)) {}
  ~ConcurrentIndex() { delete slots_.load(); }
  ConcurrentIndex(const ConcurrentIndex&) = delete;
  ConcurrentIndex& operator=(const ConcurrentIndex&) = delete;

  /// The node, or null.
  Node* Find(const KeyDigest& digest) const { return Search(*slots_.load(std::memory_order_seq_cst), digest).node; }

  /// Has the processor fetch what Find will look at first.
  void Prefetch(const KeyDigest& digest) const {
    const Slots& slots = *slots_.load(std::memory_order_seq_cst);
    __builtin_prefetch(&slots.at[digest.low & slots.mask]);
  }

  /// Puts a node in the place of the one with the same digest, which is returned, or in a place of its own.
  /// `retire_slots` takes the old slots when there are new ones, and deletes them when all readers have left.
  template <typename Retire>
  Node* Put(Node* node, Retire&& retire_slots) {
    Slots* slots = slots_.load();
    if (Slot* slot = Search(*slots, node->digest).slot) return slot->node.exchange(node, std::memory_order_seq_cst);
    if ((slots->used + 1) * 2 > slots->mask + 1) {
      auto* larger = new Slots(SizeFor(size_ + 1));
      for (size_t i = 0; i <= slots->mask; ++i) {
        Node* kept = slots->at[i].node.load();
        if (kept != nullptr && kept != Gone()) larger->Append(kept);
      }
      slots_.store(larger, std::memory_order_seq_cst);
      retire_slots(std::unique_ptr<Slots>(slots));
      slots = larger;
    }
    slots->Append(node);
    ++size_;
    return nullptr;
  }

  /// The node must be in the table.
  void Remove(const Node& node) {
    Slot* slot = Search(*slots_.load(), node.digest).slot;
    assert(slot != nullptr);
    slot->node.store(Gone(), std::memory_order_seq_cst);
    --size_;
  }

  size_t size() const { return size_; }

  /// Calls visit(node) for every node. Not while another thread changes the table.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    const Slots& slots = *slots_.load();
    for (size_t i = 0; i <= slots.mask; ++i) {
      Node* node = slots.at[i].node.load();
      if (node != nullptr && node != Gone()) visit(node);
    }
  }

  /// The tag, a part of the digest, is there so that only the right node is looked at. It is written once, after the
  /// first node, and stays when the node is removed.
  struct Slot {
    std::atomic<uint64_t> tag{0};
    std::atomic<Node*> node{nullptr};
  };

  struct Slots {
    explicit Slots(size_t size) : mask(size - 1), at(new Slot[size]) {}

    /// Requires an empty slot.
    void Append(Node* node) {
      size_t i = node->digest.low & mask;
      while (at[i].tag.load(std::memory_order_relaxed) != 0) i = (i + 1) & mask;
      at[i].node.store(node, std::memory_order_seq_cst);
      at[i].tag.store(TagOf(node->digest), std::memory_order_seq_cst);
      ++used;
    }

    const size_t mask;
    /// Slots that are not empty, those of removed nodes included.
    size_t used = 0;
    std::unique_ptr<Slot[]> at;
  };

 private:
  static constexpr size_t kFirstSize = 64;

  /// Stands where a node was, so that probing goes on past it.
  static Node* Gone() { return reinterpret_cast<Node*>(&gone_mark); }
  alignas(64) static inline char gone_mark = 0;

  /// Four times the nodes: half full at most, and the table is not made again soon.
  static size_t SizeFor(size_t nodes) {
    size_t size = kFirstSize;
    while (size < nodes * 4) size *= 2;
    return size;
  }

  /// Not 0, which marks an empty slot.
  static uint64_t TagOf(const KeyDigest& digest) { return digest.high | 1; }

  struct Found {
    /// Both null if there is no such node.
    Slot* slot = nullptr;
    Node* node = nullptr;
  };

  static Found Search(const Slots& slots, const KeyDigest& digest) {
    const uint64_t wanted = TagOf(digest);
    for (size_t i = digest.low & slots.mask;; i = (i + 1) & slots.mask) {
      Slot& slot = slots.at[i];
      const uint64_t tag = slot.tag.load(std::memory_order_acquire);
      if (tag == 0) return {};
      if (tag != wanted) continue;
      Node* node = slot.node.load(std::memory_order_seq_cst);
      if (node == Gone()) continue;
      if (node->digest == digest) return {&slot, node};
    }
  }

  std::atomic<Slots*> slots_;
  size_t size_ = 0;
};

}  // namespace fewter::internal
