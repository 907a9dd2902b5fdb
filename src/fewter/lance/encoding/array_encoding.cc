#include "fewter/lance/encoding/array_encoding_internal.h"

#include <limits>

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

/// Flattens a tree of nullable, fixed_size_list and flat.
class PlainParser {
 public:
  explicit PlainParser(const PageMetadata& page) : page_(page) {}

  /// `num_values` is how many flat values the page must have at this level.
  arrow::Status Parse(const ArrayEncoding& message, uint64_t num_values, int depth) {
    if (depth > kMaxDepth) return arrow::Status::Invalid("encodings nested more than ", kMaxDepth, " deep");
    switch (message.array_encoding_case()) {
      case ArrayEncoding::kNullable:
        return ParseNullable(message.nullable(), num_values, depth);
      case ArrayEncoding::kFixedSizeList:
        return ParseFixedSizeList(message.fixed_size_list(), num_values, depth);
      case ArrayEncoding::kFlat:
        return ParseFlat(message.flat(), num_values, &out_.values, &out_.bits);
      default:
        return NotRead(message);
    }
  }

  const PlainArray& result() {
    out_.items = items_;
    return out_;
  }

 private:
  arrow::Status ParseNullable(const pb::v2_0::Nullable& message, uint64_t num_values, int depth) {
    switch (message.nullability_case()) {
      case pb::v2_0::Nullable::kNoNulls:
        return Parse(message.no_nulls().values(), num_values, depth + 1);
      case pb::v2_0::Nullable::kSomeNulls: {
        auto& validity = is_vector_ ? out_.item_validity : out_.validity;
        if (validity || num_lists_ > 1) return NotSimple();
        ARROW_RETURN_NOT_OK(ParseValidity(message.some_nulls().validity(), num_values, &validity));
        return Parse(message.some_nulls().values(), num_values, depth + 1);
      }
      case pb::v2_0::Nullable::kAllNulls:
        if (is_vector_ ? out_.item_validity || num_lists_ > 1 : out_.validity.has_value()) return NotSimple();
        out_.bits = 0;
        out_.only_items_are_null = is_vector_;
        return arrow::Status::OK();
      default:
        return arrow::Status::Invalid("a nullable encoding without values");
    }
  }

  static arrow::Status NotSimple() {
    return arrow::Status::NotImplemented("nulls on more than two levels of a fixed_size_list");
  }

  arrow::Status ParseValidity(const ArrayEncoding& message, uint64_t num_values, std::optional<ByteRange>* validity) {
    const ArrayEncoding* bits = &message;
    // The bits are themselves an array without nulls.
    if (bits->has_nullable() && bits->nullable().has_no_nulls()) bits = &bits->nullable().no_nulls().values();
    if (!bits->has_flat() || bits->flat().bits_per_value() != 1) return NotRead(*bits);
    uint64_t one = 0;
    return ParseFlat(bits->flat(), num_values, &validity->emplace(), &one);
  }

  arrow::Status ParseFixedSizeList(const pb::v2_0::FixedSizeList& message, uint64_t num_values, int depth) {
    if (message.has_validity()) return NotSimple();
    if (message.dimension() == 0 || !CheckedMultiply(items_, message.dimension(), &items_) || items_ > kMaxValueBits ||
        !CheckedMultiply(num_values, message.dimension(), &num_values)) {
      return arrow::Status::Invalid("a fixed_size_list of ", message.dimension(), " items");
    }
    is_vector_ = true;
    ++num_lists_;
    return Parse(message.items(), num_values, depth + 1);
  }

  arrow::Status ParseFlat(const pb::v2_0::Flat& message, uint64_t num_values, ByteRange* range, uint64_t* bits) {
    if (message.has_compression()) return arrow::Status::NotImplemented("the encoding 'flat' with compressed data");
    if (message.buffer().buffer_type() != pb::v2_0::Buffer::PAGE) {
      return arrow::Status::NotImplemented("values that are not in a page's own buffers");
    }
    const uint64_t width = message.bits_per_value();
    if ((width != 1 && width != 8 && width != 16 && width != 32 && width != 64) ||
        (width == 1 && is_vector_ && range == &out_.values)) {
      return arrow::Status::NotImplemented("the encoding 'flat' of ", width, " bits");
    }
    if (message.buffer().buffer_index() >= page_.buffers.size()) {
      return arrow::Status::Invalid("buffer ", message.buffer().buffer_index(), " of ", page_.buffers.size());
    }
    *range = page_.buffers[message.buffer().buffer_index()];
    uint64_t total = 0;
    if (!CheckedMultiply(num_values, width, &total) || total / 8 + (total % 8 != 0) > range->length) {
      return arrow::Status::Invalid(range->length, " bytes cannot hold ", num_values, " values of ", width, " bits");
    }
    *bits = width * (range == &out_.values ? items_ : 1);
    if (*bits > kMaxValueBits) return arrow::Status::Invalid("values of ", *bits, " bits");
    return arrow::Status::OK();
  }

  const PageMetadata& page_;
  PlainArray out_;
  /// Flat values in one value.
  uint64_t items_ = 1;
  bool is_vector_ = false;
  /// Fixed-size lists in one another.
  uint32_t num_lists_ = 0;
};

arrow::Result<PlainArray> ParsePlain(const ArrayEncoding& message, const PageMetadata& page) {
  PlainParser parser(page);
  ARROW_RETURN_NOT_OK(parser.Parse(message, page.num_rows, 0));
  return parser.result();
}

arrow::Result<ArrayPage> ParseList(const pb::v2_0::List& message, const PageMetadata& page) {
  ARROW_ASSIGN_OR_RAISE(const PlainArray offsets, ParsePlain(message.offsets(), page));
  if (offsets.bits != 64 || offsets.validity) {
    return arrow::Status::NotImplemented("list offsets that are not plain 64-bit numbers");
  }
  return ListArray{offsets.values, message.null_offset_adjustment(), message.num_items()};
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
  if (message.has_list()) return ParseList(message.list(), page);
  return ParsePlain(message, page);
}

}  // namespace fewter::lance
