#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/vector/quantizer/rabitq/rabitq.h"

namespace fewter {
namespace {

using testing::HasSubstr;

TEST(RabitqMetadata, OfARecentIndex) {
  const auto parsed = RabitqMetadata::Parse(
      R"({"rotate_mat_position":null,"fast_rotation_signs":[0,255,7,128],"rotation_type":"fast","code_dim":8,
          "num_bits":5,"packed":true,"query_estimator":"raw_query"})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->num_bits, 5u);
  EXPECT_EQ(parsed->code_dimension, 8u);
  EXPECT_TRUE(parsed->packed);
  EXPECT_EQ(parsed->estimator, RabitqEstimator::kRawQuery);
  EXPECT_EQ(parsed->rotation, RabitqRotation::kHadamard);
  EXPECT_EQ(parsed->signs, (std::vector<uint8_t>{0, 255, 7, 128}));
  EXPECT_FALSE(parsed->matrix_position.has_value());
}

TEST(RabitqMetadata, OldReleasesDidNotKnowTheEstimatorNorTheRotation) {
  const auto parsed = RabitqMetadata::Parse(R"({"rotate_mat_position":2,"num_bits":1,"packed":false})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->code_dimension, 0u);
  EXPECT_FALSE(parsed->packed);
  EXPECT_EQ(parsed->estimator, RabitqEstimator::kResidualQuery);
  EXPECT_EQ(parsed->rotation, RabitqRotation::kMatrix);
  EXPECT_EQ(parsed->matrix_position, 2u);
}

TEST(RabitqMetadata, ErrorsNameTheField) {
  const struct {
    const char* text;
    const char* message;
  } kBad[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"packed":true,"rotate_mat_position":2})", "num_bits is missing"},
      {R"({"num_bits":"1","packed":true,"rotate_mat_position":2})", "num_bits is not a number"},
      {R"({"num_bits":-1,"packed":true,"rotate_mat_position":2})", "num_bits is not a number"},
      {R"({"num_bits":4294967296,"packed":true,"rotate_mat_position":2})", "num_bits is too large"},
      {R"({"num_bits":1,"rotate_mat_position":2})", "packed is not true or false"},
      {R"({"num_bits":1,"packed":1,"rotate_mat_position":2})", "packed is not true or false"},
      {R"({"num_bits":1,"packed":true})", "rotate_mat_position is missing"},
      {R"({"num_bits":1,"packed":true,"rotate_mat_position":null})", "rotate_mat_position is missing"},
      {R"({"num_bits":1,"packed":true,"rotation_type":"slow"})", "rotation_type is unknown"},
      {R"({"num_bits":1,"packed":true,"rotation_type":2})", "rotation_type is unknown"},
      {R"({"num_bits":1,"packed":true,"query_estimator":"raw"})", "query_estimator is unknown"},
      {R"({"num_bits":1,"packed":true,"code_dim":1.5})", "code_dim is not a number"},
      {R"({"num_bits":1,"packed":true,"rotation_type":"fast"})", "fast_rotation_signs is not a list"},
      {R"({"num_bits":1,"packed":true,"rotation_type":"fast","fast_rotation_signs":[256]})", "not a byte"},
      {R"({"num_bits":1,"packed":true,"rotation_type":"fast","fast_rotation_signs":[-1]})", "not a byte"},
  };
  for (const auto& [text, message] : kBad) {
    EXPECT_THAT(RabitqMetadata::Parse(text).status().message(), HasSubstr(message)) << text;
  }
}

TEST(RabitqMetadata, DeepNestingIsOnlyMalformed) {
  EXPECT_FALSE(RabitqMetadata::Parse(std::string(100000, '[')).ok());
  EXPECT_FALSE(
      RabitqMetadata::Parse("{\"num_bits\":" + std::string(100000, '[') + std::string(100000, ']') + "}").ok());
}

TEST(RabitqShape, NumbersThatDoNotBelongTogetherAreRefused) {
  const auto error = [](uint32_t dimension, uint32_t code_dimension, uint32_t num_bits, RabitqEstimator estimator) {
    const RabitqShape shape{
        .dimension = dimension, .code_dimension = code_dimension, .num_bits = num_bits, .estimator = estimator};
    return shape.Check().message();
  };
  constexpr auto kRaw = RabitqEstimator::kRawQuery, kResidual = RabitqEstimator::kResidualQuery;
  EXPECT_EQ(error(8, 8, 1, kRaw), "");
  EXPECT_EQ(error(8, 8, 9, kRaw), "");
  EXPECT_EQ(error(60, 64, 9, kRaw), "");
  EXPECT_EQ(error(65536, 65536, 9, kRaw), "");
  EXPECT_EQ(error(8, 32, 4, kResidual), "");
  EXPECT_THAT(error(8, 8, 0, kRaw), HasSubstr("num_bits is not from 1 to 9: 0"));
  EXPECT_THAT(error(8, 8, 10, kRaw), HasSubstr("num_bits is not from 1 to 9: 10"));
  EXPECT_THAT(error(0, 8, 1, kRaw), HasSubstr("code_dim"));
  EXPECT_THAT(error(8, 0, 1, kRaw), HasSubstr("too small"));
  EXPECT_THAT(error(8, 12, 1, kRaw), HasSubstr("multiple of 8"));
  EXPECT_THAT(error(8, 65544, 1, kRaw), HasSubstr("up to 65536"));
  EXPECT_THAT(error(16, 8, 1, kRaw), HasSubstr("too small"));
  EXPECT_THAT(error(8, 24, 4, kResidual), HasSubstr("too small for vectors of 8 with 4 one-bit elements each"));
}

}  // namespace
}  // namespace fewter
