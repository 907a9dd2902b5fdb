#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/test_values_internal.h"

/// The path of a hit allocates nothing. Every `new` of this test program goes through here to be counted.

namespace {

thread_local int64_t allocations = 0;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace fewter {
namespace {

using testing::Text;
using testing::TextKey;

template <typename Function>
int64_t AllocationsOf(const Function& function) {
  const int64_t before = allocations;
  function();
  return allocations - before;
}

TEST(Allocations, AreCounted) {
  EXPECT_EQ(AllocationsOf([] { ::operator delete(::operator new(10)); }), 1);
}

TEST(Allocations, NoneForAKey) {
  const auto name_space = CacheNamespace::Root()->Child("s3://bucket/a/long/path/to/the/table")->Child("6a1f");
  KeyDigest digest;
  EXPECT_EQ(AllocationsOf([&] {
              KeyWriter fields("fewter.vector.SomeLongNameOfAPartition");
              fields.U32(1);
              fields.U64(2);
              fields.Bool(true);
              fields.String("a text of some length");
              digest = EncodedKey(*name_space, fields).digest();
            }),
            0);
  EXPECT_NE(digest, KeyDigest());
}

TEST(Allocations, NoneForAHitInMemory) {
  const Cache cache = Cache(MakeMemoryBackend(1 << 20)).Child("s3://bucket/table").Child("6a1f");
  const WeakCache weak(cache);
  cache.Insert(TextKey{1}, Text::Make("a"));
  std::shared_ptr<const Text> value;
  EXPECT_EQ(AllocationsOf([&] { value = cache.Get(TextKey{1}); }), 0);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(AllocationsOf([&] { value = cache.Get(TextKey{2}); }), 0) << "nor for a miss";
  EXPECT_EQ(AllocationsOf([&] { value = weak.Get(TextKey{1}); }), 0);

  // A loader that refers to so much that a std::function would have to allocate.
  const std::string a = "a", b = "b", c = "c";
  EXPECT_EQ(AllocationsOf([&] {
              value = *cache.GetOrLoad(
                  TextKey{1}, [&a, &b, &c, &cache] { return Text::Make(a + b + c + cache.name_space()->ToString()); });
            }),
            0);
  EXPECT_EQ(value->ToString(), "a");
}

}  // namespace
}  // namespace fewter
