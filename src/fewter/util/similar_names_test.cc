#include "fewter/util/similar_names.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fewter {
namespace {

const std::vector<std::string> kNames = {"id", "price", "prices", "Title", "größe", ""};

TEST(SimilarName, IsTheNearestWithinTwoEdits) {
  EXPECT_EQ(SimilarName("pric", kNames), "price");
  EXPECT_EQ(SimilarName("pricess", kNames), "prices");
  EXPECT_EQ(SimilarName("pirce", kNames), "price") << "two neighbours that are exchanged are one edit";
  EXPECT_EQ(SimilarName("xrixe", kNames), "price");
  EXPECT_EQ(SimilarName("xrixxe", kNames), "");
  EXPECT_EQ(SimilarName("TITEL", kNames), "Title") << "in any case";
  EXPECT_EQ(SimilarName("grosse", kNames), "");
  EXPECT_EQ(SimilarName("grösse", kNames), "größe");
}

TEST(SimilarName, SharesHalfOfAShortName) {
  EXPECT_EQ(SimilarName("di", kNames), "id");
  EXPECT_EQ(SimilarName("ix", kNames), "id");
  EXPECT_EQ(SimilarName("xy", kNames), "");
  EXPECT_EQ(SimilarName("i", kNames), "");
  EXPECT_EQ(SimilarName("", {"a"}), "");
}

TEST(SimilarName, IsNotLookedForForLongNames) {
  const std::string longest(64, 'x');
  EXPECT_EQ(SimilarName(longest, {longest + "y"}), longest + "y");
  EXPECT_EQ(SimilarName(longest + "x", {longest}), "");
}

TEST(DidYouMean, EndsAMessage) {
  EXPECT_EQ(DidYouMean("pric", kNames), "; did you mean 'price'?");
  EXPECT_EQ(DidYouMean("vector", kNames), "");
}

}  // namespace
}  // namespace fewter
