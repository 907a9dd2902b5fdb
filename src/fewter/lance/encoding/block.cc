#include "fewter/lance/encoding/block_internal.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "fewter/lance/encoding/bit_packing_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/lance/encoding/run_length_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

arrow::Status CheckHolds(Bytes bytes, uint64_t value_bits, uint64_t count) {
  uint64_t bits = 0;
  if (!CheckedMultiply(value_bits, count, &bits) || bits > static_cast<uint64_t>(bytes.size()) * 8) {
    return arrow::Status::Invalid(bytes.size(), " bytes cannot hold ", count, " values of ", value_bits, " bits");
  }
  return arrow::Status::OK();
}

/// Plain values: copies the range, or spreads bits to bytes.
arrow::Status CopyPlain(Bytes bytes, uint64_t value_bits, bool is_bits, uint64_t count, ValueRange range,
                        uint8_t* out) {
  ARROW_RETURN_NOT_OK(CheckHolds(bytes, value_bits, count));
  if (range.length == 0) return arrow::Status::OK();
  if (is_bits) {
    SpreadBits(bytes.data(), range.start * value_bits, range.length * value_bits, out);
    return arrow::Status::OK();
  }
  const uint64_t width = value_bits / 8;
  std::memcpy(out, bytes.data() + range.start * width, range.length * width);
  return arrow::Status::OK();
}

/// The values or the lengths of runs as plain words. `num_runs` is only asked for if they do not say it themselves, and
/// `max_runs` bounds what they may say.
arrow::Result<std::shared_ptr<arrow::Buffer>> DecodeRunPart(const Compression* compression, Bytes bytes,
                                                            const std::optional<uint64_t>& num_runs,
                                                            uint64_t max_runs) {
  auto plain = std::make_shared<arrow::Buffer>(bytes.data(), static_cast<int64_t>(bytes.size()));
  if (compression == nullptr) return plain;
  if (const auto* general = std::get_if<GeneralCompression>(&compression->kind)) {
    constexpr uint64_t kSlack = kPackedBlockValues * sizeof(uint64_t);
    const uint64_t max_size = std::min(kMaxBlockBytes, max_runs * sizeof(uint64_t) + kSlack);
    ARROW_ASSIGN_OR_RAISE(plain, Decompress(general->scheme, bytes, max_size));
    compression = general->values.get();
  }
  if (std::holds_alternative<FlatCompression>(compression->kind)) return plain;
  if (!num_runs) return arrow::Status::Invalid("runs of which neither values nor lengths say their number");
  return DecodeBlock(*compression, BytesOf(*plain), *num_runs);
}

bool NeedsCount(const Compression* compression) {
  if (compression == nullptr) return false;
  if (const auto* general = std::get_if<GeneralCompression>(&compression->kind)) compression = general->values.get();
  return !std::holds_alternative<FlatCompression>(compression->kind);
}

arrow::Status DecodeRuns(const RunLengthCompression& runs, Bytes values, Bytes lengths, uint64_t count,
                         bool may_overrun, uint8_t* out) {
  std::shared_ptr<arrow::Buffer> plain_values;
  std::shared_ptr<arrow::Buffer> plain_lengths;
  std::optional<uint64_t> num_runs;
  if (!NeedsCount(runs.values.get())) {
    ARROW_ASSIGN_OR_RAISE(plain_values, DecodeRunPart(runs.values.get(), values, num_runs, count));
    num_runs = static_cast<uint64_t>(plain_values->size()) * 8 / runs.value_bits;
  }
  if (num_runs || !NeedsCount(runs.lengths.get())) {
    ARROW_ASSIGN_OR_RAISE(plain_lengths, DecodeRunPart(runs.lengths.get(), lengths, num_runs, count));
    num_runs = static_cast<uint64_t>(plain_lengths->size()) * 8 / runs.length_bits;
  }
  if (plain_values == nullptr) {
    ARROW_ASSIGN_OR_RAISE(plain_values, DecodeRunPart(runs.values.get(), values, num_runs, count));
  }
  if (plain_lengths == nullptr) return arrow::Status::Invalid("runs that do not say their number");
  return DecodeRunLengths(BytesOf(*plain_values), runs.value_bits, BytesOf(*plain_lengths), runs.length_bits, count,
                          may_overrun, out);
}

/// One buffer of runs: the byte size of the values (u64), the values, the lengths.
arrow::Status DecodeRunBlock(const RunLengthCompression& runs, Bytes block, uint64_t count, uint8_t* out) {
  constexpr uint64_t kHeader = sizeof(uint64_t);
  if (block.size() < kHeader) return arrow::Status::Invalid("a run-length block of ", block.size(), " bytes");
  const auto values_size = LoadLittleEndian<uint64_t>(block.data());
  if (!RangeIsInside(kHeader, values_size, block.size())) {
    return arrow::Status::Invalid("a run-length block of ", block.size(), " bytes with ", values_size, " of values");
  }
  return DecodeRuns(runs, block.subspan(kHeader, values_size), block.subspan(kHeader + values_size), count, false, out);
}

/// For decoders of values of fixed width.
arrow::Status NotFixed() {
  return arrow::Status::Invalid("values of varying length where they should have a fixed width");
}

/// Decodes all values of a block; `out` has room for them.
struct BlockDecoder {
  Bytes block;
  uint64_t count;
  uint8_t* out;

  arrow::Status operator()(const FlatCompression& flat) const {
    return CopyPlain(block, flat.bits, flat.bits == 1, count, {0, count}, out);
  }
  arrow::Status operator()(const FixedSizeListCompression& list) const {
    if (list.num_validities() > 0) return arrow::Status::NotImplemented("nulls inside the vectors of a dictionary");
    return CopyPlain(block, list.num_items() * list.bits, list.bits == 1, count, {0, count}, out);
  }
  arrow::Status operator()(const InlineBitPacking& packing) const {
    return UnpackInline(block, packing.bits, count, out);
  }
  arrow::Status operator()(const OutOfLineBitPacking& packing) const {
    return UnpackOutOfLine(block, packing.bits, packing.packed_bits, count, out);
  }
  arrow::Status operator()(const RunLengthCompression& runs) const { return DecodeRunBlock(runs, block, count, out); }
  arrow::Status operator()(const ByteStreamSplit&) const {
    return arrow::Status::NotImplemented("the encoding 'byte_stream_split' of levels or a dictionary");
  }
  arrow::Status operator()(const VariableCompression&) const { return NotFixed(); }
  arrow::Status operator()(const FsstCompression&) const { return NotFixed(); }
  arrow::Status operator()(const VariablePackedStruct&) const { return NotFixed(); }
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
  /// Old writers let the last run of a chunk go on into the next one.
  arrow::Status operator()(const RunLengthCompression& runs) const {
    if (buffers.size() != 2) return Unexpected();
    return DecodeRuns(runs, buffers[0], buffers[1], count, true, out);
  }
  arrow::Status operator()(const ByteStreamSplit& split) const {
    const uint64_t width = split.bits / 8;
    if (buffers.size() != 1 || buffers[0].size() != count * width) return Unexpected();
    for (uint64_t i = 0; i < count; ++i) {
      for (uint64_t byte = 0; byte < width; ++byte) out[i * width + byte] = buffers[0][byte * count + i];
    }
    return arrow::Status::OK();
  }
  arrow::Status operator()(const VariableCompression&) const { return NotFixed(); }
  arrow::Status operator()(const FsstCompression&) const { return NotFixed(); }
  arrow::Status operator()(const VariablePackedStruct&) const { return NotFixed(); }
  /// Only the first value buffer is compressed.
  arrow::Status operator()(const GeneralCompression& general) const {
    if (buffers.empty()) return Unexpected();
    const Compression& inner = *general.values;
    // Bit-packed values can be a little larger than plain ones: a block is always whole, and has a width.
    constexpr uint64_t kSlack = kPackedBlockValues * sizeof(uint64_t) + sizeof(uint64_t);
    const uint64_t max_size = std::min(kMaxBlockBytes, count * ValueBytes(inner) + kSlack);
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general.scheme, buffers[0], max_size));
    std::vector<Bytes> replaced(buffers.begin(), buffers.end());
    replaced[0] = BytesOf(*plain);
    const ValueRange all{0, count};
    return DecodeChunkValues(inner, replaced, count, {&all, 1}, out);
  }

  arrow::Status Unexpected() const {
    return arrow::Status::Invalid("a chunk with ", buffers.size(), " value buffers, which its encoding does not have");
  }
};

/// Appends which items of the vectors `range` of a chunk are valid, which its first buffers say.
arrow::Status AppendItemValidity(const FixedSizeListCompression& list, std::span<const Bytes> buffers, uint64_t count,
                                 ValueRange range, ColumnBuilder* out) {
  size_t next = 0;
  for (size_t depth = 0; depth < list.dimensions.size(); ++depth) {
    const auto& dimension = list.dimensions[depth];
    if (!dimension.has_validity) continue;
    const Bytes bits = buffers[next++];
    if (bits.size() < (count * dimension.num_items + 7) / 8) {
      return arrow::Status::Invalid("a chunk of ", count, " vectors that does not say which items are null");
    }
    out->AppendItemValidity(depth, bits.data(), range.start * dimension.num_items, range.length);
  }
  return arrow::Status::OK();
}

bool IsPlain(const Compression& compression) {
  return std::holds_alternative<FlatCompression>(compression.kind) ||
         std::holds_alternative<FixedSizeListCompression>(compression.kind);
}

/// Loads offsets of `Offset` numbers, which must lie inside `bytes`, in order.
template <typename Offset>
arrow::Status LoadOffsets(const uint8_t* offsets, Bytes bytes, std::span<uint64_t> starts) {
  bool in_order = true;
  uint64_t last = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const uint64_t offset = LoadLittleEndian<Offset>(offsets + i * sizeof(Offset));
    in_order = in_order && offset >= last;
    starts[i] = last = offset;
  }
  if (in_order && last <= bytes.size()) return arrow::Status::OK();
  return arrow::Status::Invalid("offsets that are not in order or not inside ", bytes.size(), " bytes");
}

/// The offsets of the values `range`, and the end of the last, out of the `count` + 1 at the start of `offsets`.
arrow::Status ParseOffsets(Bytes offsets, uint32_t offset_bits, uint64_t count, ValueRange range, Bytes bytes,
                           std::vector<uint64_t>* starts) {
  if (count >= offsets.size() * 8 / offset_bits) {
    return arrow::Status::Invalid(offsets.size(), " bytes cannot hold the offsets of ", count, " values");
  }
  starts->resize(range.length + 1);
  const uint8_t* const from = offsets.data() + range.start * (offset_bits / 8);
  return offset_bits == 32 ? LoadOffsets<uint32_t>(from, bytes, *starts) : LoadOffsets<uint64_t>(from, bytes, *starts);
}

/// Appends ranges of a chunk of values of varying length, whose one buffer begins with offsets into itself.
struct VariableChunkAppender {
  Bytes chunk;
  uint64_t count;
  std::span<const ValueRange> ranges;
  ColumnBuilder* out;

  arrow::Status operator()(const VariableCompression& variable) const {
    std::vector<uint64_t> starts;
    for (const ValueRange& range : ranges) {
      ARROW_RETURN_NOT_OK(ParseOffsets(chunk, variable.offset_bits, count, range, chunk, &starts));
      const uint64_t begin = starts.front();
      const uint64_t end = starts.back();
      for (uint64_t& start : starts) start -= begin;
      ARROW_RETURN_NOT_OK(out->AppendBytes(std::span(starts).subspan(1), chunk.subspan(begin, end - begin)));
    }
    return arrow::Status::OK();
  }
  arrow::Status operator()(const FsstCompression& fsst) const {
    std::vector<uint64_t> starts;
    for (const ValueRange& range : ranges) {
      ARROW_RETURN_NOT_OK(ParseOffsets(chunk, fsst.offset_bits, count, range, chunk, &starts));
      ARROW_RETURN_NOT_OK(AppendFsstValues(*fsst.decoder, chunk, starts, out));
    }
    return arrow::Status::OK();
  }
  arrow::Status operator()(const GeneralCompression& general) const {
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general.scheme, chunk, kMaxBlockBytes));
    return std::visit(VariableChunkAppender{BytesOf(*plain), count, ranges, out}, general.values->kind);
  }
  template <typename Other>
  arrow::Status operator()(const Other&) const {
    return arrow::Status::Invalid("a chunk of values of varying length in an encoding that does not have them");
  }
};

/// The decoded bytes of one value of a packed struct's field.
arrow::Result<std::vector<uint8_t>> DecodeOne(const Compression& compression, Bytes value);

/// Decodes one value of varying length and gives it to `append`.
template <typename Append>
struct ValueDecoder {
  Bytes value;
  Append append;

  arrow::Status operator()(const VariableCompression&) const { return append(value); }
  arrow::Status operator()(const FsstCompression& fsst) const {
    std::vector<uint8_t> decoded(value.size() * FsstDecoder::kMaxExpansion);
    ARROW_ASSIGN_OR_RAISE(const uint64_t size, fsst.decoder->Decode(value, decoded.data()));
    return append(Bytes(decoded).first(size));
  }
  arrow::Status operator()(const GeneralCompression& general) const {
    // Text is no more than a few thousand times longer than what Zstandard makes of it.
    constexpr uint64_t kMaxRatio = 1 << 15;
    const uint64_t max_size = value.size() > kMaxBlockBytes / kMaxRatio ? value.size() * kMaxRatio : kMaxBlockBytes;
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general.scheme, value, max_size));
    return std::visit(ValueDecoder{BytesOf(*plain), append}, general.values->kind);
  }
  /// In the form that UnpackStructs takes: every length has 64 bits, and no field is compressed.
  arrow::Status operator()(const VariablePackedStruct& structs) const {
    std::vector<uint8_t> row;
    Bytes rest = value;
    for (const auto& field : structs.fields) {
      uint64_t size = field.bytes;
      if (rest.size() < size) return TooShort();
      if (field.is_variable) {
        size = 0;
        std::memcpy(&size, rest.data(), field.bytes);
        rest = rest.subspan(field.bytes);
        if (rest.size() < size) return TooShort();
        ARROW_ASSIGN_OR_RAISE(const auto decoded, DecodeOne(*field.value, rest.first(size)));
        const uint64_t length = decoded.size();
        const auto* length_bytes = reinterpret_cast<const uint8_t*>(&length);
        row.insert(row.end(), length_bytes, length_bytes + sizeof(length));
        row.insert(row.end(), decoded.begin(), decoded.end());
      } else {
        row.insert(row.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size));
      }
      rest = rest.subspan(size);
    }
    return append(Bytes(row));
  }
  template <typename Other>
  arrow::Status operator()(const Other&) const {
    return arrow::Status::Invalid("a value of varying length in an encoding that does not have them");
  }

  arrow::Status TooShort() const {
    return arrow::Status::Invalid("a packed struct of ", value.size(), " bytes is too short for its fields");
  }
};

template <typename Append>
arrow::Status DecodeValue(const Compression& compression, Bytes value, Append append) {
  return std::visit(ValueDecoder<Append>{value, append}, compression.kind);
}

arrow::Result<std::vector<uint8_t>> DecodeOne(const Compression& compression, Bytes value) {
  std::vector<uint8_t> decoded;
  ARROW_RETURN_NOT_OK(DecodeValue(compression, value, [&decoded](Bytes bytes) {
    decoded.assign(bytes.begin(), bytes.end());
    return arrow::Status::OK();
  }));
  return decoded;
}

}  // namespace

uint64_t ValueBytes(const Compression& compression) {
  const uint64_t bits = compression.value_bits().value_or(0);
  return compression.element_bits() == 1 ? bits : bits / 8;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> DecodeBlock(const Compression& compression, Bytes block, uint64_t count) {
  uint64_t size = 0;
  if (compression.is_variable()) return NotFixed();
  if (!CheckedMultiply(ValueBytes(compression), count, &size) || size > kMaxBlockBytes) {
    return arrow::Status::Invalid("a block of ", count, " values is larger than the ", kMaxBlockBytes,
                                  " bytes allowed");
  }
  ARROW_ASSIGN_OR_RAISE(auto out, arrow::AllocateBuffer(static_cast<int64_t>(size)));
  ARROW_RETURN_NOT_OK(std::visit(BlockDecoder{block, count, out->mutable_data()}, compression.kind));
  return std::shared_ptr<arrow::Buffer>(std::move(out));
}

/// A block of values of varying length: the bits of an offset and where the bytes start (32 or 64 bits both, as an
/// offset has), the offsets, the bytes.
arrow::Result<VariableValues> DecodeVariableBlock(const Compression& compression, Bytes block, uint64_t count) {
  if (const auto* general = std::get_if<GeneralCompression>(&compression.kind)) {
    ARROW_ASSIGN_OR_RAISE(auto plain, Decompress(general->scheme, block, kMaxBlockBytes));
    return DecodeVariableBlock(*general->values, BytesOf(*plain), count);
  }
  if (!std::holds_alternative<VariableCompression>(compression.kind)) {
    return arrow::Status::NotImplemented("a dictionary of text that is compressed");
  }
  const uint32_t bits = block.size() < sizeof(uint32_t) ? 0 : LoadLittleEndian<uint32_t>(block.data());
  const size_t width = bits / 8;
  if ((bits != 32 && bits != 64) || block.size() < 2 * width) {
    return arrow::Status::Invalid("a block of ", block.size(), " bytes with offsets of ", bits, " bits");
  }
  uint64_t bytes_start = 0;
  std::memcpy(&bytes_start, block.data() + width, width);
  if (bytes_start < 2 * width || bytes_start > block.size()) {
    return arrow::Status::Invalid("a block of ", block.size(), " bytes whose values start at ", bytes_start);
  }
  const Bytes offsets = block.first(bytes_start).subspan(2 * width);
  const Bytes bytes = block.subspan(bytes_start);
  VariableValues values;
  ARROW_RETURN_NOT_OK(ParseOffsets(offsets, bits, count, {0, count}, bytes, &values.starts));
  ARROW_ASSIGN_OR_RAISE(values.bytes, arrow::AllocateBuffer(static_cast<int64_t>(bytes.size())));
  if (!bytes.empty()) std::memcpy(values.bytes->mutable_data(), bytes.data(), bytes.size());
  return values;
}

arrow::Result<std::vector<uint16_t>> DecodeLevels(const Compression& compression, Bytes block, uint64_t count) {
  if (compression.value_bits() != 16) return arrow::Status::Invalid("levels that do not have 16 bits");
  ARROW_ASSIGN_OR_RAISE(auto decoded, DecodeBlock(compression, block, count));
  const auto* levels = reinterpret_cast<const uint16_t*>(decoded->data());
  return std::vector<uint16_t>(levels, levels + count);
}

arrow::Status DecodeChunkValues(const Compression& compression, std::span<const Bytes> buffers, uint64_t count,
                                std::span<const ValueRange> ranges, uint8_t* out) {
  if (compression.is_variable()) return NotFixed();
  const uint64_t width = ValueBytes(compression);
  if (IsPlain(compression)) {
    // The validity of items has buffers of its own, which are not about values.
    const auto* nullable = compression.nullable_items();
    const size_t num_validities = nullable == nullptr ? 0 : nullable->num_validities();
    if (buffers.size() != num_validities + 1) {
      return arrow::Status::Invalid("a chunk with ", buffers.size(), " buffers of plain values");
    }
    for (const ValueRange& range : ranges) {
      ARROW_RETURN_NOT_OK(
          CopyPlain(buffers.back(), *compression.value_bits(), compression.element_bits() == 1, count, range, out));
      out += range.length * width;
    }
    return arrow::Status::OK();
  }
  if (ranges.size() == 1 && ranges[0].length == count) {
    return std::visit(ChunkDecoder{buffers, count, out}, compression.kind);
  }
  ARROW_ASSIGN_OR_RAISE(auto all, arrow::AllocateBuffer(static_cast<int64_t>(count * width)));
  ARROW_RETURN_NOT_OK(std::visit(ChunkDecoder{buffers, count, all->mutable_data()}, compression.kind));
  for (const ValueRange& range : ranges) {
    std::memcpy(out, all->data() + range.start * width, range.length * width);
    out += range.length * width;
  }
  return arrow::Status::OK();
}

arrow::Status AppendChunkValues(const Compression& compression, std::span<const Bytes> buffers, uint64_t count,
                                std::span<const ValueRange> ranges, ColumnBuilder* out) {
  if (compression.is_variable()) {
    if (buffers.size() != 1) return arrow::Status::Invalid("a chunk with ", buffers.size(), " buffers of text");
    return std::visit(VariableChunkAppender{buffers[0], count, ranges, out}, compression.kind);
  }
  const auto* nullable = compression.nullable_items();
  if (nullable == nullptr) {
    uint64_t wanted = 0;
    for (const ValueRange& range : ranges) wanted += range.length;
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(wanted));
    return DecodeChunkValues(compression, buffers, count, ranges, to);
  }
  for (const ValueRange& range : ranges) {
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(range.length));
    ARROW_RETURN_NOT_OK(DecodeChunkValues(compression, buffers, count, {&range, 1}, to));
    ARROW_RETURN_NOT_OK(AppendItemValidity(*nullable, buffers, count, range, out));
  }
  return arrow::Status::OK();
}

arrow::Status AppendFsstValues(const FsstDecoder& decoder, Bytes bytes, std::span<uint64_t> starts,
                               ColumnBuilder* out) {
  const uint64_t size = starts.back() - starts.front();
  ARROW_ASSIGN_OR_RAISE(uint8_t* const to, out->ExtendBytes(size * FsstDecoder::kMaxExpansion));
  uint64_t end = 0;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t length,
                          decoder.Decode(bytes.subspan(starts[i], starts[i + 1] - starts[i]), to + end));
    starts[i] = end += length;
  }
  out->FinishBytes(starts.first(starts.size() - 1));
  return arrow::Status::OK();
}

arrow::Status AppendZippedValue(const Compression& compression, Bytes value, ColumnBuilder* out) {
  if (const auto* fsst = std::get_if<FsstCompression>(&compression.kind)) {
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendBytes(value.size() * FsstDecoder::kMaxExpansion));
    ARROW_ASSIGN_OR_RAISE(const uint64_t size, fsst->decoder->Decode(value, to));
    out->FinishBytes({&size, 1});
    return arrow::Status::OK();
  }
  return DecodeValue(compression, value, [out](Bytes bytes) { return out->AppendBytes(bytes); });
}

}  // namespace fewter::lance
