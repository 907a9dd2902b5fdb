#include "fewter/simd/read_ahead.h"

#include <gtest/gtest.h>

#include <array>

namespace fewter::simd {
namespace {

uintptr_t AddressOf(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

TEST(ReadAheadTest, LeadsFromTheEndOfAPieceToTheNext) {
  const std::array<char, 100> piece{}, next{};
  const ReadAhead ahead{.end = piece.data() + 80, .next = next.data()};
  EXPECT_EQ(ahead.After(piece.data() + 10, 69), AddressOf(piece.data() + 79));
  EXPECT_EQ(ahead.After(piece.data() + 10, 70), AddressOf(next.data()));
  EXPECT_EQ(ahead.After(piece.data() + 79, 64), AddressOf(next.data() + 63));
}

TEST(ReadAheadTest, GoesStraightOnWithoutAnEnd) {
  const std::array<char, 100> piece{};
  EXPECT_EQ(ReadAhead().After(piece.data() + 10, 8192), AddressOf(piece.data()) + 8202);
}

}  // namespace
}  // namespace fewter::simd
