#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <arrow/util/future.h>

#include "fewter/cache/backend.h"
#include "fewter/cache/key.h"
#include "fewter/util/caller_limit.h"

/// The typed face of a cache: keys in, shared_ptr<const Value> out.
///
///     Cache cache(MakeMemoryBackend(1 << 30));
///     Cache index_cache = cache.Child(dataset_uri).Child(uuid);
///     ARROW_ASSIGN_OR_RAISE(auto partition, index_cache.GetOrLoad(PartitionKey{17}, [&] { return Read(17); }));

namespace fewter {

/// What a cache hands out for a key.
template <CacheKey K>
using CachedValue = std::shared_ptr<const typename K::Value>;

/// A function that returns the value that a key names, or why it could not be had. A null value is an error; so is an
/// exception.
template <typename Loader, typename K>
concept ValueLoader = CacheKey<K> && std::is_invocable_r_v<arrow::Result<CachedValue<K>>, Loader&>;

/// The same for several keys at once: given the places of those that are wanted of it, ascending, returns a result for
/// each of them.
template <typename Loader, typename K>
concept ManyValuesLoader =
    CacheKey<K> &&
    std::is_invocable_r_v<std::vector<arrow::Result<CachedValue<K>>>, Loader&, const std::vector<size_t>&>;

/// A backend and a namespace in it. Cheap to copy, thread safe.
class Cache {
 public:
  explicit Cache(std::shared_ptr<CacheBackend> backend,
                 std::shared_ptr<const CacheNamespace> name_space = CacheNamespace::Root())
      : backend_(std::move(backend)), namespace_(std::move(name_space)) {}

  /// The cache of a namespace within this one.
  Cache Child(std::string_view segment) const { return Cache(backend_, namespace_->Child(segment)); }

  /// The value, or null.
  template <CacheKey K>
  CachedValue<K> Get(const K& key) const;

  /// The values, null for those that are not there, in the order of the keys. A remote tier is asked once for all.
  template <CacheKey K>
  std::vector<CachedValue<K>> GetMany(std::span<const K> keys) const;

  /// Offers a value. Null is ignored.
  template <CacheKey K>
  void Insert(const K& key, CachedValue<K> value) const;

  /// The value; if it is not there, runs `loader` on this thread, or waits for the caller that is running its own for
  /// the same key. A loader's error goes to all who waited and is not kept; if it only says that its caller gave up
  /// (util/caller_limit.h), the others load for themselves. A loader may load other keys, but not those whose loaders
  /// may load this one. Check bounds before you call: a key that cannot exist must not be looked
  /// up.
  template <CacheKey K, ValueLoader<K> Loader>
  arrow::Result<CachedValue<K>> GetOrLoad(const K& key, Loader&& loader) const;

  /// The second half of GetOrLoad, for a caller whose Get has just missed; counts no other hit or miss.
  template <CacheKey K, ValueLoader<K> Loader>
  arrow::Result<CachedValue<K>> Load(const K& key, Loader&& loader) const;

  /// Load for several keys: `loader` is called once, on this thread, for those that nobody else is loading, so that it
  /// can read them together. Those that others are loading are waited for after that.
  template <CacheKey K, ManyValuesLoader<K> Loader>
  std::vector<arrow::Result<CachedValue<K>>> LoadMany(std::span<const K> keys, Loader&& loader) const;

  /// GetMany, and LoadMany for those that are not there.
  template <CacheKey K, ManyValuesLoader<K> Loader>
  std::vector<arrow::Result<CachedValue<K>>> GetOrLoadMany(std::span<const K> keys, Loader&& loader) const;

  /// Which tiers hold the value, by their kinds, e.g. "memory", nearest first.
  template <CacheKey K>
  std::vector<std::string_view> Locate(const K& key) const;

  /// Drops everything in this namespace and below.
  void Invalidate() const { backend_->InvalidatePrefix(*namespace_); }

  /// Of the whole backend.
  CacheStats Stats() const { return backend_->Stats(); }

  const std::shared_ptr<CacheBackend>& backend() const { return backend_; }
  const std::shared_ptr<const CacheNamespace>& name_space() const { return namespace_; }

 private:
  std::shared_ptr<CacheBackend> backend_;
  std::shared_ptr<const CacheNamespace> namespace_;
};

/// A cache that does not keep its backend alive, for live objects that may themselves be reachable from cached values.
/// Once the backend is gone, Get misses, Insert does nothing and GetOrLoad runs its loader.
class WeakCache {
 public:
  /// A cache without a backend.
  WeakCache() = default;
  explicit WeakCache(const Cache& cache) : WeakCache(cache.backend(), cache.name_space()) {}

  WeakCache Child(std::string_view segment) const { return WeakCache(backend_, namespace_->Child(segment)); }

  template <CacheKey K>
  CachedValue<K> Get(const K& key) const;
  template <CacheKey K>
  std::vector<CachedValue<K>> GetMany(std::span<const K> keys) const;
  template <CacheKey K>
  std::vector<std::string_view> Locate(const K& key) const;
  template <CacheKey K>
  void Insert(const K& key, CachedValue<K> value) const;
  template <CacheKey K, ValueLoader<K> Loader>
  arrow::Result<CachedValue<K>> GetOrLoad(const K& key, Loader&& loader) const;
  template <CacheKey K, ValueLoader<K> Loader>
  arrow::Result<CachedValue<K>> Load(const K& key, Loader&& loader) const;
  template <CacheKey K, ManyValuesLoader<K> Loader>
  std::vector<arrow::Result<CachedValue<K>>> LoadMany(std::span<const K> keys, Loader&& loader) const;
  template <CacheKey K, ManyValuesLoader<K> Loader>
  std::vector<arrow::Result<CachedValue<K>>> GetOrLoadMany(std::span<const K> keys, Loader&& loader) const;
  /// Waits until tiers that write behind have written what has been inserted; see CacheBackend::Flush.
  void Flush() const {
    if (const auto backend = backend_.lock()) backend->Flush();
  }

 private:
  WeakCache(std::weak_ptr<CacheBackend> backend, std::shared_ptr<const CacheNamespace> name_space)
      : backend_(std::move(backend)), namespace_(std::move(name_space)) {}

  std::weak_ptr<CacheBackend> backend_;
  std::shared_ptr<const CacheNamespace> namespace_ = CacheNamespace::Root();
};

// ---- The way between typed keys and values and those of a backend; nothing below is for callers. ----

namespace internal {

/// A key's bytes and the view of them, on the stack.
template <CacheKey K>
class StackKey {
 public:
  StackKey(const K& key, const CacheNamespace& name_space) : fields_(Write(key)), encoded_(name_space, fields_) {}
  StackKey(const StackKey&) = delete;
  StackKey& operator=(const StackKey&) = delete;

  const EncodedKey& operator*() const { return encoded_; }

 private:
  static KeyWriter Write(const K& key) {
    static const uint64_t type_id_hash = HashOfTypeId(K::kTypeId);
    KeyWriter fields(K::kTypeId, type_id_hash);
    key.AppendFields(fields);
    return fields;
  }

  KeyWriter fields_;
  EncodedKey encoded_;
};

template <CacheKey K>
CacheEntry ToEntry(CachedValue<K> value) {
  if (value == nullptr) return {};
  int64_t bytes;
  if constexpr (requires { K::SizeInBytes(*value); }) {
    bytes = K::SizeInBytes(*value);
  } else {
    bytes = value->SizeInBytes();
  }
  CacheEntry entry{.value = std::move(value), .type = &typeid(typename K::Value), .bytes = bytes};
  if constexpr (requires(BufferList* buffers) { std::declval<const typename K::Value&>().AppendBuffers(buffers); }) {
    entry.append_buffers = [](const void* kept, BufferList* buffers) {
      static_cast<const typename K::Value*>(kept)->AppendBuffers(buffers);
    };
  }
  return entry;
}

/// Requires an entry of the key's type, or an empty one.
template <CacheKey K>
CachedValue<K> FromEntry(CacheEntry entry) {
  return std::static_pointer_cast<const typename K::Value>(std::move(entry.value));
}

/// Loads what a caller of LoadMany has claimed, and ends its claims, whatever happens.
template <CacheKey K, ManyValuesLoader<K> Loader>
void FinishClaims(const std::vector<size_t>& claimed, std::vector<arrow::Future<CacheEntry>>* claims, Loader& loader) {
  if (claimed.empty()) return;
  std::vector<arrow::Result<CachedValue<K>>> loaded;
  try {
    loaded = loader(claimed);
  } catch (const std::exception& thrown) {
    loaded.assign(claimed.size(), arrow::Status::UnknownError("cache: a loader threw: ", thrown.what()));
  }
  for (size_t i = 0; i < claims->size(); ++i) {
    arrow::Result<CacheEntry> entry = arrow::Status::UnknownError("cache: a loader returned too few values");
    if (i < loaded.size() && loaded[i].ok()) entry = ToEntry<K>(*std::move(loaded[i]));
    if (i < loaded.size() && !loaded[i].ok()) entry = loaded[i].status();
    (*claims)[i].MarkFinished(std::move(entry));
  }
}

/// A loader of entries from one of values, which must outlive it.
template <CacheKey K, ValueLoader<K> Loader>
CacheLoader ToEntryLoader(Loader& loader) {
  return [&loader]() -> arrow::Future<CacheEntry> {
    arrow::Result<CachedValue<K>> value = loader();
    if (!value.ok()) return value.status();
    return ToEntry<K>(*std::move(value));
  };
}

}  // namespace internal

template <CacheKey K>
CachedValue<K> Cache::Get(const K& key) const {
  const internal::StackKey<K> encoded(key, *namespace_);
  return internal::FromEntry<K>(backend_->Get(*encoded, CodecOf<K>(), typeid(typename K::Value)));
}

template <CacheKey K>
std::vector<CachedValue<K>> Cache::GetMany(std::span<const K> keys) const {
  std::vector<std::optional<internal::StackKey<K>>> writers(keys.size());
  std::vector<EncodedKey> encoded;
  encoded.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) encoded.push_back(*writers[i].emplace(keys[i], *namespace_));
  std::vector<CacheEntry> entries(keys.size());
  backend_->GetMany(encoded, CodecOf<K>(), typeid(typename K::Value), entries);
  std::vector<CachedValue<K>> values;
  values.reserve(keys.size());
  for (CacheEntry& entry : entries) values.push_back(internal::FromEntry<K>(std::move(entry)));
  return values;
}

template <CacheKey K>
std::vector<std::string_view> Cache::Locate(const K& key) const {
  const internal::StackKey<K> encoded(key, *namespace_);
  return backend_->LocateAll(*encoded);
}

template <CacheKey K>
void Cache::Insert(const K& key, CachedValue<K> value) const {
  const internal::StackKey<K> encoded(key, *namespace_);
  backend_->Insert(*encoded, CodecOf<K>(), internal::ToEntry<K>(std::move(value)));
}

template <CacheKey K, ValueLoader<K> Loader>
arrow::Result<CachedValue<K>> Cache::GetOrLoad(const K& key, Loader&& loader) const {
  if (CachedValue<K> found = Get(key)) return found;
  return Load(key, loader);
}

template <CacheKey K, ValueLoader<K> Loader>
arrow::Result<CachedValue<K>> Cache::Load(const K& key, Loader&& loader) const {
  // The loader may do anything, such as dropping the last reference to the backend, or to this.
  const Cache self = *this;
  const internal::StackKey<K> encoded(key, *self.namespace_);
  const CacheLoader load = internal::ToEntryLoader<K>(loader);
  for (;;) {
    bool is_mine = false;
    const auto loading = self.backend_->Load(*encoded, CodecOf<K>(), typeid(typename K::Value), [&] {
      is_mine = true;
      return load();
    });
    if (!is_mine && IsCallerLimit(loading.status())) continue;
    ARROW_ASSIGN_OR_RAISE(CacheEntry entry, loading.result());
    return internal::FromEntry<K>(std::move(entry));
  }
}

template <CacheKey K, ManyValuesLoader<K> Loader>
std::vector<arrow::Result<CachedValue<K>>> Cache::LoadMany(std::span<const K> keys, Loader&& loader) const {
  const Cache self = *this;
  std::vector<arrow::Result<CachedValue<K>>> values(keys.size());
  std::vector<size_t> wanted(keys.size());
  std::iota(wanted.begin(), wanted.end(), 0);
  while (!wanted.empty()) {
    std::vector<arrow::Future<CacheEntry>> loading, mine;
    std::vector<size_t> claimed;
    for (const size_t i : wanted) {
      const internal::StackKey<K> encoded(keys[i], *self.namespace_);
      // Called now, if at all: if this is the first to ask.
      const CacheLoader claim = [&] {
        claimed.push_back(i);
        return mine.emplace_back(arrow::Future<CacheEntry>::Make());
      };
      loading.push_back(self.backend_->Load(*encoded, CodecOf<K>(), typeid(typename K::Value), claim));
    }
    internal::FinishClaims<K>(claimed, &mine, loader);
    std::vector<size_t> given_up;
    for (size_t place = 0; place < wanted.size(); ++place) {
      const size_t i = wanted[place];
      const arrow::Result<CacheEntry>& loaded = loading[place].result();
      if (loaded.ok()) {
        values[i] = internal::FromEntry<K>(*loaded);
      } else if (IsCallerLimit(loaded.status()) && !std::binary_search(claimed.begin(), claimed.end(), i)) {
        given_up.push_back(i);
      } else {
        values[i] = loaded.status();
      }
    }
    wanted = std::move(given_up);
  }
  return values;
}

template <CacheKey K, ManyValuesLoader<K> Loader>
std::vector<arrow::Result<CachedValue<K>>> Cache::GetOrLoadMany(std::span<const K> keys, Loader&& loader) const {
  std::vector<CachedValue<K>> found = GetMany(keys);
  std::vector<arrow::Result<CachedValue<K>>> values(found.begin(), found.end());
  std::vector<size_t> absent;
  std::vector<K> absent_keys;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (found[i] != nullptr) continue;
    absent.push_back(i);
    absent_keys.push_back(keys[i]);
  }
  if (absent.empty()) return values;
  auto loaded = LoadMany(std::span<const K>(absent_keys), [&](std::vector<size_t> wanted) {
    for (size_t& place : wanted) place = absent[place];
    return loader(wanted);
  });
  for (size_t i = 0; i < absent.size(); ++i) values[absent[i]] = std::move(loaded[i]);
  return values;
}

template <CacheKey K>
CachedValue<K> WeakCache::Get(const K& key) const {
  auto backend = backend_.lock();
  return backend == nullptr ? nullptr : Cache(std::move(backend), namespace_).Get(key);
}

template <CacheKey K>
std::vector<CachedValue<K>> WeakCache::GetMany(std::span<const K> keys) const {
  auto backend = backend_.lock();
  if (backend == nullptr) return std::vector<CachedValue<K>>(keys.size());
  return Cache(std::move(backend), namespace_).GetMany(keys);
}

template <CacheKey K>
std::vector<std::string_view> WeakCache::Locate(const K& key) const {
  auto backend = backend_.lock();
  if (backend == nullptr) return {};
  return Cache(std::move(backend), namespace_).Locate(key);
}

template <CacheKey K>
void WeakCache::Insert(const K& key, CachedValue<K> value) const {
  if (auto backend = backend_.lock()) Cache(std::move(backend), namespace_).Insert(key, std::move(value));
}

template <CacheKey K, ValueLoader<K> Loader>
arrow::Result<CachedValue<K>> WeakCache::GetOrLoad(const K& key, Loader&& loader) const {
  if (CachedValue<K> found = Get(key)) return found;
  return Load(key, loader);
}

template <CacheKey K, ValueLoader<K> Loader>
arrow::Result<CachedValue<K>> WeakCache::Load(const K& key, Loader&& loader) const {
  if (auto backend = backend_.lock()) return Cache(std::move(backend), namespace_).Load(key, loader);
  const auto loading = RunLoader(internal::ToEntryLoader<K>(loader));
  ARROW_ASSIGN_OR_RAISE(CacheEntry entry, loading.result());
  if (!entry) return arrow::Status::UnknownError("cache: a loader returned no value");
  return internal::FromEntry<K>(std::move(entry));
}

template <CacheKey K, ManyValuesLoader<K> Loader>
std::vector<arrow::Result<CachedValue<K>>> WeakCache::LoadMany(std::span<const K> keys, Loader&& loader) const {
  if (auto backend = backend_.lock()) return Cache(std::move(backend), namespace_).LoadMany(keys, loader);
  std::vector<size_t> all(keys.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return loader(all);
}

template <CacheKey K, ManyValuesLoader<K> Loader>
std::vector<arrow::Result<CachedValue<K>>> WeakCache::GetOrLoadMany(std::span<const K> keys, Loader&& loader) const {
  if (auto backend = backend_.lock()) return Cache(std::move(backend), namespace_).GetOrLoadMany(keys, loader);
  return LoadMany(keys, loader);
}

}  // namespace fewter
