#include "fewter/lance/jsonb.h"

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter::lance {
namespace {

using ::testing::HasSubstr;

std::string BigEndian(uint64_t number, int width) {
  std::string bytes;
  for (int i = width - 1; i >= 0; --i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

/// What an entry says of a value, and its bytes.
struct Part {
  uint32_t type;
  std::string bytes;
};

std::string Container(uint32_t header, const std::vector<Part>& parts) {
  std::string entries = BigEndian(header, 4), values;
  for (const Part& part : parts) {
    entries += BigEndian(part.type | part.bytes.size(), 4);
    values += part.bytes;
  }
  return entries + values;
}

std::string Scalar(uint32_t type, const std::string& bytes) {
  return Container(0x20000000, {{type, bytes}});
}

std::string Number(uint8_t kind, uint64_t value, int width) {
  return Scalar(0x20000000, static_cast<char>(kind) + BigEndian(value, width));
}

std::string TextOf(const std::string& jsonb) {
  std::string text;
  const auto status = AppendJsonText(jsonb, &text);
  return status.ok() ? text : status.ToString();
}

std::string TextOf(double number) {
  return TextOf(Number(0x60, std::bit_cast<uint64_t>(number), 8));
}

TEST(JsonbTest, Scalars) {
  EXPECT_EQ(TextOf(""), "null");
  EXPECT_EQ(TextOf(Scalar(0x00000000, "")), "null");
  EXPECT_EQ(TextOf(Scalar(0x30000000, "")), "false");
  EXPECT_EQ(TextOf(Scalar(0x40000000, "")), "true");
  EXPECT_EQ(TextOf(Scalar(0x10000000, "a\"\\\x01\x1f\b\f\n\r\t/\x7f\xc3\xa4")),
            "\"a\\\"\\\\\\u0001\\u001f\\b\\f\\n\\r\\t/\x7f\xc3\xa4\"");
}

TEST(JsonbTest, Integers) {
  EXPECT_EQ(TextOf(Number(0x00, 0, 0)), "0");
  EXPECT_EQ(TextOf(Number(0x40, 0x80, 1)), "-128");
  EXPECT_EQ(TextOf(Number(0x40, 0xfffe, 2)), "-2");
  EXPECT_EQ(TextOf(Number(0x40, 0x7fffffff, 4)), "2147483647");
  EXPECT_EQ(TextOf(Number(0x40, uint64_t{1} << 63, 8)), "-9223372036854775808");
  EXPECT_EQ(TextOf(Number(0x50, 0xff, 1)), "255");
  EXPECT_EQ(TextOf(Number(0x50, ~uint64_t{0}, 8)), "18446744073709551615");
}

TEST(JsonbTest, Doubles) {
  EXPECT_EQ(TextOf(1.0), "1.0");
  EXPECT_EQ(TextOf(-0.0), "-0.0");
  EXPECT_EQ(TextOf(0.1), "0.1");
  EXPECT_EQ(TextOf(1e15), "1000000000000000.0");
  EXPECT_EQ(TextOf(1e16), "1e+16");
  EXPECT_EQ(TextOf(-1.25e100), "-1.25e+100");
  EXPECT_EQ(TextOf(1.5e-5), "0.000015");
  EXPECT_EQ(TextOf(1e-6), "1e-6");
  EXPECT_EQ(TextOf(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(TextOf(std::numeric_limits<double>::infinity()), "null");
  for (const uint8_t kind : {0x10, 0x20, 0x30}) EXPECT_EQ(TextOf(Number(kind, 0, 0)), "null");
}

TEST(JsonbTest, Containers) {
  EXPECT_EQ(TextOf(Container(0x80000000, {})), "[]");
  EXPECT_EQ(TextOf(Container(0x40000000, {})), "{}");
  const std::string array = Container(0x80000002, {{0x20000000, std::string(1, '\0')}, {0x10000000, "x"}});
  const std::string object =
      Container(0x40000002, {{0x10000000, "b"}, {0x10000000, "\n"}, {0x50000000, array}, {0x40000000, ""}});
  EXPECT_EQ(TextOf(object), R"({"b":[0,"x"],"\n":true})");
  EXPECT_EQ(TextOf(object + "more"), TextOf(object));
}

TEST(JsonbTest, WhatIsMalformed) {
  EXPECT_THAT(TextOf("abc"), HasSubstr("a container of 3 bytes"));
  EXPECT_THAT(TextOf(std::string(8, '\0')), HasSubstr("a container of kind 0"));
  EXPECT_THAT(TextOf(BigEndian(0x20000000, 4)), HasSubstr("1 entries in 4 bytes"));
  EXPECT_THAT(TextOf(BigEndian(0x5fffffff, 4)), HasSubstr("1073741822 entries in 4 bytes"));
  EXPECT_THAT(TextOf(BigEndian(0x2000000010000001, 8)), HasSubstr("a value of 1 bytes at 8 of 8"));
  EXPECT_THAT(TextOf(Scalar(0x70000000, "")), HasSubstr("a value of type 7"));
  EXPECT_THAT(TextOf(Scalar(0x90000000, "")), HasSubstr("a value of type 9"));
  EXPECT_THAT(TextOf(Scalar(0x10000000, "\xff")), HasSubstr("not UTF-8"));
  EXPECT_THAT(TextOf(Scalar(0x20000000, "")), HasSubstr("a number of no bytes"));
  EXPECT_THAT(TextOf(Number(0x40, 0, 3)), HasSubstr("a number of 3 bytes"));
  EXPECT_THAT(TextOf(Number(0x60, 0, 4)), HasSubstr("a number of 4 bytes"));
  EXPECT_THAT(TextOf(Number(0x80, 0, 1)), HasSubstr("a number of kind 128"));
  EXPECT_THAT(TextOf(Container(0x40000001, {{0x40000000, ""}, {0x40000000, ""}})), HasSubstr("a key of type 4"));
}

TEST(JsonbTest, WhatIsNotRead) {
  EXPECT_THAT(TextOf(Number(0x70, 0, 8) + "\0"), HasSubstr("NotImplemented: a decimal"));
  EXPECT_THAT(TextOf(Scalar(0x60000000, "\x10")), HasSubstr("NotImplemented: a date"));
  std::string nested = Container(0x80000000, {});
  for (int depth = 1; depth < kMaxJsonDepth; ++depth) nested = Container(0x80000001, {{0x50000000, nested}});
  EXPECT_EQ(TextOf(nested), std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']'));
  EXPECT_THAT(TextOf(Container(0x80000001, {{0x50000000, nested}})), HasSubstr("nested more than 2000 deep"));
}

}  // namespace
}  // namespace fewter::lance
