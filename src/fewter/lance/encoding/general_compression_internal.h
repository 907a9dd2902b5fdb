#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <arrow/buffer.h>
#include <arrow/result.h>

namespace fewter::lance {

enum class CompressionScheme : uint8_t { kLz4, kZstd };

/// Undoes LZ4 (a u32 of the size, then one raw block) or Zstandard (a u64 of the size, then one frame, or a bare frame
/// that says its own size). Invalid if the bytes are malformed, or if the result would be larger than `max_size`, which
/// is what bounds the memory that hostile bytes can ask for.
arrow::Result<std::shared_ptr<arrow::Buffer>> Decompress(CompressionScheme scheme, std::span<const uint8_t> compressed,
                                                         uint64_t max_size);

}  // namespace fewter::lance
