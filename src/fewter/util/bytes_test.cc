#include "fewter/util/bytes.h"

#include <array>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(RangeIsInside, AcceptsWhatFitsExactly) {
  EXPECT_TRUE(RangeIsInside(0, 0, 0));
  EXPECT_TRUE(RangeIsInside(0, 10, 10));
  EXPECT_TRUE(RangeIsInside(4, 6, 10));
  EXPECT_TRUE(RangeIsInside(10, 0, 10));
  EXPECT_TRUE(RangeIsInside(0, kMax, kMax));
}

TEST(RangeIsInside, RefusesWhatEndsOrBeginsOutside) {
  EXPECT_FALSE(RangeIsInside(0, 11, 10));
  EXPECT_FALSE(RangeIsInside(4, 7, 10));
  EXPECT_FALSE(RangeIsInside(11, 0, 10));
}

TEST(RangeIsInside, DoesNotWrapAround) {
  EXPECT_FALSE(RangeIsInside(8, kMax - 7, 10));
  EXPECT_FALSE(RangeIsInside(kMax, 2, 10));
  EXPECT_FALSE(RangeIsInside(kMax, kMax, 10));
}

TEST(RoundUp, GoesToTheNextMultiple) {
  EXPECT_EQ(RoundUp<uint64_t>(0, 64), 0);
  EXPECT_EQ(RoundUp<uint64_t>(1, 64), 64);
  EXPECT_EQ(RoundUp<uint64_t>(64, 64), 64);
  EXPECT_EQ(RoundUp<uint32_t>(65, 8), 72);
}

TEST(CheckedArithmetic, SaysWhenAResultDoesNotFit) {
  uint64_t result = 0;
  EXPECT_TRUE(CheckedMultiply(uint64_t{1} << 32, (uint64_t{1} << 32) - 1, &result));
  EXPECT_EQ(result, kMax - ((uint64_t{1} << 32) - 1));
  EXPECT_FALSE(CheckedMultiply(uint64_t{1} << 32, uint64_t{1} << 32, &result));
  EXPECT_TRUE(CheckedAdd(kMax - 1, 1, &result));
  EXPECT_EQ(result, kMax);
  EXPECT_FALSE(CheckedAdd(kMax, 1, &result));
}

TEST(LoadLittleEndian, ReadsUnalignedNumbers) {
  const std::array<uint8_t, 9> bytes = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(LoadLittleEndian<uint16_t>(&bytes[1]), 0x0201);
  EXPECT_EQ(LoadLittleEndian<uint32_t>(&bytes[1]), 0x04030201u);
  EXPECT_EQ(LoadLittleEndian<uint64_t>(&bytes[1]), 0x0807060504030201u);
}

TEST(SliceChecked, SharesTheMemory) {
  const auto buffer = arrow::Buffer::FromString("0123456789");
  const auto slice = SliceChecked(buffer, 3, 4, "digits");
  ASSERT_TRUE(slice.ok()) << slice.status();
  EXPECT_EQ((*slice)->ToString(), "3456");
  EXPECT_EQ((*slice)->address(), buffer->address() + 3);
  EXPECT_EQ((*slice)->parent(), buffer);
}

TEST(SliceChecked, NamesWhatLiesOutside) {
  const auto buffer = arrow::Buffer::FromString("0123456789");
  for (const auto& [offset, length] : {std::pair{uint64_t{3}, uint64_t{8}}, {11, 0}, {kMax, 2}, {1, kMax}}) {
    const auto slice = SliceChecked(buffer, offset, length, "digits");
    EXPECT_TRUE(slice.status().IsInvalid());
    EXPECT_THAT(slice.status().message(), HasSubstr("digits"));
  }
}

TEST(EnsureAligned, LeavesAlignedBytesWhereTheyAre) {
  const std::shared_ptr<arrow::Buffer> buffer = *arrow::AllocateBuffer(100);
  ASSERT_EQ(buffer->address() % kBufferAlignment, 0u);
  EXPECT_EQ(*EnsureAligned(buffer), buffer);
  const auto slice = arrow::SliceBuffer(buffer, 64, 20);
  EXPECT_EQ(*EnsureAligned(slice), slice);
}

TEST(EnsureAligned, CopiesOthers) {
  std::shared_ptr<arrow::Buffer> buffer = *arrow::AllocateBuffer(100);
  for (int i = 0; i < 100; ++i) buffer->mutable_data()[i] = static_cast<uint8_t>(i);
  const auto slice = arrow::SliceBuffer(buffer, 8, 50);
  const auto aligned = *EnsureAligned(slice);
  EXPECT_EQ(aligned->address() % kBufferAlignment, 0u);
  EXPECT_TRUE(aligned->Equals(*slice));
  EXPECT_EQ((*EnsureAligned(arrow::SliceBuffer(buffer, 8, 0)))->size(), 0);
}

}  // namespace
}  // namespace fewter
