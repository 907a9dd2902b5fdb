#include "fewter/cache/key.h"

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::Encoded;
using testing::LiveTextKey;
using testing::NumbersKey;
using testing::ShapeKey;
using testing::TextKey;

static_assert(CacheKeyWithCodec<TextKey> && CacheKeyWithCodec<NumbersKey>);
static_assert(CacheKey<LiveTextKey> && !CacheKeyWithCodec<LiveTextKey>);
static_assert(CacheKey<ShapeKey> && !kMayHaveCodec<ShapeKey> && kMayHaveCodec<TextKey>);
static_assert(!CacheKey<std::string>);

std::string Text(const KeyDigest& digest) {
  return std::to_string(digest.high) + ":" + std::to_string(digest.low);
}

std::string Bytes(const KeyWriter& writer) {
  return std::string(writer.bytes());
}

template <typename... Fields>
KeyWriter Written(std::string_view type_id, const Fields&... fields) {
  KeyWriter writer(type_id);
  [[maybe_unused]] const auto append = [&writer](const auto& field) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>) writer.Bool(field);
    if constexpr (std::is_same_v<Field, uint32_t>) writer.U32(field);
    if constexpr (std::is_same_v<Field, uint64_t>) writer.U64(field);
    if constexpr (std::is_same_v<Field, std::string>) writer.String(field);
  };
  (append(fields), ...);
  return writer;
}

TEST(KeyWriter, TellsAllListsOfFieldsApart) {
  const std::string empty;
  const std::vector<std::string> keys = {
      Bytes(Written("t")),
      Bytes(Written("tt")),
      Bytes(Written("t", uint32_t{1})),
      Bytes(Written("t", uint64_t{1})),
      Bytes(Written("t", uint32_t{1}, uint32_t{0})),
      Bytes(Written("t", uint32_t{0}, uint32_t{1})),
      Bytes(Written("t", true)),
      Bytes(Written("t", false)),
      Bytes(Written("t", empty)),
      Bytes(Written("t", empty, empty)),
      Bytes(Written("t", std::string("a"), std::string("bc"))),
      Bytes(Written("t", std::string("ab"), std::string("c"))),
      Bytes(Written("t", std::string("abc"))),
      // A string that contains what another key would have written.
      Bytes(Written("t", Bytes(Written("t", std::string("abc"))))),
  };
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
}

TEST(KeyWriter, WritesTheSameBytesForEver) {
  // Entries on disk and in remote caches carry these bytes: a change makes all of them misses.
  const std::string expected(
      "\x01\x01\x00\x00\x00t"
      "\x02\x04\x03\x02\x01"
      "\x03\x08\x07\x06\x05\x04\x03\x02\x01"
      "\x04\x01"
      "\x05\x02\x00\x00\x00hi",
      6 + 5 + 9 + 2 + 7);
  const KeyWriter writer = Written("t", uint32_t{0x01020304}, uint64_t{0x0102030405060708}, true, std::string("hi"));
  EXPECT_EQ(writer.bytes(), expected);
}

TEST(KeyWriter, TakesKeysOfAnyLength) {
  std::string fields;
  for (size_t length = 0; length < 2 * KeyWriter::kInlineBytes; ++length) {
    KeyWriter writer("t");
    writer.String(std::string(length, 'x'));
    writer.U64(length);
    writer.U32(7);
    const std::string bytes = Bytes(writer);
    ASSERT_EQ(bytes.size(), 6 + 5 + length + 9 + 5) << length;
    EXPECT_EQ(bytes.substr(11, length), std::string(length, 'x'));
    EXPECT_EQ(bytes.substr(11 + length), Bytes(Written("t", uint64_t{length}, uint32_t{7})).substr(6)) << length;
    const KeyWriter copy = writer;
    EXPECT_EQ(copy.bytes(), bytes);
  }
}

TEST(CacheNamespace, BytesTellPathsApart) {
  const auto root = CacheNamespace::Root();
  std::set<std::string> digests;
  const std::vector<std::shared_ptr<const CacheNamespace>> paths = {
      root,
      root->Child(""),
      root->Child("a"),
      root->Child("ab"),
      root->Child("a")->Child("b"),
      root->Child("b")->Child("a"),
      root->Child("a")->Child(""),
      root->Child("")->Child("a"),
  };
  for (const auto& path : paths) digests.insert(Text(path->digest()));
  EXPECT_EQ(digests.size(), paths.size());
  EXPECT_EQ(root->Child("a")->Child("b")->digest(), root->Child("a")->Child("b")->digest());
}

TEST(CacheNamespace, KnowsWhatItLiesWithin) {
  const auto root = CacheNamespace::Root();
  const auto a = root->Child("a");
  const auto ab = a->Child("b");
  EXPECT_TRUE(ab->IsWithin(*root));
  EXPECT_TRUE(ab->IsWithin(*a));
  EXPECT_TRUE(ab->IsWithin(*ab));
  EXPECT_FALSE(a->IsWithin(*ab));
  EXPECT_FALSE(root->Child("ab")->IsWithin(*a)) << "a segment is not a prefix of a longer one";
  EXPECT_FALSE(ab->IsWithin(*root->Child("b")));
}

TEST(CacheNamespace, HasATextForPeople) {
  const auto path = CacheNamespace::Root()->Child("s3://bucket/table")->Child("6a1f");
  EXPECT_EQ(path->ToString(), "s3://bucket/table / 6a1f");
  EXPECT_EQ(CacheNamespace::Root()->ToString(), "");
  EXPECT_EQ(CacheNamespace::ToString(std::string("\xff\xff\xff\xff"
                                                 "a",
                                                 5)),
            "?");
  EXPECT_EQ(CacheNamespace::ToString("abc"), "?");
  EXPECT_EQ(CacheNamespace::ToString(path->bytes() + "a"), "s3://bucket/table / 6a1f / ?");
}

TEST(EncodedKey, DependsOnNamespaceTypeAndFields) {
  const auto root = CacheNamespace::Root();
  std::set<std::string> digests;
  std::set<std::string> full;
  for (const auto& name_space : {root, root->Child("a"), root->Child("b"), root->Child("a")->Child("b")}) {
    for (uint64_t number : {0, 1, 2}) {
      const Encoded text(TextKey{number}, name_space);
      const Encoded live(LiveTextKey{number}, name_space);
      digests.insert({Text((*text).digest()), Text((*live).digest())});
      full.insert({(*text).Full(), (*live).Full()});
    }
  }
  EXPECT_EQ(digests.size(), 24);
  EXPECT_EQ(full.size(), 24);
}

TEST(EncodedKey, HasTheSameDigestForEver) {
  const Encoded key(TextKey{17}, CacheNamespace::Root()->Child("s3://bucket/table")->Child("6a1f"));
  // Names entries on disk and in remote caches. Computed apart from this code, from the definition in
  // docs/format/cache_entry.md.
  EXPECT_EQ((*key).digest(), (KeyDigest{.high = 0xef955cc5bf9efd7b, .low = 0xc020ab7d7271ebcb}));
}

TEST(EncodedKey, MatchesItsOwnBytesAlone) {
  const Encoded key(TextKey{17}, CacheNamespace::Root()->Child("a"));
  const std::string full = (*key).Full();
  EXPECT_EQ(full.size(), (*key).FullSize());
  EXPECT_TRUE((*key).Matches(full));
  EXPECT_FALSE((*key).Matches(""));
  EXPECT_FALSE((*key).Matches(full + "x"));
  EXPECT_FALSE((*key).Matches(full.substr(1)));
  for (size_t bit = 0; bit < full.size() * 8; ++bit) {
    std::string other = full;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE((*key).Matches(other)) << bit;
  }
}

TEST(OwnedKey, OutlivesWhatItWasMadeFrom) {
  auto key = std::make_unique<Encoded<TextKey>>(TextKey{17}, CacheNamespace::Root()->Child("a"));
  const std::string full = (**key).Full();
  const KeyDigest digest = (**key).digest();
  OwnedKey first{**key};
  key.reset();
  const OwnedKey owned = std::move(first);
  EXPECT_EQ(owned.view().Full(), full);
  EXPECT_EQ(owned.view().digest(), digest);
  EXPECT_EQ(owned.digest(), digest);
  EXPECT_EQ(owned.name_space().ToString(), "a");
}

TEST(CacheNamespace, TellsItsSegments) {
  EXPECT_TRUE(CacheNamespace::Root()->segments().empty());
  const auto space = CacheNamespace::Root()->Child("a/b")->Child("")->Child("c");
  EXPECT_EQ(space->segments(), (std::vector<std::string_view>{"a/b", "", "c"}));
}

}  // namespace
}  // namespace fewter
