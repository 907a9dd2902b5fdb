/// Which entries should go when there is no room? Replays traces (record_trace.cc) through several policies at several
/// sizes, and prints the share of look-ups that hit, and of bytes.
///
///     cache_simulator TRACE…
///
/// A look-up of what is not there inserts it. An entry larger than the cache is never kept. Sizes are shares of what
/// the trace's entries weigh together.

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "fewter/cache/eviction_queue.h"

namespace {

struct Access {
  uint64_t key;
  int64_t bytes;
};

/// A cache of keys: true if the key was there; otherwise it is now, if it fits.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual bool Access(const Access& access) = 0;
};

class Lru final : public Policy {
 public:
  explicit Lru(int64_t capacity) : capacity_(capacity) {}

  bool Access(const ::Access& access) override {
    const auto found = index_.find(access.key);
    if (found != index_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    if (access.bytes > capacity_) return false;
    for (; bytes_ + access.bytes > capacity_; order_.pop_back()) {
      bytes_ -= order_.back().bytes;
      index_.erase(order_.back().key);
    }
    order_.push_front(access);
    index_[access.key] = order_.begin();
    bytes_ += access.bytes;
    return false;
  }

 private:
  int64_t capacity_;
  int64_t bytes_ = 0;
  std::list<::Access> order_;
  std::unordered_map<uint64_t, std::list<::Access>::iterator> index_;
};

/// The one that the memory backend uses: GDSF, made lazy.
class Ours final : public Policy {
 public:
  explicit Ours(int64_t capacity) : capacity_(capacity) {}

  bool Access(const ::Access& access) override {
    const auto found = nodes_.find(access.key);
    if (found != nodes_.end()) {
      found->second->Touch();
      return true;
    }
    if (access.bytes > capacity_) return false;
    while (bytes_ + access.bytes > capacity_) {
      const auto* victim = static_cast<const Node*>(queue_.Evict());
      bytes_ -= victim->charge;
      nodes_.erase(victim->key);
    }
    auto& node = nodes_[access.key];
    node = std::make_unique<Node>(access);
    queue_.Add(node.get());
    bytes_ += access.bytes;
    return false;
  }

 private:
  struct Node : fewter::EvictionNode {
    explicit Node(const ::Access& access) : EvictionNode(access.bytes), key(access.key) {}
    const uint64_t key;
  };

  int64_t capacity_;
  int64_t bytes_ = 0;
  fewter::EvictionQueue queue_;
  std::unordered_map<uint64_t, std::unique_ptr<Node>> nodes_;
};

/// S3-FIFO (Yang et al., 2023) over bytes: a small queue of a tenth, a main queue with second chances, and a memory of
/// what the small queue dropped.
class S3Fifo final : public Policy {
 public:
  explicit S3Fifo(int64_t capacity) : capacity_(capacity) {}

  bool Access(const ::Access& access) override {
    const auto found = index_.find(access.key);
    if (found != index_.end()) {
      found->second.uses = std::min(found->second.uses + 1, 3);
      return true;
    }
    if (access.bytes > capacity_) return false;
    while (small_.bytes + main_.bytes + access.bytes > capacity_) MakeRoom();
    Entry& entry = index_[access.key];
    entry.bytes = access.bytes;
    Push(ghosts_.contains(access.key) ? &main_ : &small_, access.key, access.bytes);
    return false;
  }

 private:
  struct Entry {
    int64_t bytes = 0;
    int uses = 0;
  };
  struct Queue {
    std::list<uint64_t> keys;
    int64_t bytes = 0;
  };

  static void Push(Queue* queue, uint64_t key, int64_t bytes) {
    queue->keys.push_back(key);
    queue->bytes += bytes;
  }
  /// Takes the oldest key of a queue.
  uint64_t Pop(Queue* queue) {
    const uint64_t key = queue->keys.front();
    queue->keys.pop_front();
    queue->bytes -= index_[key].bytes;
    return key;
  }

  void MakeRoom() {
    const bool from_small = main_.keys.empty() || (!small_.keys.empty() && small_.bytes > capacity_ / 10);
    const uint64_t key = Pop(from_small ? &small_ : &main_);
    Entry& entry = index_[key];
    if (from_small ? entry.uses > 1 : entry.uses > 0) {
      entry.uses = from_small ? 0 : entry.uses - 1;
      Push(&main_, key, entry.bytes);
      return;
    }
    if (from_small) Remember(key, entry.bytes);
    index_.erase(key);
  }

  void Remember(uint64_t key, int64_t bytes) {
    ghost_order_.emplace_back(key, bytes);
    ghosts_.insert(key);
    ghost_bytes_ += bytes;
    for (; ghost_bytes_ > capacity_; ghost_order_.pop_front()) {
      ghost_bytes_ -= ghost_order_.front().second;
      const auto one = ghosts_.find(ghost_order_.front().first);
      if (one != ghosts_.end()) ghosts_.erase(one);
    }
  }

  int64_t capacity_;
  Queue small_;
  Queue main_;
  std::unordered_map<uint64_t, Entry> index_;
  std::unordered_multiset<uint64_t> ghosts_;
  std::list<std::pair<uint64_t, int64_t>> ghost_order_;
  int64_t ghost_bytes_ = 0;
};

/// Greedy-Dual-Size-Frequency (Cherkasova, 1998): the least uses per byte goes, with an inflation that ages.
class Gdsf final : public Policy {
 public:
  explicit Gdsf(int64_t capacity) : capacity_(capacity) {}

  bool Access(const ::Access& access) override {
    const auto found = entries_.find(access.key);
    if (found != entries_.end()) {
      queue_.erase({found->second.priority, access.key});
      ++found->second.uses;
      Enqueue(access.key, &found->second);
      return true;
    }
    if (access.bytes > capacity_) return false;
    while (bytes_ + access.bytes > capacity_) {
      const auto victim = *queue_.begin();
      queue_.erase(queue_.begin());
      inflation_ = victim.first;
      bytes_ -= entries_[victim.second].bytes;
      entries_.erase(victim.second);
    }
    Entry& entry = entries_[access.key];
    entry.bytes = access.bytes;
    bytes_ += access.bytes;
    Enqueue(access.key, &entry);
    return false;
  }

 private:
  struct Entry {
    int64_t bytes = 0;
    double uses = 1;
    double priority = 0;
  };

  void Enqueue(uint64_t key, Entry* entry) {
    entry->priority = inflation_ + entry->uses / static_cast<double>(entry->bytes);
    queue_.insert({entry->priority, key});
  }

  int64_t capacity_;
  int64_t bytes_ = 0;
  double inflation_ = 0;
  std::unordered_map<uint64_t, Entry> entries_;
  std::set<std::pair<double, uint64_t>> queue_;
};

/// W-TinyLFU (Einziger, Friedman, Manes, 2017) over bytes: a window of 1 %, a segmented LRU of the rest, and admission
/// by the frequency of the candidate against that of the victims that it would take the place of.
class WTinyLfu final : public Policy {
 public:
  explicit WTinyLfu(int64_t capacity)
      : capacity_(capacity),
        window_share_(std::max<int64_t>(capacity / 100, 1)),
        protected_share_((capacity - window_share_) * 8 / 10) {}

  bool Access(const ::Access& access) override {
    Count(access.key);
    const auto found = index_.find(access.key);
    if (found != index_.end()) {
      Hit(found->second);
      return true;
    }
    if (access.bytes > capacity_) return false;
    Put(kWindow, access);
    while (segments_[kWindow].bytes > window_share_) Admit(Take(kWindow));
    return false;
  }

 private:
  enum Segment { kWindow = 0, kProbation, kProtected, kSegments };
  struct Queue {
    std::list<::Access> order;
    int64_t bytes = 0;
  };
  struct Place {
    Segment segment;
    std::list<::Access>::iterator at;
  };

  void Put(Segment segment, const ::Access& access) {
    segments_[segment].order.push_front(access);
    segments_[segment].bytes += access.bytes;
    index_[access.key] = {segment, segments_[segment].order.begin()};
  }
  ::Access Take(Segment segment) {
    const ::Access last = segments_[segment].order.back();
    segments_[segment].order.pop_back();
    segments_[segment].bytes -= last.bytes;
    index_.erase(last.key);
    return last;
  }

  void Hit(Place& place) {
    Queue& from = segments_[place.segment];
    const Segment to = place.segment == kWindow ? kWindow : kProtected;
    from.bytes -= place.at->bytes;
    segments_[to].bytes += place.at->bytes;
    segments_[to].order.splice(segments_[to].order.begin(), from.order, place.at);
    place.segment = to;
    while (segments_[kProtected].bytes > protected_share_) Put(kProbation, Take(kProtected));
  }

  void Admit(const ::Access& candidate) {
    const int64_t room = capacity_ - window_share_;
    if (candidate.bytes > room) return;
    while (segments_[kProbation].bytes + segments_[kProtected].bytes + candidate.bytes > room) {
      const Segment from = segments_[kProbation].order.empty() ? kProtected : kProbation;
      if (Frequency(segments_[from].order.back().key) >= Frequency(candidate.key)) return;
      Take(from);
    }
    Put(kProbation, candidate);
  }

  /// Exact counts that are halved now and then, where the original has a sketch: never worse than it.
  void Count(uint64_t key) {
    uint32_t& count = counts_[key];
    count = std::min(count + 1, 15U);
    if (++counted_ < 10 * index_.size() + 1000) return;
    counted_ = 0;
    for (auto& [any, its_count] : counts_) its_count /= 2;
  }
  uint32_t Frequency(uint64_t key) { return counts_[key]; }

  int64_t capacity_;
  int64_t window_share_;
  int64_t protected_share_;
  std::array<Queue, kSegments> segments_;
  std::unordered_map<uint64_t, Place> index_;
  std::unordered_map<uint64_t, uint32_t> counts_;
  size_t counted_ = 0;
};

struct HitRatios {
  double lookups = 0;
  double bytes = 0;
};

HitRatios Replay(const std::vector<Access>& trace, Policy* policy) {
  double hits = 0;
  double hit_bytes = 0;
  double bytes = 0;
  for (const Access& access : trace) {
    bytes += static_cast<double>(access.bytes);
    if (!policy->Access(access)) continue;
    ++hits;
    hit_bytes += static_cast<double>(access.bytes);
  }
  return {100 * hits / static_cast<double>(trace.size()), 100 * hit_bytes / bytes};
}

std::vector<Access> ReadTrace(const char* path) {
  std::vector<Access> trace;
  std::ifstream in(path);
  for (Access access; in >> std::hex >> access.key >> std::dec >> access.bytes;) trace.push_back(access);
  return trace;
}

template <typename P>
std::unique_ptr<Policy> Make(int64_t capacity) {
  return std::make_unique<P>(capacity);
}

void Simulate(const char* path) {
  const std::vector<std::pair<const char*, std::unique_ptr<Policy> (*)(int64_t)>> policies = {
      {"LRU", Make<Lru>},
      {"S3-FIFO", Make<S3Fifo>},
      {"W-TinyLFU", Make<WTinyLfu>},
      {"GDSF", Make<Gdsf>},
      {"ours", Make<Ours>}};
  const std::vector<Access> trace = ReadTrace(path);
  std::map<uint64_t, int64_t> entries;
  for (const Access& access : trace) entries[access.key] = access.bytes;
  int64_t footprint = 0;
  for (const auto& [key, bytes] : entries) footprint += bytes;
  const std::string name = std::filesystem::path(path).stem().string();
  for (const int percent : {5, 10, 20, 40, 70}) {
    fmt::print("| {} | {} % |", name, percent);
    for (const auto& [policy_name, make] : policies) {
      const auto policy = make(footprint * percent / 100);
      const HitRatios ratios = Replay(trace, policy.get());
      fmt::print(" {:.1f} / {:.1f} |", ratios.lookups, ratios.bytes);
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print(
      "| trace | size | LRU | S3-FIFO | W-TinyLFU | GDSF | ours |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: "
      "|\n");
  for (int i = 1; i < argc; ++i) Simulate(argv[i]);
  return 0;
}
