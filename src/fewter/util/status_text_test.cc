#include "fewter/util/status_text.h"

#include <cerrno>

#include <arrow/util/io_util.h>
#include <gtest/gtest.h>

namespace fewter {
namespace {

TEST(Printable, KeepsTextAndEscapesTheRest) {
  EXPECT_EQ(Printable("plain, größer, 向量, 🛡\n\tnext"), "plain, größer, 向量, 🛡\n\tnext");
  EXPECT_EQ(Printable("a\xff\xc3z"), "a\\xff\\xc3z");
  EXPECT_EQ(Printable("\x1b[31m\x7f\r"), "\\x1b[31m\\x7f\\x0d");
  // A character that is cut off, one that is longer than it need be, and half of a pair.
  EXPECT_EQ(Printable("\xe5\x90"), "\\xe5\\x90");
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(Printable(""), "");
}

TEST(PrintableName, StandsOnOneLine) {
  EXPECT_EQ(PrintableName("a\n\tb\x1b"), "a\\n\\tb\\x1b");
}

TEST(MessageWithReason, SaysWhatTheSystemSaidOnce) {
  EXPECT_EQ(MessageWithReason(arrow::internal::IOErrorFromErrno(ENOENT, "x\xff")), "x\\xff: No such file or directory");
  EXPECT_EQ(MessageWithReason(arrow::internal::IOErrorFromErrno(ENOENT, "x: No such file or directory; y")),
            "x: No such file or directory; y");
  EXPECT_EQ(MessageWithReason(arrow::Status::Invalid("odd")), "odd");
}

}  // namespace
}  // namespace fewter
