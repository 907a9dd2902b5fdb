#include "fewter/lance/encoding/compression_internal.h"

#include <utility>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/lance/proto/encodings_v2_1.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// Real encodings are three deep at most.
constexpr int kMaxDepth = 8;
/// A vector of half a GiB: more than any file holds, and small enough that sums of bits cannot overflow.
constexpr uint64_t kMaxValueBits = uint64_t{1} << 32;

arrow::Result<Compression> Parse(const pb::v2_1::CompressiveEncoding& message, int depth);

arrow::Result<uint32_t> WordWidth(uint64_t bits, const char* what) {
  if (!IsWordWidth(bits)) return arrow::Status::NotImplemented(what, " of ", bits, " bits");
  return static_cast<uint32_t>(bits);
}

arrow::Result<Compression> ParseFlat(const pb::v2_1::Flat& message) {
  if (message.has_data()) return arrow::Status::NotImplemented("the encoding 'flat' with compressed data");
  if (message.bits_per_value() == 1) return Compression{FlatCompression{1}};
  ARROW_ASSIGN_OR_RAISE(const uint32_t bits, WordWidth(message.bits_per_value(), "the encoding 'flat'"));
  return Compression{FlatCompression{bits}};
}

/// The bits of an encoding that must be flat words.
arrow::Result<uint32_t> FlatWordWidth(const pb::v2_1::CompressiveEncoding& message, const char* what) {
  if (!message.has_flat() || message.flat().has_data()) {
    return arrow::Status::NotImplemented(what, " that are compressed in turn");
  }
  return WordWidth(message.flat().bits_per_value(), what);
}

arrow::Result<Compression> ParseFixedSizeList(const pb::v2_1::FixedSizeList& message, int depth) {
  if (message.has_validity() && message.values().has_constant() && !message.values().constant().has_value()) {
    if (message.items_per_value() == 0 || message.items_per_value() > kMaxValueBits) {
      return arrow::Status::Invalid("a fixed_size_list of ", message.items_per_value(), " items");
    }
    return Compression{FixedSizeListCompression{message.items_per_value(), 0, true}};
  }
  ARROW_ASSIGN_OR_RAISE(const Compression values, Parse(message.values(), depth + 1));
  FixedSizeListCompression list;
  if (const auto* flat = std::get_if<FlatCompression>(&values.kind); flat != nullptr && flat->bits >= 8) {
    list = {1, flat->bits};
  } else if (const auto* inner = std::get_if<FixedSizeListCompression>(&values.kind)) {
    if (message.has_validity() || inner->has_validity) {
      return arrow::Status::NotImplemented("nulls inside a fixed_size_list of fixed_size_lists");
    }
    list = *inner;
  } else {
    return arrow::Status::NotImplemented("a fixed_size_list of values that are not flat words");
  }
  uint64_t bits = 0;
  if (message.items_per_value() == 0 || !CheckedMultiply(list.num_items, message.items_per_value(), &list.num_items) ||
      !CheckedMultiply(list.num_items, list.bits, &bits) || bits > kMaxValueBits) {
    return arrow::Status::Invalid("a fixed_size_list of ", message.items_per_value(), " items");
  }
  list.has_validity = message.has_validity();
  return Compression{list};
}

arrow::Result<Compression> ParseOutOfLine(const pb::v2_1::OutOfLineBitpacking& message) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t bits,
                        WordWidth(message.uncompressed_bits_per_value(), "the encoding 'out_of_line_bitpacking'"));
  if (!message.values().has_flat()) return arrow::Status::NotImplemented("bit-packed values that are not flat");
  const uint64_t packed = message.values().flat().bits_per_value();
  if (packed > bits) return arrow::Status::Invalid(bits, "-bit values packed to ", packed, " bits");
  return Compression{OutOfLineBitPacking{bits, static_cast<uint32_t>(packed)}};
}

arrow::Result<Compression> ParseInline(const pb::v2_1::InlineBitpacking& message) {
  if (message.has_values()) return arrow::Status::NotImplemented("inline bit-packed values that are compressed");
  ARROW_ASSIGN_OR_RAISE(const uint32_t bits,
                        WordWidth(message.uncompressed_bits_per_value(), "the encoding 'inline_bitpacking'"));
  return Compression{InlineBitPacking{bits}};
}

arrow::Result<Compression> ParseRunLength(const pb::v2_1::Rle& message) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t value_bits, FlatWordWidth(message.values(), "the values of the encoding 'rle'"));
  ARROW_ASSIGN_OR_RAISE(const uint32_t length_bits,
                        FlatWordWidth(message.run_lengths(), "the run lengths of the encoding 'rle'"));
  return Compression{RunLengthCompression{value_bits, length_bits}};
}

arrow::Result<Compression> ParseGeneral(const pb::v2_1::General& message, int depth) {
  GeneralCompression general;
  switch (message.compression().scheme()) {
    case pb::v2_1::LZ4:
      general.scheme = CompressionScheme::kLz4;
      break;
    case pb::v2_1::ZSTD:
      general.scheme = CompressionScheme::kZstd;
      break;
    default:
      return arrow::Status::NotImplemented("compression scheme ", static_cast<int>(message.compression().scheme()));
  }
  ARROW_ASSIGN_OR_RAISE(Compression values, Parse(message.values(), depth + 1));
  general.values = std::make_shared<const Compression>(std::move(values));
  return Compression{std::move(general)};
}

const char* NameOfUnread(pb::v2_1::CompressiveEncoding::CompressionCase kind) {
  using Message = pb::v2_1::CompressiveEncoding;
  switch (kind) {
    case Message::kVariable:
      return "variable";
    case Message::kConstant:
      return "constant";
    case Message::kFsst:
      return "fsst";
    case Message::kDictionary:
      return "dictionary";
    case Message::kByteStreamSplit:
      return "byte_stream_split";
    case Message::kPackedStruct:
      return "packed_struct";
    case Message::kVariablePackedStruct:
      return "variable_packed_struct";
    default:
      return "(none, or one newer than this reader)";
  }
}

arrow::Result<Compression> Parse(const pb::v2_1::CompressiveEncoding& message, int depth) {
  using Message = pb::v2_1::CompressiveEncoding;
  if (depth > kMaxDepth) return arrow::Status::Invalid("encodings nested more than ", kMaxDepth, " deep");
  switch (message.compression_case()) {
    case Message::kFlat:
      return ParseFlat(message.flat());
    case Message::kFixedSizeList:
      return ParseFixedSizeList(message.fixed_size_list(), depth);
    case Message::kInlineBitpacking:
      return ParseInline(message.inline_bitpacking());
    case Message::kOutOfLineBitpacking:
      return ParseOutOfLine(message.out_of_line_bitpacking());
    case Message::kRle:
      return ParseRunLength(message.rle());
    case Message::kGeneral:
      return ParseGeneral(message.general(), depth);
    default:
      return arrow::Status::NotImplemented("the encoding '", NameOfUnread(message.compression_case()), "'");
  }
}

struct BitsOf {
  uint64_t operator()(const FlatCompression& flat) const { return flat.bits; }
  uint64_t operator()(const FixedSizeListCompression& list) const { return list.num_items * list.bits; }
  uint64_t operator()(const InlineBitPacking& packing) const { return packing.bits; }
  uint64_t operator()(const OutOfLineBitPacking& packing) const { return packing.bits; }
  uint64_t operator()(const RunLengthCompression& runs) const { return runs.value_bits; }
  uint64_t operator()(const GeneralCompression& general) const { return general.values->value_bits(); }
};

}  // namespace

uint64_t Compression::value_bits() const {
  return std::visit(BitsOf{}, kind);
}

arrow::Result<Compression> ParseCompression(const pb::v2_1::CompressiveEncoding& message) {
  return Parse(message, 0);
}

}  // namespace fewter::lance
