#include "fewter/cache/byte_size.h"

#include <gtest/gtest.h>

#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

TEST(ParseByteSize, ReadsNumbersWithUnits) {
  EXPECT_EQ(ParseByteSize("0").ValueOrDie(), 0);
  EXPECT_EQ(ParseByteSize("1048576").ValueOrDie(), 1048576);
  EXPECT_EQ(ParseByteSize("512MiB").ValueOrDie(), int64_t{512} << 20);
  EXPECT_EQ(ParseByteSize("1.5GiB").ValueOrDie(), int64_t{3} << 29);
  EXPECT_EQ(ParseByteSize("20GB").ValueOrDie(), 20'000'000'000);
  for (const char* wrong : {"", "x", "-1", "1 MiB", "1mib", "1e30", "nan", "inf", "9999999TiB"}) {
    EXPECT_TRUE(IsArgumentError(ParseByteSize(wrong).status())) << wrong;
  }
}

}  // namespace
}  // namespace fewter
