#include "fewter/lance/encoding/block_internal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fewter/lance/encoding/bit_packing_internal.h"
#include "fewter/lance/encoding/run_length_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

using Bytes = std::span<const uint8_t>;

Bytes BytesOf(const arrow::Buffer& buffer) {
  return {buffer.data(), static_cast<size_t>(buffer.size())};
}

arrow::Status CheckHolds(Bytes bytes, uint64_t value_bits, uint64_t count) {
  uint64_t bits = 0;
  if (!CheckedMultiply(value_bits, count, &bits) || bits > static_cast<uint64_t>(bytes.size()) * 8) {
    return arrow::Status::Invalid(bytes.size(), " bytes cannot hold ", count, " values of ", value_bits, " bits");
  }
  return arrow::Status::OK();
}

/// Plain values: copies the range, or spreads bits to bytes.
arrow::Status CopyPlain(Bytes bytes, uint64_t value_bits, uint64_t count, ValueRange range, uint8_t* out) {
  ARROW_RETURN_NOT_OK(CheckHolds(bytes, value_bits, count));
  if (range.length == 0) return arrow::Status::OK();
  if (value_bits == 1) {
    for (uint64_t i = 0; i < range.length; ++i) {
      const uint64_t bit = range.start + i;
      out[i] = (bytes[bit / 8] >> (bit % 8)) & 1;
    }
    return arrow::Status::OK();
  }
  const uint64_t width = value_bits / 8;
  std::memcpy(out, bytes.data() + range.start * width, range.length * width);
  return arrow::Status::OK();
}

/// Decodes all values of a block; `out` has room for them.
struct BlockDecoder {
  Bytes block;
  uint64_t count;
  uint8_t* out;

  arrow::Status operator()(const FlatCompression& flat) const {
    return CopyPlain(block, flat.bits, count, {0, count}, out);
  }
  arrow::Status operator()(const FixedSizeListCompression& list) const {
    if (list.has_validity) return arrow::Status::NotImplemented("nulls inside the vectors of a dictionary");
    return CopyPlain(block, list.num_items * list.bits, count, {0, count}, out);
  }
  arrow::Status operator()(const InlineBitPacking& packing) const {
    return UnpackInline(block, packing.bits, count, out);
  }
  arrow::Status operator()(const OutOfLineBitPacking& packing) const {
    return UnpackOutOfLine(block, packing.bits, packing.packed_bits, count, out);
  }
  arrow::Status operator()(const RunLengthCompression& runs) const {
    return DecodeRunLengthBlock(block, runs.value_bits, runs.length_bits, count, out);
  }
  arrow::Status operator()(const GeneralCompression& general) const {
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general.scheme, block, kMaxBlockBytes));
    return std::visit(BlockDecoder{BytesOf(*plain), count, out}, general.values->kind);
  }
};

/// Decodes all values of a chunk whose encoding has no random access; `out` has room for them.
struct ChunkDecoder {
  std::span<const Bytes> buffers;
  uint64_t count;
  uint8_t* out;

  arrow::Status operator()(const FlatCompression&) const { return Unexpected(); }
  arrow::Status operator()(const FixedSizeListCompression&) const { return Unexpected(); }
  arrow::Status operator()(const InlineBitPacking& packing) const {
    if (buffers.size() != 1) return Unexpected();
    return UnpackInline(buffers[0], packing.bits, count, out);
  }
  arrow::Status operator()(const OutOfLineBitPacking& packing) const {
    if (buffers.size() != 1) return Unexpected();
    return UnpackOutOfLine(buffers[0], packing.bits, packing.packed_bits, count, out);
  }
  arrow::Status operator()(const RunLengthCompression& runs) const {
    if (buffers.size() != 2) return Unexpected();
    return DecodeRunLengths(buffers[0], runs.value_bits, buffers[1], runs.length_bits, count, out);
  }
  /// Only the first value buffer is compressed.
  arrow::Status operator()(const GeneralCompression& general) const {
    if (buffers.empty()) return Unexpected();
    const Compression& inner = *general.values;
    // Bit-packed values can be a little larger than plain ones: a block is always whole, and has a width.
    constexpr uint64_t kSlack = kPackedBlockValues * sizeof(uint64_t) + sizeof(uint64_t);
    const uint64_t max_size = std::min(kMaxBlockBytes, count * ValueBytes(inner.value_bits()) + kSlack);
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general.scheme, buffers[0], max_size));
    std::vector<Bytes> replaced(buffers.begin(), buffers.end());
    replaced[0] = BytesOf(*plain);
    return DecodeChunkValues(inner, replaced, count, {0, count}, out);
  }

  arrow::Status Unexpected() const {
    return arrow::Status::Invalid("a chunk with ", buffers.size(), " value buffers, which its encoding does not have");
  }
};

bool IsPlain(const Compression& compression) {
  return std::holds_alternative<FlatCompression>(compression.kind) ||
         std::holds_alternative<FixedSizeListCompression>(compression.kind);
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Buffer>> DecodeBlock(const Compression& compression, Bytes block, uint64_t count) {
  uint64_t size = 0;
  if (!CheckedMultiply(ValueBytes(compression.value_bits()), count, &size) || size > kMaxBlockBytes) {
    return arrow::Status::Invalid("a block of ", count, " values is larger than the ", kMaxBlockBytes,
                                  " bytes allowed");
  }
  ARROW_ASSIGN_OR_RAISE(auto out, arrow::AllocateBuffer(static_cast<int64_t>(size)));
  ARROW_RETURN_NOT_OK(std::visit(BlockDecoder{block, count, out->mutable_data()}, compression.kind));
  return std::shared_ptr<arrow::Buffer>(std::move(out));
}

arrow::Result<std::vector<uint16_t>> DecodeLevels(const Compression& compression, Bytes block, uint64_t count) {
  if (compression.value_bits() != 16) {
    return arrow::Status::Invalid("levels of ", compression.value_bits(), " bits");
  }
  ARROW_ASSIGN_OR_RAISE(auto decoded, DecodeBlock(compression, block, count));
  const auto* levels = reinterpret_cast<const uint16_t*>(decoded->data());
  return std::vector<uint16_t>(levels, levels + count);
}

arrow::Status DecodeChunkValues(const Compression& compression, std::span<const Bytes> buffers, uint64_t count,
                                ValueRange range, uint8_t* out) {
  const uint64_t bits = compression.value_bits();
  if (IsPlain(compression)) {
    // The items' validity has a buffer of its own, which is not about values.
    if (compression.nullable_items() != nullptr && buffers.size() == 2) buffers = buffers.subspan(1);
    if (buffers.size() != 1) return arrow::Status::Invalid("a chunk with ", buffers.size(), " buffers of plain values");
    return CopyPlain(buffers[0], bits, count, range, out);
  }
  if (range.length == count) return std::visit(ChunkDecoder{buffers, count, out}, compression.kind);
  const uint64_t width = ValueBytes(bits);
  ARROW_ASSIGN_OR_RAISE(auto all, arrow::AllocateBuffer(static_cast<int64_t>(count * width)));
  ARROW_RETURN_NOT_OK(std::visit(ChunkDecoder{buffers, count, all->mutable_data()}, compression.kind));
  std::memcpy(out, all->data() + range.start * width, range.length * width);
  return arrow::Status::OK();
}

}  // namespace fewter::lance
