#include "fewter/lance/encoding/array_encoding_internal.h"

#include <limits>
#include <string>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/lance/proto/encodings_v2_0.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

using pb::v2_0::ArrayEncoding;

constexpr std::string_view kArrayEncodingUrl = "/lance.encodings.ArrayEncoding";
/// Real trees are five deep.
constexpr int kMaxDepth = 12;
constexpr uint64_t kMaxValueBits = uint64_t{1} << 32;

const char* NameOf(const ArrayEncoding& message) {
  switch (message.array_encoding_case()) {
    case ArrayEncoding::kFlat:
      return "flat";
    case ArrayEncoding::kNullable:
      return "nullable";
    case ArrayEncoding::kFixedSizeList:
      return "fixed_size_list";
    case ArrayEncoding::kList:
      return "list";
    case ArrayEncoding::kStruct:
      return "struct";
    case ArrayEncoding::kBinary:
      return "binary";
    case ArrayEncoding::kDictionary:
      return "dictionary";
    case ArrayEncoding::kFsst:
      return "fsst";
    case ArrayEncoding::kPackedStruct:
      return "packed_struct";
    case ArrayEncoding::kBitpacked:
      return "bitpacked";
    case ArrayEncoding::kFixedSizeBinary:
      return "fixed_size_binary";
    case ArrayEncoding::kBitpackedForNonNeg:
      return "bitpacked_for_non_neg";
    case ArrayEncoding::kConstant:
      return "constant";
    default:
      return "(none, or one newer than this reader)";
  }
}

arrow::Status NotRead(const ArrayEncoding& message) {
  return arrow::Status::NotImplemented("the encoding '", NameOf(message), "' in this place");
}

arrow::Result<ByteRange> BufferOf(const pb::v2_0::Buffer& message, const PageMetadata& page) {
  if (message.buffer_type() != pb::v2_0::Buffer::PAGE) {
    return arrow::Status::NotImplemented("values that are not in a page's own buffers");
  }
  if (message.buffer_index() >= page.buffers.size()) {
    return arrow::Status::Invalid("buffer ", message.buffer_index(), " of ", page.buffers.size());
  }
  return page.buffers[message.buffer_index()];
}

/// The buffer of flat values, which must hold as many. 1 bit a value, or a whole number of bytes.
arrow::Result<ByteRange> ParseFlat(const pb::v2_0::Flat& message, const PageMetadata& page, uint64_t num_values) {
  if (message.has_compression()) return arrow::Status::NotImplemented("the encoding 'flat' with compressed data");
  const uint64_t bits = message.bits_per_value();
  if (bits == 0 || (bits != 1 && bits % 8 != 0) || bits > kMaxValueBits) {
    return arrow::Status::NotImplemented("the encoding 'flat' of ", bits, " bits");
  }
  ARROW_ASSIGN_OR_RAISE(const ByteRange range, BufferOf(message.buffer(), page));
  uint64_t total = 0;
  if (!CheckedMultiply(num_values, bits, &total) || total / 8 + (total % 8 != 0) > range.length) {
    return arrow::Status::Invalid(range.length, " bytes cannot hold ", num_values, " values of ", bits, " bits");
  }
  return range;
}

/// What is inside a nullable encoding of which nothing is null.
const ArrayEncoding& WithoutNulls(const ArrayEncoding& message) {
  return message.has_nullable() && message.nullable().has_no_nulls() ? message.nullable().no_nulls().values() : message;
}

/// Flat values without nulls of that many bits.
arrow::Result<ByteRange> ParseWords(const ArrayEncoding& message, const PageMetadata& page, uint64_t bits,
                                    uint64_t num_values) {
  const ArrayEncoding& values = WithoutNulls(message);
  if (!values.has_flat() || values.flat().bits_per_value() != bits) return NotRead(values);
  return ParseFlat(values.flat(), page, num_values);
}

/// Flattens a tree of nullable, fixed_size_list and flat.
class PlainParser {
 public:
  explicit PlainParser(const PageMetadata& page) : page_(page) {}

  arrow::Result<PlainArray> Parse(const ArrayEncoding& message, uint64_t num_values) {
    ARROW_RETURN_NOT_OK(ParseLayer(message, num_values, 0));
    return out_;
  }

 private:
  /// `num_values` is how many values the page must have at this layer.
  arrow::Status ParseLayer(const ArrayEncoding& message, uint64_t num_values, int depth) {
    if (depth > kMaxDepth) return arrow::Status::Invalid("encodings nested more than ", kMaxDepth, " deep");
    switch (message.array_encoding_case()) {
      case ArrayEncoding::kNullable:
        return ParseNullable(message.nullable(), num_values, depth);
      case ArrayEncoding::kFixedSizeList:
        return ParseFixedSizeList(message.fixed_size_list(), num_values, depth);
      case ArrayEncoding::kFlat: {
        ARROW_ASSIGN_OR_RAISE(out_.values, ParseFlat(message.flat(), page_, num_values));
        out_.element_bits = message.flat().bits_per_value();
        out_.bits = out_.element_bits * items_;
        if (out_.bits <= kMaxValueBits) return arrow::Status::OK();
        return arrow::Status::Invalid("values of ", out_.bits, " bits");
      }
      default:
        return NotRead(message);
    }
  }

  arrow::Status ParseNullable(const pb::v2_0::Nullable& message, uint64_t num_values, int depth) {
    auto& validity = out_.dimensions.empty() ? out_.validity : out_.dimensions.back().validity;
    auto& all_null = out_.dimensions.empty() ? out_.all_null : out_.dimensions.back().all_null;
    switch (message.nullability_case()) {
      case pb::v2_0::Nullable::kNoNulls:
        return ParseLayer(message.no_nulls().values(), num_values, depth + 1);
      case pb::v2_0::Nullable::kSomeNulls: {
        if (validity) return arrow::Status::Invalid("two layers of nulls of the same values");
        ARROW_ASSIGN_OR_RAISE(validity, ParseWords(message.some_nulls().validity(), page_, 1, num_values));
        return ParseLayer(message.some_nulls().values(), num_values, depth + 1);
      }
      case pb::v2_0::Nullable::kAllNulls:
        if (validity) return arrow::Status::Invalid("two layers of nulls of the same values");
        all_null = true;
        return arrow::Status::OK();
      default:
        return arrow::Status::Invalid("a nullable encoding without values");
    }
  }

  arrow::Status ParseFixedSizeList(const pb::v2_0::FixedSizeList& message, uint64_t num_values, int depth) {
    if (message.has_validity()) return arrow::Status::NotImplemented("a fixed_size_list with nulls of its own");
    if (message.dimension() == 0 || !CheckedMultiply(items_, message.dimension(), &items_) || items_ > kMaxValueBits ||
        !CheckedMultiply(num_values, message.dimension(), &num_values)) {
      return arrow::Status::Invalid("a fixed_size_list of ", message.dimension(), " items");
    }
    out_.dimensions.push_back({items_, std::nullopt, false});
    return ParseLayer(message.items(), num_values, depth + 1);
  }

  const PageMetadata& page_;
  PlainArray out_;
  /// Flat values in one value.
  uint64_t items_ = 1;
};

arrow::Result<PlainArray> ParsePackedStruct(const pb::v2_0::PackedStruct& message, const PageMetadata& page) {
  PlainArray structs;
  for (const ArrayEncoding& field : message.inner()) {
    const ArrayEncoding* values = &WithoutNulls(field);
    uint64_t items = 1;
    for (int depth = 0; values->has_fixed_size_list() && depth < kMaxDepth; ++depth) {
      items *= values->fixed_size_list().dimension();
      if (items > kMaxValueBits) return arrow::Status::Invalid("a packed struct with ", items, " items");
      values = &WithoutNulls(values->fixed_size_list().items());
    }
    const uint64_t bits = values->flat().bits_per_value();
    if (!values->has_flat() || bits % 8 != 0 || bits > kMaxValueBits) return NotRead(*values);
    structs.bits += bits * items;
    if (structs.bits > kMaxValueBits) return arrow::Status::Invalid("packed structs of ", structs.bits, " bits");
  }
  ARROW_ASSIGN_OR_RAISE(structs.values, BufferOf(message.buffer(), page));
  uint64_t size = 0;
  if (structs.bits == 0 || !CheckedMultiply(structs.bits / 8, page.num_rows, &size) || size > structs.values.length) {
    return arrow::Status::Invalid(structs.values.length, " bytes cannot hold ", page.num_rows, " packed structs of ",
                                  structs.bits, " bits");
  }
  structs.element_bits = structs.bits;
  return structs;
}

arrow::Result<BinaryArray> ParseBinary(const pb::v2_0::Binary& message, const PageMetadata& page, uint64_t num_values) {
  BinaryArray binary;
  ARROW_ASSIGN_OR_RAISE(binary.ends, ParseWords(message.indices(), page, 64, num_values));
  const ArrayEncoding& bytes = WithoutNulls(message.bytes());
  if (!bytes.has_flat() || bytes.flat().bits_per_value() != 8) return NotRead(bytes);
  ARROW_ASSIGN_OR_RAISE(binary.bytes, BufferOf(bytes.flat().buffer(), page));
  if (bytes.flat().has_compression()) {
    const std::string& scheme = bytes.flat().compression().scheme();
    if (scheme == "zstd") {
      binary.compression = CompressionScheme::kZstd;
    } else if (scheme == "lz4") {
      binary.compression = CompressionScheme::kLz4;
    } else if (scheme != "none") {
      return arrow::Status::NotImplemented("the compression scheme '", scheme, "'");
    }
  }
  binary.null_adjustment = message.null_adjustment();
  return binary;
}

arrow::Result<BinaryArray> ParseFsst(const pb::v2_0::Fsst& message, const PageMetadata& page) {
  if (!message.binary().has_binary()) return NotRead(message.binary());
  ARROW_ASSIGN_OR_RAISE(BinaryArray binary, ParseBinary(message.binary().binary(), page, page.num_rows));
  ARROW_ASSIGN_OR_RAISE(binary.fsst, FsstDecoder::Make(message.symbol_table()));
  return binary;
}

arrow::Result<DictionaryArray> ParseDictionary(const pb::v2_0::Dictionary& message, const PageMetadata& page) {
  DictionaryArray dictionary;
  dictionary.num_items = message.num_dictionary_items();
  ARROW_ASSIGN_OR_RAISE(dictionary.indices, PlainParser(page).Parse(message.indices(), page.num_rows));
  if (!IsWordWidth(dictionary.indices.bits) || !dictionary.indices.dimensions.empty()) {
    return arrow::Status::NotImplemented("dictionary indices of ", dictionary.indices.bits, " bits");
  }
  if (message.items().has_binary()) {
    ARROW_ASSIGN_OR_RAISE(dictionary.items, ParseBinary(message.items().binary(), page, dictionary.num_items));
  } else {
    ARROW_ASSIGN_OR_RAISE(dictionary.items, PlainParser(page).Parse(message.items(), dictionary.num_items));
  }
  return dictionary;
}

arrow::Result<ListArray> ParseList(const pb::v2_0::List& message, const PageMetadata& page) {
  ARROW_ASSIGN_OR_RAISE(const ByteRange offsets, ParseWords(message.offsets(), page, 64, page.num_rows));
  return ListArray{offsets, message.null_offset_adjustment(), message.num_items()};
}

}  // namespace

arrow::Result<ArrayPage> ParseArrayPage(const PageMetadata& page) {
  if (page.encoding_type_url != kArrayEncodingUrl) {
    return arrow::Status::NotImplemented("pages of type '", page.encoding_type_url, "'");
  }
  ArrayEncoding message;
  if (page.encoding.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(page.encoding.data(), static_cast<int>(page.encoding.size()))) {
    return arrow::Status::Invalid("the encoding of a page is not a valid message");
  }
  switch (message.array_encoding_case()) {
    case ArrayEncoding::kList:
      return ParseList(message.list(), page);
    case ArrayEncoding::kBinary:
      return ParseBinary(message.binary(), page, page.num_rows);
    case ArrayEncoding::kFsst:
      return ParseFsst(message.fsst(), page);
    case ArrayEncoding::kDictionary:
      return ParseDictionary(message.dictionary(), page);
    case ArrayEncoding::kPackedStruct:
      return ParsePackedStruct(message.packed_struct(), page);
    default:
      return PlainParser(page).Parse(message, page.num_rows);
  }
}

}  // namespace fewter::lance
