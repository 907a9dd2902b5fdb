#include "fewter/cli/npy.h"

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/util/argument_error.h"

namespace fewter::cli {
namespace {

using ::testing::ElementsAre;

template <typename T>
std::string Npy(const std::string& type, const std::string& shape, const std::vector<T>& values,
                const std::string& fortran = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

TEST(Npy, ReadsAVectorAndAMatrix) {
  const auto vector = ParseNpy(Npy<float>("<f4", "(3,)", {1, 2, 3}), "a.npy").ValueOrDie();
  EXPECT_EQ(vector.rows, 1U);
  EXPECT_THAT(vector.Row(0), ElementsAre(1, 2, 3));
  const auto matrix = ParseNpy(Npy<float>("<f4", "(2, 2)", {1, 2, 3, 4}), "a.npy").ValueOrDie();
  EXPECT_EQ(matrix.rows, 2U);
  EXPECT_THAT(matrix.Row(1), ElementsAre(3, 4));
}

TEST(Npy, ConvertsOtherTypes) {
  EXPECT_THAT(ParseNpy(Npy<double>("<f8", "(2,)", {0.5, -2}), "a").ValueOrDie().values, ElementsAre(0.5F, -2));
  EXPECT_THAT(ParseNpy(Npy<uint16_t>("<f2", "(2,)", {0x3c00, 0xc000}), "a").ValueOrDie().values, ElementsAre(1, -2));
  EXPECT_THAT(ParseNpy(Npy<uint8_t>("|u1", "(2,)", {7, 255}), "a").ValueOrDie().values, ElementsAre(7, 255));
}

TEST(Npy, RefusesWhatItCannotRead) {
  const std::string good = Npy<float>("<f4", "(2, 2)", {1, 2, 3, 4});
  for (size_t length = 0; length < good.size(); ++length) {
    const auto result = ParseNpy(good.substr(0, length), "a.npy");
    ASSERT_FALSE(result.ok()) << length;
    EXPECT_TRUE(IsArgumentError(result.status()));
  }
  EXPECT_FALSE(ParseNpy(good + "x", "a.npy").ok());
  EXPECT_FALSE(ParseNpy(Npy<float>("<f4", "(2, 2)", {1, 2, 3, 4}, "True"), "a.npy").ok());
  EXPECT_FALSE(ParseNpy(Npy<int32_t>("<i4", "(2,)", {1, 2}), "a.npy").ok());
  EXPECT_FALSE(ParseNpy(Npy<float>("<f4", "(1, 1, 1)", {1}), "a.npy").ok());
  EXPECT_FALSE(ParseNpy(Npy<float>("<f4", "(4294967296, 4294967296)", {1}), "a.npy").ok());
  EXPECT_FALSE(ParseNpy(Npy<float>("<f4", "(4611686018427387904, 0)", {}), "a.npy").ok());
  EXPECT_FALSE(ReadNpy("/does/not/exist.npy").ok());
}

TEST(Npy, ReadsWholeNumbers) {
  const auto numbers = ParseWholeNumbers(Npy<int32_t>("<i4", "(2, 2)", {1, 2, 3, 4}), "a").ValueOrDie();
  EXPECT_EQ(numbers.rows, 2U);
  EXPECT_EQ(numbers.At(1, 0), 3U);
  EXPECT_EQ(ParseWholeNumbers(Npy<int64_t>("<i8", "(1,)", {1LL << 40}), "a").ValueOrDie().At(0, 0), 1ULL << 40);
  EXPECT_EQ(ParseWholeNumbers(Npy<uint32_t>("<u4", "(1,)", {~0U}), "a").ValueOrDie().At(0, 0), 0xffffffffULL);
  EXPECT_EQ(ParseWholeNumbers(Npy<uint64_t>("<u8", "(1,)", {7}), "a").ValueOrDie().At(0, 0), 7U);
  EXPECT_FALSE(ParseWholeNumbers(Npy<int32_t>("<i4", "(2,)", {1, -1}), "a").ok());
  EXPECT_FALSE(ParseWholeNumbers(Npy<int64_t>("<i8", "(2,)", {1, -1}), "a").ok());
  EXPECT_FALSE(ParseWholeNumbers(Npy<int32_t>("<i4", "(3,)", {1, 2}), "a").ok());
  EXPECT_FALSE(ParseWholeNumbers(Npy<float>("<f4", "(2,)", {1, 2}), "a").ok());
}

}  // namespace
}  // namespace fewter::cli
