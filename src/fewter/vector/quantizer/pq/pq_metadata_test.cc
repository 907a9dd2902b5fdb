#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/pq/pq.h"

namespace fewter {
namespace {

using testing::HasSubstr;

TEST(PqMetadata, OfAPresentRelease) {
  const auto parsed = PqMetadata::Parse(R"({"codebook_position":2,"nbits":4,"num_sub_vectors":48,"dimension":384,
    "codebook_tensor":[],"transposed":true})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->num_bits, 4u);
  EXPECT_EQ(parsed->num_sub_vectors, 48u);
  EXPECT_EQ(parsed->dimension, 384u);
  EXPECT_EQ(parsed->codebook_position, 2u);
  EXPECT_TRUE(parsed->transposed);
  EXPECT_EQ(parsed->inline_codebook, "");
}

TEST(PqMetadata, OfAnOldReleaseWithItsCodebookInline) {
  const auto parsed = PqMetadata::Parse(
      R"({"num_bits":8,"num_sub_vectors":2,"dimension":16,"codebook_position":0,"codebook_tensor":[8,0,255]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->num_bits, 8u);
  EXPECT_FALSE(parsed->transposed);
  EXPECT_EQ(parsed->inline_codebook, std::string("\x08\x00\xff", 3));
}

struct BadMetadata {
  const char* text;
  const char* message;
};

TEST(PqMetadata, WhatIsWrongIsNamed) {
  const BadMetadata kBad[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"nbits":8)", "not a JSON object"},
      {R"({})", "num_bits is missing"},
      {R"({"nbits":"8"})", "nbits is not a number"},
      {R"({"nbits":-8})", "nbits is not a number"},
      {R"({"nbits":8.5})", "nbits is not a number"},
      {R"({"nbits":8})", "num_sub_vectors is missing"},
      {R"({"nbits":8,"num_sub_vectors":4294967296})", "num_sub_vectors is too large"},
      {R"({"nbits":8,"num_sub_vectors":99999999999999999999999})", "num_sub_vectors is not a number"},
      {R"({"nbits":8,"num_sub_vectors":4})", "dimension is missing"},
      {R"({"nbits":8,"num_sub_vectors":4,"dimension":8,"transposed":1})", "transposed is not true or false"},
      {R"({"nbits":8,"num_sub_vectors":4,"dimension":8})", "codebook_position is missing"},
      {R"({"nbits":8,"num_sub_vectors":4,"dimension":8,"codebook_position":0})", "codebook_tensor"},
      {R"({"nbits":8,"num_sub_vectors":4,"dimension":8,"codebook_position":0,"codebook_tensor":[]})",
       "codebook_tensor"},
      {R"({"nbits":8,"num_sub_vectors":4,"dimension":8,"codebook_position":0,"codebook_tensor":[256]})", "not a byte"},
      {R"({"nbits":5,"num_sub_vectors":4,"dimension":8,"codebook_position":2})", "nbits is neither 4 nor 8"},
      {R"({"nbits":8,"num_sub_vectors":0,"dimension":8,"codebook_position":2})", "num_sub_vectors is zero"},
      {R"({"nbits":4,"num_sub_vectors":3,"dimension":9,"codebook_position":2})", "odd with 4 bits"},
      {R"({"nbits":8,"num_sub_vectors":3,"dimension":8,"codebook_position":2})", "not a multiple"},
      {R"({"nbits":8,"num_sub_vectors":3,"dimension":0,"codebook_position":2})", "not a multiple"},
  };
  for (const auto& [text, message] : kBad) {
    EXPECT_THAT(PqMetadata::Parse(text).status().message(), HasSubstr(message)) << text;
  }
}

TEST(PqMetadata, DeepNestingIsOnlyMalformed) {
  EXPECT_FALSE(PqMetadata::Parse(std::string(100000, '[')).ok());
  EXPECT_FALSE(PqMetadata::Parse("{\"nbits\":" + std::string(100000, '[') + std::string(100000, ']') + "}").ok());
}

}  // namespace
}  // namespace fewter
