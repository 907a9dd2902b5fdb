#include "fewter/cache/disk/heat.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace fewter::disk {
namespace {

constexpr uint32_t kDay = 24 * 60 * 60;

TEST(Heat, HalvesEveryDay) {
  const Heat heat{.uses = 8, .last_use = 1000};
  EXPECT_FLOAT_EQ(heat.At(1000), 8);
  EXPECT_FLOAT_EQ(heat.At(1000 + kDay), 4);
  EXPECT_FLOAT_EQ(heat.At(1000 + 3 * kDay), 1);
  EXPECT_FLOAT_EQ(heat.At(0), 8) << "a clock that was put back";
  EXPECT_GE(heat.At(std::numeric_limits<uint32_t>::max()), 0);
}

TEST(Heat, AddsUsesOfDifferentTimes) {
  Heat heat{.uses = 8, .last_use = 1000};
  heat.Add({.uses = 3, .last_use = 1000 + kDay});
  EXPECT_FLOAT_EQ(heat.uses, 7);
  EXPECT_EQ(heat.last_use, 1000 + kDay);
  heat.Add({.uses = 2, .last_use = 1000});
  EXPECT_FLOAT_EQ(heat.uses, 8);
  EXPECT_EQ(heat.last_use, 1000 + kDay);
}

HeatTable Table() {
  HeatTable table;
  for (uint32_t i = 0; i < 10; ++i) table[{i, i + 1}] = {.uses = static_cast<float>(i) / 2, .last_use = i};
  return table;
}

TEST(HeatFile, ComesBack) {
  EXPECT_EQ(*DecodeHeat(EncodeHeat(Table())), Table());
  EXPECT_TRUE(DecodeHeat(EncodeHeat({}))->empty());
}

TEST(HeatFile, IsLaidOutAsDocumented) {
  // docs/format/cache_heat.md must not change without a new version.
  const std::string bytes = EncodeHeat({{{.high = 1, .low = 2}, {.uses = 1, .last_use = 3}}});
  ASSERT_EQ(bytes.size(), 32u + 24u);
  EXPECT_EQ(bytes.substr(0, 24), std::string("FWHEAT\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24));
  EXPECT_EQ(bytes.substr(32), std::string("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\x80\x3f\3\0\0\0", 24));
}

TEST(HeatFile, RefusesEveryChangedByteAndEveryLength) {
  const std::string bytes = EncodeHeat(Table());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(DecodeHeat(changed).ok()) << i;
    EXPECT_FALSE(DecodeHeat(bytes.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeHeat(bytes + std::string(24, '\0')).ok());
}

TEST(HeatFile, RefusesCountsThatAreNone) {
  for (const float uses : {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(DecodeHeat(EncodeHeat({{{.high = 1, .low = 2}, {.uses = uses, .last_use = 3}}})).status().IsInvalid());
  }
}

}  // namespace
}  // namespace fewter::disk
