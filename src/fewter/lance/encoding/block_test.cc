#include "fewter/lance/encoding/block_internal.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <lz4.h>
#include <zstd.h>

#include "fewter/lance/encoding/run_length_internal.h"

namespace fewter::lance {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename T>
Bytes BytesOf(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> ValuesOf(const arrow::Buffer& buffer) {
  std::vector<T> values(static_cast<size_t>(buffer.size()) / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), buffer.data(), values.size() * sizeof(T));
  return values;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes Lz4(const Bytes& plain) {
  Bytes out(static_cast<size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
  const int size =
      LZ4_compress_default(reinterpret_cast<const char*>(plain.data()), reinterpret_cast<char*>(out.data()),
                           static_cast<int>(plain.size()), static_cast<int>(out.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

Bytes Zstd(const Bytes& plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

Compression General(CompressionScheme scheme, Compression inner) {
  return {GeneralCompression{scheme, std::make_shared<const Compression>(std::move(inner))}};
}

TEST(RunLengthTest, RunsOfEveryWidthAreSpread) {
  const std::vector<uint32_t> values = {5, 7, 5};
  const std::vector<uint32_t> expected = {5, 5, 7, 5, 5, 5};
  const std::vector<Bytes> lengths = {BytesOf<uint8_t>({2, 1, 3}), BytesOf<uint16_t>({2, 1, 3}),
                                      BytesOf<uint32_t>({2, 1, 3})};
  for (uint32_t i = 0; i < lengths.size(); ++i) {
    std::vector<uint32_t> out(6);
    auto* to = reinterpret_cast<uint8_t*>(out.data());
    ASSERT_TRUE(DecodeRunLengths(BytesOf(values), 32, lengths[i], 8u << i, 6, false, to).ok());
    EXPECT_EQ(out, expected);
    EXPECT_TRUE(DecodeRunLengths(BytesOf(values), 32, lengths[i], 8u << i, 5, false, to).IsInvalid());
    EXPECT_TRUE(DecodeRunLengths(BytesOf(values), 32, {lengths[i].data(), 2u << i}, 8u << i, 3, false, to).IsInvalid());
  }
}

TEST(RunLengthTest, RunsMustAddUp) {
  std::vector<uint8_t> out(9);
  const Bytes values = {1, 2};
  const Bytes lengths = {4, 4};
  EXPECT_TRUE(DecodeRunLengths(values, 8, lengths, 8, 9, false, out.data()).IsInvalid());
  EXPECT_TRUE(DecodeRunLengths(values, 8, lengths, 8, 8, false, out.data()).ok());
  EXPECT_TRUE(DecodeRunLengths(values, 8, lengths, 8, 7, false, out.data()).IsInvalid());
  EXPECT_TRUE(DecodeRunLengths(values, 8, lengths, 8, 7, true, out.data()).ok());
}

TEST(BlockTest, RunLengthsInOneBuffer) {
  const Compression runs{RunLengthCompression{16, 8, nullptr, nullptr}};
  const Bytes block = BytesOf<uint64_t>({4}) + BytesOf<uint16_t>({0, 1}) + Bytes{3, 2};
  EXPECT_EQ(DecodeLevels(runs, block, 5).ValueOrDie(), (std::vector<uint16_t>{0, 0, 0, 1, 1}));
  EXPECT_TRUE(DecodeLevels(runs, block, 6).status().IsInvalid());
  EXPECT_TRUE(DecodeLevels(runs, Bytes{1, 2}, 5).status().IsInvalid());
  EXPECT_TRUE(DecodeLevels(runs, BytesOf<uint64_t>({100}) + Bytes{3}, 5).status().IsInvalid());
  EXPECT_TRUE(DecodeLevels({FlatCompression{32}}, block, 1).status().IsInvalid());
}

TEST(BlockTest, PlainValuesMustBeThere) {
  const Bytes block = BytesOf<uint64_t>({1, 2, 3});
  EXPECT_EQ(ValuesOf<uint64_t>(*DecodeBlock({FlatCompression{64}}, block, 3).ValueOrDie()),
            (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_TRUE(DecodeBlock({FlatCompression{64}}, block, 4).status().IsInvalid());
  EXPECT_TRUE(DecodeBlock({FlatCompression{64}}, block, uint64_t{1} << 61).status().IsInvalid());
  EXPECT_EQ(DecodeBlock({FixedSizeListCompression{{{3, false}}, 32}}, block, 2).ValueOrDie()->size(), 24);
}

TEST(BlockTest, BlocksThatNoBytesBackAreBounded) {
  const Compression zeros{OutOfLineBitPacking{64, 0}};
  EXPECT_EQ(ValuesOf<uint64_t>(*DecodeBlock(zeros, {}, 2).ValueOrDie()), (std::vector<uint64_t>{0, 0}));
  EXPECT_TRUE(DecodeBlock(zeros, {}, uint64_t{1} << 60).status().IsInvalid());
}

TEST(BlockTest, CompressedBlocks) {
  std::vector<uint64_t> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 13;
  const Bytes plain = BytesOf(values);
  const Bytes lz4 = BytesOf<uint32_t>({8000}) + Lz4(plain);
  const Bytes zstd = BytesOf<uint64_t>({8000}) + Zstd(plain);
  const Compression flat{FlatCompression{64}};
  EXPECT_EQ(ValuesOf<uint64_t>(*DecodeBlock(General(CompressionScheme::kLz4, flat), lz4, 1000).ValueOrDie()), values);
  EXPECT_EQ(ValuesOf<uint64_t>(*DecodeBlock(General(CompressionScheme::kZstd, flat), zstd, 1000).ValueOrDie()), values);
  // A frame may say its own size.
  EXPECT_EQ(ValuesOf<uint64_t>(*DecodeBlock(General(CompressionScheme::kZstd, flat), Zstd(plain), 1000).ValueOrDie()),
            values);
}

TEST(BlockTest, MalformedCompressedBytesAreRefused) {
  const Bytes plain(1000, 3);
  for (const auto scheme : {CompressionScheme::kLz4, CompressionScheme::kZstd}) {
    const bool lz4 = scheme == CompressionScheme::kLz4;
    const Bytes body = lz4 ? Lz4(plain) : Zstd(plain);
    const auto sized = [&](uint64_t size) {
      return (lz4 ? BytesOf<uint32_t>({static_cast<uint32_t>(size)}) : BytesOf<uint64_t>({size})) + body;
    };
    EXPECT_TRUE(Decompress(scheme, sized(1000), 1000).ok());
    EXPECT_TRUE(Decompress(scheme, sized(1000), 999).status().IsInvalid());
    EXPECT_TRUE(Decompress(scheme, sized(1001), 2000).status().IsInvalid());
    EXPECT_TRUE(Decompress(scheme, sized(999), 2000).status().IsInvalid());
    EXPECT_TRUE(Decompress(scheme, sized(0xFFFFFFF0), uint64_t{1} << 28).status().IsInvalid());
    EXPECT_TRUE(Decompress(scheme, Bytes{1, 2}, 1000).status().IsInvalid());
    EXPECT_TRUE(Decompress(scheme, {}, 1000).status().IsInvalid());
  }
}

TEST(ChunkValuesTest, PartsOfChunks) {
  const Bytes plain = BytesOf<uint32_t>({1, 2, 3, 4, 5});
  const Bytes run_values = BytesOf<uint32_t>({9, 8});
  const Bytes run_lengths = {3, 2};
  const std::vector<std::span<const uint8_t>> one = {plain};
  const std::vector<std::span<const uint8_t>> two = {run_values, run_lengths};
  std::vector<uint32_t> out(2);
  auto* to = reinterpret_cast<uint8_t*>(out.data());
  ASSERT_TRUE(DecodeChunkValues({FlatCompression{32}}, one, 5, std::vector<ValueRange>{{3, 2}}, to).ok());
  EXPECT_EQ(out, (std::vector<uint32_t>{4, 5}));
  ASSERT_TRUE(
      DecodeChunkValues({RunLengthCompression{32, 8, nullptr, nullptr}}, two, 5, std::vector<ValueRange>{{2, 2}}, to)
          .ok());
  EXPECT_EQ(out, (std::vector<uint32_t>{9, 8}));
  EXPECT_TRUE(DecodeChunkValues({FlatCompression{32}}, two, 5, std::vector<ValueRange>{{3, 2}}, to).IsInvalid());
  EXPECT_TRUE(
      DecodeChunkValues({RunLengthCompression{32, 8, nullptr, nullptr}}, one, 5, std::vector<ValueRange>{{2, 2}}, to)
          .IsInvalid());
  EXPECT_TRUE(DecodeChunkValues({FlatCompression{32}}, one, 6, std::vector<ValueRange>{{3, 2}}, to).IsInvalid());
}

TEST(ChunkValuesTest, BitsBecomeBytes) {
  const Bytes bits = {0b10110010, 0b1};
  const std::vector<std::span<const uint8_t>> buffers = {bits};
  Bytes out(4);
  ASSERT_TRUE(DecodeChunkValues({FlatCompression{1}}, buffers, 9, std::vector<ValueRange>{{5, 4}}, out.data()).ok());
  EXPECT_EQ(out, (Bytes{1, 0, 1, 1}));
}

TEST(ChunkValuesTest, OnlyTheFirstBufferIsCompressed) {
  const Bytes lengths(200, 2);
  std::vector<uint32_t> values(200, 77);
  const Bytes packed = BytesOf<uint32_t>({800}) + Lz4(BytesOf(values));
  const std::vector<std::span<const uint8_t>> buffers = {packed, lengths};
  std::vector<uint32_t> out(400);
  ASSERT_TRUE(DecodeChunkValues(General(CompressionScheme::kLz4, {RunLengthCompression{32, 8, nullptr, nullptr}}),
                                buffers, 400, std::vector<ValueRange>{{0, 400}}, reinterpret_cast<uint8_t*>(out.data()))
                  .ok());
  EXPECT_EQ(out, std::vector<uint32_t>(400, 77));
}

}  // namespace
}  // namespace fewter::lance
