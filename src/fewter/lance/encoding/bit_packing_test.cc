#include "fewter/lance/encoding/bit_packing_internal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace fewter::lance {
namespace {

/// Packs a block bit by bit, straight from the definition of the order.
template <typename T>
std::vector<uint8_t> PackBlock(const std::vector<T>& values, uint32_t width) {
  constexpr std::array<uint32_t, 8> kOrder = {0, 4, 2, 6, 1, 5, 3, 7};
  constexpr uint32_t kBits = 8 * sizeof(T);
  constexpr uint32_t kLanes = 1024 / kBits;
  std::vector<T> words(width * kLanes, 0);
  for (uint32_t row = 0; row < kBits; ++row) {
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      const uint32_t position = kOrder[row / 8] * 16 + (row % 8) * 128 + lane;
      const T value = position < values.size() ? values[position] : T{0};
      for (uint32_t bit = 0; bit < width; ++bit) {
        const uint32_t at = row * width + bit;
        if ((value >> bit & 1) != 0) words[at / kBits * kLanes + lane] |= static_cast<T>(T{1} << (at % kBits));
      }
    }
  }
  std::vector<uint8_t> bytes(words.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> RandomValues(uint64_t count, uint32_t width) {
  std::mt19937_64 random(width * 1000 + count);
  std::vector<T> values(count);
  for (T& value : values)
    value = width == 0 ? T{0} : static_cast<T>(static_cast<T>(random()) >> (8 * sizeof(T) - width));
  return values;
}

template <typename T>
std::vector<uint8_t> WithWidth(uint64_t width, const std::vector<uint8_t>& block) {
  std::vector<uint8_t> bytes(sizeof(T) + block.size());
  const T word = static_cast<T>(width);
  std::memcpy(bytes.data(), &word, sizeof(T));
  std::copy(block.begin(), block.end(), bytes.begin() + sizeof(T));
  return bytes;
}

template <typename T>
class BitPackingTest : public testing::Test {};
using Words = testing::Types<uint8_t, uint16_t, uint32_t, uint64_t>;
TYPED_TEST_SUITE(BitPackingTest, Words);

TYPED_TEST(BitPackingTest, EveryWidthUnpacks) {
  constexpr uint32_t kBits = 8 * sizeof(TypeParam);
  for (uint32_t width = 0; width <= kBits; ++width) {
    const auto values = RandomValues<TypeParam>(1024, width);
    std::vector<TypeParam> out(1024, TypeParam{1});
    UnpackBlock(PackBlock(values, width).data(), width, out.data());
    EXPECT_EQ(out, values) << kBits << " bits packed to " << width;
  }
}

TYPED_TEST(BitPackingTest, InlineBlocksSayTheirWidth) {
  constexpr uint32_t kBits = 8 * sizeof(TypeParam);
  for (const uint64_t count : {1u, 63u, 1000u, 1024u}) {
    const auto values = RandomValues<TypeParam>(count, 5);
    const auto packed = WithWidth<TypeParam>(5, PackBlock(values, 5));
    std::vector<TypeParam> out(count);
    ASSERT_TRUE(UnpackInline(packed, kBits, count, reinterpret_cast<uint8_t*>(out.data())).ok());
    EXPECT_EQ(out, values);
  }
  EXPECT_TRUE(UnpackInline({}, kBits, 0, nullptr).ok());
}

TYPED_TEST(BitPackingTest, MalformedInlineBlocksAreRefused) {
  constexpr uint32_t kBits = 8 * sizeof(TypeParam);
  const auto packed = WithWidth<TypeParam>(5, PackBlock(RandomValues<TypeParam>(1024, 5), 5));
  std::vector<TypeParam> out(2048);
  auto* to = reinterpret_cast<uint8_t*>(out.data());
  EXPECT_TRUE(UnpackInline({}, kBits, 1, to).IsInvalid());
  EXPECT_TRUE(UnpackInline(packed, kBits, 1025, to).IsInvalid());
  EXPECT_TRUE(UnpackInline({packed.data(), packed.size() - 1}, kBits, 9, to).IsInvalid());
  EXPECT_TRUE(UnpackInline(WithWidth<TypeParam>(kBits + 1, PackBlock(out, 5)), kBits, 9, to).IsInvalid());
  EXPECT_TRUE(UnpackInline(packed, 24, 9, to).IsInvalid());
}

TYPED_TEST(BitPackingTest, OutOfLineTailsArePackedOrPlain) {
  constexpr uint32_t kBits = 8 * sizeof(TypeParam);
  const auto values = RandomValues<TypeParam>(2100, 3);
  const std::vector<TypeParam> first(values.begin(), values.begin() + 1024);
  const std::vector<TypeParam> second(values.begin() + 1024, values.begin() + 2048);
  const std::vector<TypeParam> tail(values.begin() + 2048, values.end());
  std::vector<uint8_t> packed = PackBlock(first, 3);
  const auto append = [&packed](const std::vector<uint8_t>& more) {
    packed.insert(packed.end(), more.begin(), more.end());
  };
  append(PackBlock(second, 3));
  std::vector<uint8_t> plain = packed;
  append(PackBlock(tail, 3));
  const auto* tail_bytes = reinterpret_cast<const uint8_t*>(tail.data());
  plain.insert(plain.end(), tail_bytes, tail_bytes + tail.size() * sizeof(TypeParam));
  for (const auto& bytes : {packed, plain}) {
    std::vector<TypeParam> out(2100);
    ASSERT_TRUE(UnpackOutOfLine(bytes, kBits, 3, 2100, reinterpret_cast<uint8_t*>(out.data())).ok());
    EXPECT_EQ(out, values);
    EXPECT_TRUE(
        UnpackOutOfLine({bytes.data(), bytes.size() - 1}, kBits, 3, 2100, reinterpret_cast<uint8_t*>(out.data()))
            .IsInvalid());
  }
}

TEST(OutOfLineBitPackingTest, WidthZeroIsAllZeros) {
  std::vector<uint16_t> out(3000, 7);
  ASSERT_TRUE(UnpackOutOfLine({}, 16, 0, 3000, reinterpret_cast<uint8_t*>(out.data())).ok());
  EXPECT_EQ(out, std::vector<uint16_t>(3000, 0));
  EXPECT_TRUE(UnpackOutOfLine({}, 16, 17, 3000, reinterpret_cast<uint8_t*>(out.data())).IsInvalid());
}

}  // namespace
}  // namespace fewter::lance
