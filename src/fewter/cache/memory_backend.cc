#include "fewter/cache/memory_backend.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <limits>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "fewter/cache/concurrent_index_internal.h"
#include "fewter/cache/epoch_internal.h"
#include "fewter/cache/eviction_queue.h"
#include "fewter/cache/memory_charge_internal.h"

namespace fewter {
namespace {

using internal::ConcurrentIndex;
using internal::EpochGuard;
using internal::MemoryUse;

/// How many reference counts an entry's value has, a power of two, so that threads that use it at the same time raise
/// different ones.
size_t NumHandles() {
  static const size_t count = std::bit_floor(std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 16));
  return count;
}

/// Two cache lines: a processor that fetches one may fetch its neighbour, too, which another thread may be writing.
constexpr size_t kLinePair = 128;

/// One reference count of an entry's value, and the pointer that raises it, in one cache line.
struct alignas(kLinePair) Handle {
  /// For what std::allocate_shared makes.
  alignas(16) std::array<std::byte, 48> room;
  std::shared_ptr<const void> value;
};
static_assert(sizeof(Handle) == kLinePair);

/// The memory of a node and of its handles, which goes when the node and every reference count are gone.
struct NodeMemory {
  std::atomic<size_t> users;
  void* start;

  void Release() {
    if (users.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(start, std::align_val_t{alignof(Handle)});
  }
};

/// Places a reference count in a handle.
template <typename T>
struct HandleAllocator {
  using value_type = T;
  HandleAllocator(NodeMemory* its_memory, Handle* its_handle) : memory(its_memory), handle(its_handle) {}
  template <typename U>
  HandleAllocator(const HandleAllocator<U>& other) : memory(other.memory), handle(other.handle) {}  // NOLINT

  T* allocate(size_t) {
    static_assert(sizeof(T) <= sizeof(Handle::room) && alignof(T) <= 16);
    return reinterpret_cast<T*>(handle->room.data());
  }
  void deallocate(T*, size_t) { memory->Release(); }
  bool operator==(const HandleAllocator& other) const { return handle == other.handle; }

  NodeMemory* memory;
  Handle* handle;
};

/// What a hit hands out. Read by all threads, and never changed.
struct NodeFront {
  KeyDigest digest;
  const std::type_info* type = nullptr;
  int64_t bytes = 0;
  int64_t mapped_bytes = 0;
  void (*append_buffers)(const void* value, BufferList* buffers) = nullptr;
};

/// An entry. Nothing in it changes after it is in the index, but for the eviction queue's part. What a hit needs lies
/// in its first cache line and in that of one handle; the handles follow it in the same piece of memory, so that both
/// lines are fetched at once.
class alignas(kLinePair) Node : public NodeFront, public EvictionNode {
 public:
  static Node* Make(const EncodedKey& key, const CacheCodec& codec, const CacheEntry& entry, MemoryUse use) {
    const size_t handles = NumHandles();
    const size_t size = sizeof(Node) + handles * sizeof(Handle) + sizeof(NodeMemory);
    auto* start = static_cast<std::byte*>(::operator new(size, std::align_val_t{alignof(Handle)}));
    auto* memory = new (start + size - sizeof(NodeMemory)) NodeMemory{.users = 1 + handles, .start = start};
    auto* node = new (start) Node(key, codec, entry, std::move(use));
    for (size_t i = 0; i < handles; ++i) {
      Handle* handle = new (node->handles() + i) Handle;
      const void* value = entry.value.get();
      handle->value = {std::allocate_shared<const std::shared_ptr<const void>>(
                           HandleAllocator<std::shared_ptr<const void>>(memory, handle), entry.value),
                       value};
    }
    return node;
  }

  static void Destroy(Node* node) {
    auto* memory = reinterpret_cast<NodeMemory*>(node->handles() + NumHandles());
    for (size_t i = 0; i < NumHandles(); ++i) node->handles()[i].~Handle();
    node->~Node();
    memory->Release();
  }

  /// What an entry costs besides its value.
  static int64_t Overhead(const EncodedKey& key) {
    return static_cast<int64_t>(sizeof(Node) + key.FullSize() + NumHandles() * sizeof(Handle) + sizeof(NodeMemory));
  }

  /// By the handle of that number.
  CacheEntry Share(size_t handle) const {
    return {.value = reinterpret_cast<const Handle*>(this + 1)[handle].value,
            .type = type,
            .bytes = bytes,
            .mapped_bytes = mapped_bytes,
            .append_buffers = append_buffers};
  }

  /// Since it was inserted. Requires the lock.
  uint32_t TotalUses() const {
    return static_cast<uint32_t>(std::min(frequency - 1 + uses.load(std::memory_order_relaxed), 1e9));
  }

  const OwnedKey key;
  const CacheCodec codec;
  MemoryUse use;
  /// Of TotalUses, what TakeUses has told.
  uint32_t told_uses = 0;

 private:
  Node(const EncodedKey& encoded, const CacheCodec& its_codec, const CacheEntry& entry, MemoryUse its_use)
      : NodeFront{.digest = encoded.digest(),
                  .type = entry.type,
                  .bytes = entry.bytes,
                  .mapped_bytes = entry.mapped_bytes,
                  .append_buffers = entry.append_buffers},
        EvictionNode(its_use.Total() + Overhead(encoded)),
        key(encoded),
        codec(its_codec),
        use(std::move(its_use)) {
    use.own_bytes += Overhead(encoded);
  }
  ~Node() = default;

  Handle* handles() { return reinterpret_cast<Handle*>(this + 1); }
};

struct DestroyNode {
  void operator()(Node* node) const { Node::Destroy(node); }
};
using NodePointer = std::unique_ptr<Node, DestroyNode>;

/// What was taken out of readers' reach, to be freed when they have left.
struct Retired {
  uint64_t epoch = 0;
  std::vector<NodePointer> nodes;
  std::vector<std::unique_ptr<ConcurrentIndex<Node>::Slots>> slots;
  bool empty() const { return nodes.empty() && slots.empty(); }
};

class MemoryBackend final : public CacheBackend {
 public:
  explicit MemoryBackend(int64_t capacity_bytes) : capacity_(capacity_bytes) {}

  ~MemoryBackend() override {
    index_.ForEach([](Node* node) { Node::Destroy(node); });
  }

  std::string_view kind() const override { return "memory"; }

  std::string_view Locate(const EncodedKey& key) const override {
    const EpochGuard guard;
    return index_.Find(key.digest()) != nullptr ? kind() : std::string_view();
  }

  void TellEvictionsTo(const EvictionListener& listener) override { on_eviction_ = listener; }

  std::vector<EntryUse> TakeUses() override {
    std::vector<EntryUse> uses;
    std::lock_guard lock(mutex_);
    index_.ForEach([&](Node* node) {
      const uint32_t total = node->TotalUses();
      if (total > node->told_uses) uses.push_back({node->digest, total - node->told_uses});
      node->told_uses = total;
    });
    return uses;
  }

  std::vector<EntryUse> Uses() const override {
    std::vector<EntryUse> uses;
    {
      std::lock_guard lock(mutex_);
      uses.reserve(index_.size());
      index_.ForEach([&](const Node* node) { uses.push_back({node->digest, node->TotalUses()}); });
    }
    std::sort(uses.begin(), uses.end(), [](const EntryUse& a, const EntryUse& b) { return a.uses > b.uses; });
    return uses;
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec&, const std::type_info&) override {
    const EpochGuard guard;
    return Find(key, guard);
  }

  void LookupMany(std::span<const EncodedKey> keys, const CacheCodec&, const std::type_info&,
                  std::span<CacheEntry> found) override {
    const EpochGuard guard;
    // A batch waits for memory once, not once a key.
    for (const EncodedKey& key : keys) index_.Prefetch(key.digest());
    for (size_t i = 0; i < keys.size(); ++i) found[i] = Find(keys[i], guard);
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    MemoryUse use = internal::MeasureUse(entry);
    if (use.wastes && codec) Compact(key, codec, &entry, &use);
    // A size that makes no sense must not overflow the sums.
    constexpr int64_t kLargest = std::numeric_limits<int64_t>::max() / 2;
    if (capacity_ <= 0 || use.Total() > std::min(capacity_, kLargest)) return;
    NodePointer node(Node::Make(key, codec, entry, std::move(use)));
    if (node->charge > capacity_) return;
    std::vector<NodePointer> evicted;
    Retired gone;
    {
      std::lock_guard lock(mutex_);
      if (Node* old = index_.Find(node->digest)) Unaccount(old);
      evicted = MakeRoom(node->charge);
      bytes_ += node->use.own_bytes + ledger_.Add(node->use.roots);
      mapped_bytes_ += node->mapped_bytes;
      queue_.Add(node.get());
      Node* old = index_.Put(node.release(), [&](auto slots) { gone.slots.push_back(std::move(slots)); });
      if (old != nullptr) gone.nodes.emplace_back(old);
    }
    counters().Insertion();
    counters().Evictions(evicted.size());
    if (on_eviction_) {
      for (const auto& node_gone : evicted) TellOfEviction(*node_gone);
    }
    std::move(evicted.begin(), evicted.end(), std::back_inserter(gone.nodes));
    Free(std::move(gone));
  }

  void Invalidate(const CacheNamespace& name_space) override {
    Retired gone;
    {
      std::lock_guard lock(mutex_);
      std::vector<Node*> doomed;
      index_.ForEach([&](Node* node) {
        if (node->key.name_space().IsWithin(name_space)) doomed.push_back(node);
      });
      for (Node* node : doomed) gone.nodes.push_back(TakeOut(node));
    }
    Free(std::move(gone));
    // A reader may just be looking; what it holds back would otherwise wait for the next insertion.
    for (int attempt = 0; attempt < 100 && HasRetired(); ++attempt) {
      std::this_thread::yield();
      Free({});
    }
  }

  Contents Held() const override {
    std::lock_guard lock(mutex_);
    return {.entries = index_.size(), .bytes = bytes_, .mapped_bytes = mapped_bytes_};
  }

 private:
  CacheEntry Find(const EncodedKey& key, const EpochGuard& guard) const {
    Node* node = index_.Find(key.digest());
    if (node == nullptr) return {};
    node->Touch();
    return node->Share(guard.thread() & handle_mask_);
  }

  /// Puts a copy in the place of a value that keeps much more alive than it uses. Without success it stays.
  static void Compact(const EncodedKey& key, const CacheCodec& codec, CacheEntry* entry, MemoryUse* use) {
    const auto bytes = EncodeEntry(key, codec, entry->value.get());
    if (!bytes.ok()) return;
    DecodedEntry copy = DecodeEntry(key, codec, *bytes, VerifyBody::kNo);
    if (!copy.hit()) return;
    entry->value = std::move(copy.value);
    *use = internal::MeasureUse(*entry);
  }

  /// Requires the lock, as do the next two.
  void Unaccount(Node* node, bool is_queued = true) {
    if (is_queued) queue_.Remove(node);
    bytes_ += ledger_.Remove(node->use.roots) - node->use.own_bytes;
    mapped_bytes_ -= node->mapped_bytes;
  }

  NodePointer TakeOut(Node* node, bool is_queued = true) {
    Unaccount(node, is_queued);
    index_.Remove(*node);
    return NodePointer(node);
  }

  /// Drops entries until `charge` more bytes fit.
  std::vector<NodePointer> MakeRoom(int64_t charge) {
    std::vector<NodePointer> evicted;
    while (bytes_ > capacity_ - charge) {
      Node* victim = static_cast<Node*>(queue_.Evict());
      if (victim == nullptr) break;
      evicted.push_back(TakeOut(victim, false));
    }
    return evicted;
  }

  void TellOfEviction(const Node& node) const {
    if (node.codec) on_eviction_(node.key.view(), node.codec, node.Share(0));
  }

  bool HasRetired() {
    std::lock_guard lock(retired_mutex_);
    return !retired_.empty();
  }

  /// Frees what was taken out, or keeps it until its readers have left; and what was kept before.
  void Free(Retired gone) {
    std::vector<Retired> free;
    {
      std::lock_guard lock(retired_mutex_);
      if (!gone.empty()) {
        gone.epoch = internal::RetiredEpoch();
        retired_.push_back(std::move(gone));
      }
      if (retired_.empty()) return;
      const uint64_t oldest = internal::OldestReader();
      const auto in_use =
          std::find_if(retired_.begin(), retired_.end(), [&](const Retired& one) { return one.epoch >= oldest; });
      std::move(retired_.begin(), in_use, std::back_inserter(free));
      retired_.erase(retired_.begin(), in_use);
    }
    // Destroyed here, without locks: a value's destructor may take long, and may use the cache.
  }

  /// What takes a thread's number to that of a handle.
  const size_t handle_mask_ = NumHandles() - 1;
  ConcurrentIndex<Node> index_;
  const int64_t capacity_;
  EvictionListener on_eviction_;

  /// For all changes; readers do without.
  mutable std::mutex mutex_;
  EvictionQueue queue_;
  internal::SharedMemoryLedger ledger_;
  int64_t bytes_ = 0;
  int64_t mapped_bytes_ = 0;

  std::mutex retired_mutex_;
  /// In the order of their epochs.
  std::vector<Retired> retired_;
};

}  // namespace

std::shared_ptr<CacheBackend> MakeMemoryBackend(int64_t capacity_bytes) {
  return std::make_shared<MemoryBackend>(capacity_bytes);
}

}  // namespace fewter
