#include <cstring>

#include <gtest/gtest.h>

#include "fewter/cache/redis/client_internal.h"
#include "fewter/cache/redis/value_internal.h"
#include "fewter/cache/test_values_internal.h"

namespace fewter::redis {
namespace {

constexpr int64_t kLimit = int64_t{256} << 20;

TEST(RedisValue, KeysAreAsDocumented) {
  const std::string key = HeadKey("p:", {.high = 0x0123456789abcdef, .low = 0xfedcba9876543210});
  EXPECT_EQ(key, "p:{0123456789abcdeffedcba9876543210}");
  EXPECT_EQ(ChunkKey(key, {.total_bytes = 1 << 20, .checksum = 0xab}, 12), key + ":00000000000000ab:12");
  EXPECT_TRUE(IsHeadKey("p:", key));
  EXPECT_FALSE(IsHeadKey("q:", key));
  EXPECT_FALSE(IsHeadKey("p:", key + ":00000000000000ab:12"));
  EXPECT_FALSE(IsHeadKey("p:", "p:{0123456789abcdeffedcba987654321g}"));
  EXPECT_FALSE(IsHeadKey("p:", "p:{}"));
}

TEST(RedisValue, SlotsAreThoseOfTheClusterSpecification) {
  EXPECT_EQ(KeySlot("123456789"), 0x31C3 % kSlots);
  EXPECT_EQ(KeySlot("{user1000}.following"), KeySlot("{user1000}.followers"));
  EXPECT_EQ(KeySlot("{user1000}.following"), KeySlot("user1000"));
  EXPECT_EQ(KeySlot("foo{}{bar}"), KeySlot(std::string_view("foo{}{bar}")));
  EXPECT_NE(KeySlot("foo{}{bar}"), KeySlot("bar"));
  EXPECT_EQ(KeySlot("foo{{bar}}zap"), KeySlot("{bar"));
}

TEST(RedisValue, AHeadSaysWhereTheChunksAre) {
  const std::string entry(static_cast<size_t>(2 * kChunkBytes + 64), 'x');
  const ChunkedHead head = MakeChunkedHead(entry);
  EXPECT_EQ(head.chunks(), 3);
  EXPECT_EQ(head.ChunkSize(1), kChunkBytes);
  EXPECT_EQ(head.ChunkSize(2), 64);
  const std::string value = WriteHead(head) + entry.substr(0, static_cast<size_t>(kChunkBytes));
  ASSERT_TRUE(IsChunked(value));
  ChunkedHead read;
  ASSERT_EQ(ReadHead(value, kLimit, &read), EnvelopeVerdict::kHit);
  EXPECT_EQ(read.total_bytes, head.total_bytes);
  EXPECT_EQ(read.checksum, head.checksum);
  EXPECT_EQ(ReadHead(value, head.total_bytes - 1, &read), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(ReadHead(value + "x", kLimit, &read), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(ReadHead(value.substr(0, 31), kLimit, &read), EnvelopeVerdict::kCorrupt);
  EXPECT_FALSE(ReadHeadStart(value.substr(0, 31), kLimit, &read));
  EXPECT_TRUE(ReadHeadStart(value.substr(0, 32), kLimit, &read));
}

TEST(RedisValue, AValueKnowsItsNamespace) {
  using fewter::testing::Encoded;
  using fewter::testing::Text;
  using fewter::testing::TextKey;
  const auto a = CacheNamespace::Root()->Child("a");
  const auto ab = a->Child("b");
  const Encoded key(TextKey{1}, ab);
  const Text text("value");
  const std::string value = (*EncodeEntry(*key, CacheCodec::For<Text>(), &text))->ToString();
  for (const std::string& bytes : {value, WriteHead({.total_bytes = 1 << 20, .checksum = 0}) + value}) {
    EXPECT_TRUE(MayBeWithin(bytes, *a));
    EXPECT_TRUE(MayBeWithin(bytes, *ab));
    EXPECT_TRUE(MayBeWithin(bytes, *CacheNamespace::Root()));
    EXPECT_FALSE(MayBeWithin(bytes, *ab->Child("c")));
    EXPECT_FALSE(MayBeWithin(bytes, *CacheNamespace::Root()->Child("x")));
  }
  EXPECT_TRUE(MayBeWithin("garbage", *a));
  EXPECT_TRUE(MayBeWithin(value.substr(0, 70), *a));
}

TEST(RedisValue, RedirectionsAreRead) {
  const RedisAddress asked{"asked", 1};
  EXPECT_EQ(RedirectionTarget("MOVED 3999 127.0.0.1:6381", asked), (RedisAddress{"127.0.0.1", 6381}));
  EXPECT_EQ(RedirectionTarget("ASK 3999 ::1:6381", asked), (RedisAddress{"::1", 6381}));
  EXPECT_EQ(RedirectionTarget("MOVED 3999 :6381", asked), (RedisAddress{"asked", 6381}));
  for (const char* text : {"", "MOVED", "MOVED ", "MOVED 1 host", "MOVED 1 host:", "MOVED 1 host:0", "MOVED 1 host:1x",
                           "MOVED 1 host:99999", "ERR 1 host:1"}) {
    EXPECT_EQ(RedirectionTarget(text, asked), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fewter::redis
