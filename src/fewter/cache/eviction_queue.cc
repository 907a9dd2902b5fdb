#include "fewter/cache/eviction_queue.h"

#include <algorithm>
#include <utility>

namespace fewter {

void EvictionQueue::Prioritise(EvictionNode* node) {
  node->priority = clock_ + node->frequency / static_cast<double>(std::max<int64_t>(node->charge, 1));
  node->order = next_order_++;
}

void EvictionQueue::Add(EvictionNode* node) {
  Prioritise(node);
  heap_.push_back(node);
  Place(heap_.size() - 1, node);
  Rise(node->position);
}

void EvictionQueue::Remove(EvictionNode* node) {
  const size_t position = node->position;
  EvictionNode* last = heap_.back();
  heap_.pop_back();
  if (last == node) return;
  Place(position, last);
  Rise(position);
  Sink(last->position);
}

EvictionNode* EvictionQueue::Evict() {
  for (size_t looks = heap_.size(); looks > 0; --looks) {
    EvictionNode* lowest = heap_.front();
    clock_ = std::max(clock_, lowest->priority);
    const uint8_t uses = lowest->uses.exchange(0, std::memory_order_relaxed);
    if (uses == 0 || looks == 1) {
      Remove(lowest);
      return lowest;
    }
    lowest->frequency += uses;
    Prioritise(lowest);
    Sink(0);
  }
  return nullptr;
}

void EvictionQueue::Place(size_t position, EvictionNode* node) {
  heap_[position] = node;
  node->position = position;
}

void EvictionQueue::Rise(size_t position) {
  EvictionNode* node = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (GoesBefore(*heap_[parent], *node)) break;
    Place(position, heap_[parent]);
    position = parent;
  }
  Place(position, node);
}

void EvictionQueue::Sink(size_t position) {
  EvictionNode* node = heap_[position];
  while (true) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && GoesBefore(*heap_[child + 1], *heap_[child])) ++child;
    if (GoesBefore(*node, *heap_[child])) break;
    Place(position, heap_[child]);
    position = child;
  }
  Place(position, node);
}

}  // namespace fewter
