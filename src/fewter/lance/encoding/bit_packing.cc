#include "fewter/lance/encoding/bit_packing_internal.h"

#include <array>
#include <cstring>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

constexpr std::array<uint32_t, 8> kOrder = {0, 4, 2, 6, 1, 5, 3, 7};

/// The first `count` values of a block.
template <typename T>
void UnpackSome(const uint8_t* packed, uint32_t width, uint64_t count, T* out) {
  if (count == kPackedBlockValues) {
    UnpackBlock(packed, width, out);
    return;
  }
  std::array<T, kPackedBlockValues> block;
  UnpackBlock(packed, width, block.data());
  std::memcpy(out, block.data(), count * sizeof(T));
}

template <typename T>
arrow::Status UnpackInlineAs(std::span<const uint8_t> packed, uint64_t count, T* out) {
  if (count == 0 && packed.empty()) return arrow::Status::OK();
  if (count > kPackedBlockValues) return arrow::Status::Invalid(count, " values in one bit-packed block");
  if (packed.size() < sizeof(T)) return arrow::Status::Invalid("a bit-packed block without a width");
  const auto width = static_cast<uint64_t>(LoadLittleEndian<T>(packed.data()));
  if (width > 8 * sizeof(T)) {
    return arrow::Status::Invalid(8 * sizeof(T), "-bit values packed to ", width, " bits");
  }
  const uint64_t expected = sizeof(T) + width * kPackedBlockValues / 8;
  if (packed.size() != expected) {
    return arrow::Status::Invalid("a block packed to ", width, " bits has ", packed.size(), " bytes, not ", expected);
  }
  UnpackSome(packed.data() + sizeof(T), static_cast<uint32_t>(width), count, out);
  return arrow::Status::OK();
}

template <typename T>
arrow::Status UnpackOutOfLineAs(std::span<const uint8_t> packed, uint32_t width, uint64_t count, T* out) {
  const uint64_t full = count / kPackedBlockValues;
  const uint64_t left = count % kPackedBlockValues;
  const uint64_t block_size = width * kPackedBlockValues / 8;
  const bool plain_tail = packed.size() == full * block_size + left * sizeof(T);
  const uint64_t expected = full * block_size + (left > 0 ? block_size : 0);
  if (!plain_tail && packed.size() != expected) {
    return arrow::Status::Invalid(count, " values packed to ", width, " bits have ", packed.size(), " bytes, not ",
                                  expected);
  }
  const uint8_t* from = packed.data();
  for (uint64_t i = 0; i < full; ++i, from += block_size, out += kPackedBlockValues) UnpackBlock(from, width, out);
  if (left == 0) return arrow::Status::OK();
  if (plain_tail) {
    std::memcpy(out, from, left * sizeof(T));
  } else {
    UnpackSome(from, width, left, out);
  }
  return arrow::Status::OK();
}

}  // namespace

template <typename T>
void UnpackBlock(const uint8_t* packed, uint32_t width, T* out) {
  constexpr uint32_t kBits = 8 * sizeof(T);
  constexpr uint32_t kLanes = kPackedBlockValues / kBits;
  if (width == 0) {
    std::memset(out, 0, kPackedBlockValues * sizeof(T));
    return;
  }
  const T mask = static_cast<T>(static_cast<T>(~T{0}) >> (kBits - width));
  for (uint32_t row = 0; row < kBits; ++row) {
    const uint32_t shift = row * width % kBits;
    const uint8_t* low = packed + size_t{row * width / kBits} * kLanes * sizeof(T);
    T* to = out + kOrder[row / 8] * 16 + (row % 8) * 128;
    if (shift + width <= kBits) {
      for (uint32_t lane = 0; lane < kLanes; ++lane) {
        to[lane] = static_cast<T>((LoadLittleEndian<T>(low + lane * sizeof(T)) >> shift) & mask);
      }
    } else {
      const uint8_t* high = low + kLanes * sizeof(T);
      for (uint32_t lane = 0; lane < kLanes; ++lane) {
        const T joined = static_cast<T>(LoadLittleEndian<T>(low + lane * sizeof(T)) >> shift) |
                         static_cast<T>(LoadLittleEndian<T>(high + lane * sizeof(T)) << (kBits - shift));
        to[lane] = static_cast<T>(joined & mask);
      }
    }
  }
}

template void UnpackBlock<uint8_t>(const uint8_t*, uint32_t, uint8_t*);
template void UnpackBlock<uint16_t>(const uint8_t*, uint32_t, uint16_t*);
template void UnpackBlock<uint32_t>(const uint8_t*, uint32_t, uint32_t*);
template void UnpackBlock<uint64_t>(const uint8_t*, uint32_t, uint64_t*);

arrow::Status UnpackInline(std::span<const uint8_t> packed, uint32_t bits, uint64_t count, uint8_t* out) {
  return WithWord(bits,
                  [&](auto word) { return UnpackInlineAs(packed, count, reinterpret_cast<decltype(word)*>(out)); });
}

arrow::Status UnpackOutOfLine(std::span<const uint8_t> packed, uint32_t bits, uint32_t width, uint64_t count,
                              uint8_t* out) {
  if (width > bits) return arrow::Status::Invalid(bits, "-bit values packed to ", width, " bits");
  return WithWord(
      bits, [&](auto word) { return UnpackOutOfLineAs(packed, width, count, reinterpret_cast<decltype(word)*>(out)); });
}

}  // namespace fewter::lance
