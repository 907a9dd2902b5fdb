#include "fewter/cache/codec.h"

#include <memory>
#include <type_traits>

#include <arrow/io/memory.h>
#include <gtest/gtest.h>

#include "fewter/cache/test_values_internal.h"

namespace fewter {
namespace {

using testing::LiveTextKey;
using testing::Numbers;
using testing::NumbersKey;
using testing::ReadNumbers;
using testing::ShapeKey;
using testing::Text;
using testing::TextKey;
using testing::WriteNumbers;

static_assert(std::is_trivially_copyable_v<CacheCodec> && std::is_trivially_destructible_v<CacheCodec>);
static_assert(CacheSerializable<Text> && !CacheSerializable<Numbers>);
// A codec is made when the program is compiled.
static_assert(CacheCodec::For<Text>().type_version() == 3);
static_assert(!CacheCodec());

std::shared_ptr<arrow::Buffer> Serialized(const CacheCodec& codec, const void* value) {
  auto out = *arrow::io::BufferOutputStream::Create();
  EXPECT_TRUE(codec.Serialize(value, out.get()).ok());
  return *out->Finish();
}

TEST(CacheCodec, IsEmptyByDefault) {
  EXPECT_FALSE(CacheCodec());
  EXPECT_FALSE(CodecOf<LiveTextKey>());
  EXPECT_FALSE(CodecOf<ShapeKey>());
}

TEST(CacheCodec, TakesATypeThatSerialisesItself) {
  const CacheCodec codec = CodecOf<TextKey>();
  ASSERT_TRUE(codec);
  EXPECT_EQ(codec.type_id(), "fewter.testing.Text");
  EXPECT_EQ(codec.type_version(), 3u);
  const Text text("hello");
  const auto body = Serialized(codec, &text);
  const auto value = codec.Deserialize(body);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(std::static_pointer_cast<const Text>(*value)->bytes(), body) << "decoded in place";
}

TEST(CacheCodec, TakesTwoFunctionsForATypeOneDoesNotOwn) {
  const CacheCodec codec = CodecOf<NumbersKey>();
  ASSERT_TRUE(codec);
  EXPECT_EQ(codec.type_id(), "fewter.testing.Numbers");
  EXPECT_EQ(codec.type_version(), 1u);
  const Numbers numbers = {1, 2, 3};
  const auto body = Serialized(codec, &numbers);
  const auto value = codec.Deserialize(body);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*std::static_pointer_cast<const Numbers>(*value), numbers);
  EXPECT_TRUE(codec.Deserialize(arrow::SliceBuffer(body, 0, 5)).status().IsInvalid());
}

TEST(CacheCodec, CopiesAreTheSameCodec) {
  constexpr CacheCodec codec = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Numbers", 1);
  const CacheCodec copy = codec;  // NOLINT(performance-unnecessary-copy-initialization)
  const Numbers numbers = {4, 5};
  EXPECT_TRUE(Serialized(copy, &numbers)->Equals(*Serialized(codec, &numbers)));
}

}  // namespace
}  // namespace fewter
