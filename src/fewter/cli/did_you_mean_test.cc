#include "fewter/cli/did_you_mean.h"

#include <gtest/gtest.h>

namespace fewter::cli {
namespace {

TEST(EditDistance, CountsInsertedRemovedReplacedAndSwappedBytes) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", ""), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("--nprobe", "--nprobes"), 1);
  EXPECT_EQ(EditDistance("titel", "title"), 1);
  // No byte is changed twice: a swap, and an insertion between what was swapped, are three changes.
  EXPECT_EQ(EditDistance("ca", "abc"), 3);
}

TEST(DidYouMean, NamesTheNearestIfItIsNear) {
  EXPECT_EQ(DidYouMean("titel", {"tile", "title", "vector"}), "; did you mean 'title'?");
  EXPECT_EQ(DidYouMean("--exakt", {"--ef", "--exact"}), "; did you mean '--exact'?");
  EXPECT_EQ(DidYouMean("wholly-other", {"title", "vector"}), "");
  EXPECT_EQ(DidYouMean("x", {"y"}), "");
  EXPECT_EQ(DidYouMean("title", {}), "");
  EXPECT_EQ(DidYouMean(std::string(201, 'a'), {std::string(200, 'a')}), "");
}

}  // namespace
}  // namespace fewter::cli
