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

/// The bits of an encoding that must be flat words.
arrow::Result<uint32_t> FlatWordWidth(const pb::v2_1::CompressiveEncoding& message, const char* what) {
  if (!message.has_flat() || message.flat().has_data()) {
    return arrow::Status::NotImplemented(what, " that are compressed in turn");
  }
  return WordWidth(message.flat().bits_per_value(), what);
}

/// The bits of plain values: 1, or whole bytes.
arrow::Result<uint64_t> FlatBits(const pb::v2_1::Flat& message) {
  if (message.has_data()) return arrow::Status::NotImplemented("the encoding 'flat' with compressed data");
  const uint64_t bits = message.bits_per_value();
  if (bits != 1 && (bits == 0 || bits % 8 != 0)) {
    return arrow::Status::NotImplemented("the encoding 'flat' of ", bits, " bits");
  }
  if (bits > kMaxValueBits) return arrow::Status::Invalid("values of ", bits, " bits");
  return bits;
}

arrow::Result<Compression> ParseFlat(const pb::v2_1::Flat& message) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t bits, FlatBits(message));
  return Compression{FlatCompression{bits}};
}

/// The width of plain offsets.
arrow::Result<uint32_t> OffsetBits(const pb::v2_1::CompressiveEncoding& message) {
  if (!message.has_variable()) return arrow::Status::NotImplemented("text that is not followed by plain text");
  const auto& offsets = message.variable().offsets();
  if (message.variable().has_values()) {
    return arrow::Status::NotImplemented("the encoding 'variable' with compressed data");
  }
  if (!offsets.has_flat() || (offsets.flat().bits_per_value() != 32 && offsets.flat().bits_per_value() != 64)) {
    return arrow::Status::NotImplemented("the encoding 'variable' with offsets that are not plain");
  }
  return static_cast<uint32_t>(offsets.flat().bits_per_value());
}

arrow::Result<Compression> ParseVariable(const pb::v2_1::CompressiveEncoding& message) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t offset_bits, OffsetBits(message));
  return Compression{VariableCompression{offset_bits}};
}

arrow::Result<Compression> ParseFsst(const pb::v2_1::Fsst& message) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t offset_bits, OffsetBits(message.values()));
  ARROW_ASSIGN_OR_RAISE(auto decoder, FsstDecoder::Make(message.symbol_table()));
  return Compression{FsstCompression{std::move(decoder), offset_bits}};
}

arrow::Result<Compression> ParseFixedSizeList(const pb::v2_1::FixedSizeList& message) {
  FixedSizeListCompression list;
  uint64_t num_items = 1;
  const pb::v2_1::FixedSizeList* layer = &message;
  while (true) {
    if (layer->items_per_value() == 0 || list.dimensions.size() == kMaxDepth ||
        !CheckedMultiply(num_items, layer->items_per_value(), &num_items) || num_items > kMaxValueBits) {
      return arrow::Status::Invalid("a fixed_size_list of ", layer->items_per_value(), " items");
    }
    list.dimensions.push_back({num_items, layer->has_validity()});
    if (!layer->values().has_fixed_size_list()) break;
    layer = &layer->values().fixed_size_list();
  }
  // All elements are null, and have no bytes.
  if (layer->has_validity() && layer->values().has_constant()) return Compression{std::move(list)};
  if (!layer->values().has_flat()) {
    return arrow::Status::NotImplemented("a fixed_size_list of values that are not flat");
  }
  ARROW_ASSIGN_OR_RAISE(list.bits, FlatBits(layer->values().flat()));
  uint64_t bits = 0;
  if (!CheckedMultiply(num_items, list.bits, &bits) || bits > kMaxValueBits) {
    return arrow::Status::Invalid("vectors of ", num_items, " values of ", list.bits, " bits");
  }
  return Compression{std::move(list)};
}

arrow::Result<Compression> ParseByteStreamSplit(const pb::v2_1::ByteStreamSplit& message) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t bits, FlatWordWidth(message.values(), "values of 'byte_stream_split'"));
  if (bits < 32) return arrow::Status::NotImplemented("the encoding 'byte_stream_split' of ", bits, " bits");
  return Compression{ByteStreamSplit{bits}};
}

/// Structs of fixed width are read as values as wide as all their fields.
arrow::Result<Compression> ParsePackedStruct(const pb::v2_1::PackedStruct& message) {
  if (!message.values().has_flat()) return arrow::Status::NotImplemented("packed structs that are not flat");
  ARROW_ASSIGN_OR_RAISE(const uint64_t bits, FlatBits(message.values().flat()));
  uint64_t sum = 0;
  for (const uint64_t field : message.bits_per_value()) {
    if (field % 8 != 0 || !CheckedAdd(sum, field, &sum)) return arrow::Status::Invalid("a field of ", field, " bits");
  }
  if (sum != bits) return arrow::Status::Invalid("fields of ", sum, " bits packed to ", bits);
  return Compression{FlatCompression{bits}};
}

arrow::Result<Compression> ParseVariablePackedStruct(const pb::v2_1::VariablePackedStruct& message, int depth) {
  VariablePackedStruct structs;
  for (const auto& field : message.fields()) {
    ARROW_ASSIGN_OR_RAISE(Compression value, Parse(field.value(), depth + 1));
    const bool is_variable = field.has_bits_per_length();
    const uint64_t bits = is_variable ? field.bits_per_length() : field.bits_per_value();
    const bool fits = is_variable ? value.is_variable() && (bits == 32 || bits == 64)
                                  : value.value_bits() == bits && bits % 8 == 0 && value.nullable_items() == nullptr;
    if (!fits) return arrow::Status::Invalid("a packed struct with a field of ", bits, " bits, encoded in another way");
    structs.fields.push_back({std::make_shared<const Compression>(std::move(value)), bits / 8, is_variable});
  }
  if (structs.fields.empty()) return arrow::Status::Invalid("a packed struct without fields");
  return Compression{std::move(structs)};
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

/// The values or the lengths of runs; nothing in `compression` if they are plain.
arrow::Result<uint32_t> ParseRuns(const pb::v2_1::CompressiveEncoding& message, int depth, const char* what,
                                  std::shared_ptr<const Compression>* compression) {
  if (message.has_flat()) return FlatWordWidth(message, what);
  ARROW_ASSIGN_OR_RAISE(Compression parsed, Parse(message, depth + 1));
  const Compression* inner = &parsed;
  if (const auto* general = std::get_if<GeneralCompression>(&parsed.kind)) inner = general->values.get();
  if (!std::holds_alternative<FlatCompression>(inner->kind) &&
      !std::holds_alternative<OutOfLineBitPacking>(inner->kind)) {
    return arrow::Status::NotImplemented(what, " that are compressed in another way than by packing");
  }
  ARROW_ASSIGN_OR_RAISE(const uint32_t bits, WordWidth(*inner->value_bits(), what));
  *compression = std::make_shared<const Compression>(std::move(parsed));
  return bits;
}

arrow::Result<Compression> ParseRunLength(const pb::v2_1::Rle& message, int depth) {
  RunLengthCompression runs;
  ARROW_ASSIGN_OR_RAISE(runs.value_bits,
                        ParseRuns(message.values(), depth, "the values of the encoding 'rle'", &runs.values));
  ARROW_ASSIGN_OR_RAISE(runs.length_bits, ParseRuns(message.run_lengths(), depth,
                                                    "the run lengths of the encoding 'rle'", &runs.lengths));
  return Compression{std::move(runs)};
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
    case Message::kConstant:
      return "constant";
    case Message::kDictionary:
      return "dictionary";
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
      return ParseFixedSizeList(message.fixed_size_list());
    case Message::kInlineBitpacking:
      return ParseInline(message.inline_bitpacking());
    case Message::kOutOfLineBitpacking:
      return ParseOutOfLine(message.out_of_line_bitpacking());
    case Message::kRle:
      return ParseRunLength(message.rle(), depth);
    case Message::kGeneral:
      return ParseGeneral(message.general(), depth);
    case Message::kVariable:
      return ParseVariable(message);
    case Message::kFsst:
      return ParseFsst(message.fsst());
    case Message::kByteStreamSplit:
      return ParseByteStreamSplit(message.byte_stream_split());
    case Message::kPackedStruct:
      return ParsePackedStruct(message.packed_struct());
    case Message::kVariablePackedStruct:
      return ParseVariablePackedStruct(message.variable_packed_struct(), depth);
    default:
      return arrow::Status::NotImplemented("the encoding '", NameOfUnread(message.compression_case()), "'");
  }
}

struct BitsOf {
  using Bits = std::optional<uint64_t>;
  Bits operator()(const FlatCompression& flat) const { return flat.bits; }
  Bits operator()(const FixedSizeListCompression& list) const { return list.num_items() * list.bits; }
  Bits operator()(const InlineBitPacking& packing) const { return packing.bits; }
  Bits operator()(const OutOfLineBitPacking& packing) const { return packing.bits; }
  Bits operator()(const RunLengthCompression& runs) const { return runs.value_bits; }
  Bits operator()(const ByteStreamSplit& split) const { return split.bits; }
  Bits operator()(const VariableCompression&) const { return std::nullopt; }
  Bits operator()(const FsstCompression&) const { return std::nullopt; }
  Bits operator()(const VariablePackedStruct&) const { return std::nullopt; }
  Bits operator()(const GeneralCompression& general) const { return general.values->value_bits(); }
};

}  // namespace

uint64_t FixedSizeListCompression::validity_bytes() const {
  uint64_t bytes = 0;
  for (const Dimension& dimension : dimensions) bytes += dimension.validity_bytes();
  return bytes;
}

uint64_t FixedSizeListCompression::num_validities() const {
  uint64_t count = 0;
  for (const Dimension& dimension : dimensions) count += dimension.has_validity ? 1 : 0;
  return count;
}

std::optional<uint64_t> Compression::value_bits() const {
  return std::visit(BitsOf{}, kind);
}

uint64_t Compression::element_bits() const {
  if (const auto* list = std::get_if<FixedSizeListCompression>(&kind)) return list->bits;
  if (const auto* general = std::get_if<GeneralCompression>(&kind)) return general->values->element_bits();
  return value_bits().value_or(8);
}

arrow::Result<Compression> ParseCompression(const pb::v2_1::CompressiveEncoding& message) {
  return Parse(message, 0);
}

}  // namespace fewter::lance
