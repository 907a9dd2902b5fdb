#include "fewter/cli/terminal.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace fewter::cli {

namespace {

TEST(TerminalTest, WidthOfText) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("äß€"), 3);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("🙂"), 2);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);
}

TEST(TerminalTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(CutToWidth("abc", 3), "abc");
  EXPECT_EQ(CutToWidth("abcd", 3), "ab…");
  EXPECT_EQ(CutToWidth("日本語", 4), "日…");
  EXPECT_EQ(CutToWidth("äöü", 2), "ä…");
}

TEST(TerminalTest, AFileHasNeitherColoursNorWidth) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(LineWidth(file), 0);
  EXPECT_EQ(Red("x", file), "x");
  std::fclose(file);
}

}  // namespace

}  // namespace fewter::cli
