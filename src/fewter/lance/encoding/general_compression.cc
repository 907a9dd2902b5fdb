#include "fewter/lance/encoding/general_compression_internal.h"

#include <limits>

#include <lz4.h>
#include <zstd.h>

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// LZ4 codes a byte of output in no less than 1/255 of a byte.
constexpr uint64_t kLz4MaxRatio = 255;

arrow::Status CheckSize(uint64_t size, uint64_t max_size) {
  if (size <= max_size) return arrow::Status::OK();
  return arrow::Status::Invalid("a compressed buffer of ", size, " bytes, more than the ", max_size, " allowed");
}

arrow::Result<std::shared_ptr<arrow::Buffer>> DecompressLz4(std::span<const uint8_t> compressed, uint64_t max_size) {
  if (compressed.size() < sizeof(uint32_t) || compressed.size() > LZ4_MAX_INPUT_SIZE) {
    return arrow::Status::Invalid("an LZ4 buffer of ", compressed.size(), " bytes");
  }
  const auto size = LoadLittleEndian<uint32_t>(compressed.data());
  const auto block = compressed.subspan(sizeof(uint32_t));
  ARROW_RETURN_NOT_OK(CheckSize(size, max_size));
  if (size > block.size() * kLz4MaxRatio || size > LZ4_MAX_INPUT_SIZE) {
    return arrow::Status::Invalid("an LZ4 block of ", block.size(), " bytes cannot hold ", size);
  }
  ARROW_ASSIGN_OR_RAISE(auto out, arrow::AllocateBuffer(size));
  const int written =
      LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(out->mutable_data()),
                          static_cast<int>(block.size()), static_cast<int>(size));
  if (written < 0 || static_cast<uint32_t>(written) != size) return arrow::Status::Invalid("a malformed LZ4 block");
  return std::shared_ptr<arrow::Buffer>(std::move(out));
}

/// A frame may stand without the size before it. The reserved bit of its header is clear, which tells it from a size
/// that happens to begin like a frame.
bool IsBareFrame(std::span<const uint8_t> compressed) {
  constexpr uint8_t kReservedBit = 0x10;
  return compressed.size() >= 5 && LoadLittleEndian<uint32_t>(compressed.data()) == ZSTD_MAGICNUMBER &&
         (compressed[4] & kReservedBit) == 0;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> DecompressZstd(std::span<const uint8_t> compressed, uint64_t max_size) {
  uint64_t size = 0;
  if (IsBareFrame(compressed)) {
    size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) {
      return arrow::Status::Invalid("a Zstandard frame that does not say its size");
    }
  } else {
    if (compressed.size() < sizeof(uint64_t)) {
      return arrow::Status::Invalid("a Zstandard buffer of ", compressed.size(), " bytes");
    }
    size = LoadLittleEndian<uint64_t>(compressed.data());
    compressed = compressed.subspan(sizeof(uint64_t));
  }
  ARROW_RETURN_NOT_OK(CheckSize(size, max_size));
  ARROW_ASSIGN_OR_RAISE(auto out, arrow::AllocateBuffer(static_cast<int64_t>(size)));
  const size_t written = ZSTD_decompress(out->mutable_data(), size, compressed.data(), compressed.size());
  if (ZSTD_isError(written) || written != size) return arrow::Status::Invalid("a malformed Zstandard frame");
  return std::shared_ptr<arrow::Buffer>(std::move(out));
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Buffer>> Decompress(CompressionScheme scheme, std::span<const uint8_t> compressed,
                                                         uint64_t max_size) {
  return scheme == CompressionScheme::kLz4 ? DecompressLz4(compressed, max_size) : DecompressZstd(compressed, max_size);
}

}  // namespace fewter::lance
