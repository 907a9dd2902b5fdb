#include "fewter/lance/encoding/page_layout_internal.h"

#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/lance/proto/encodings_v2_1.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

constexpr std::string_view kPageLayoutUrl = "/lance.encodings21.PageLayout";
/// Vectors of vectors have one for each depth at which there are nulls.
constexpr uint64_t kMaxValueBuffers = 8;

template <typename Layers>
arrow::Result<LevelMeaning> ParseLayers(const Layers& layers, const ColumnLayers& column) {
  return LevelMeaning::FromLayers(std::vector<int>(layers.begin(), layers.end()), column.lists, column.strides);
}

/// The compression of levels, if the message has one.
arrow::Result<std::optional<Compression>> ParseLevels(bool present, const pb::v2_1::CompressiveEncoding& message) {
  if (!present) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(Compression levels, ParseCompression(message));
  if (levels.value_bits() != 16) return arrow::Status::Invalid("levels that do not have 16 bits");
  return levels;
}

arrow::Status CheckNumBuffers(const PageMetadata& page, uint64_t expected, const char* layout) {
  if (page.buffers.size() == expected) return arrow::Status::OK();
  return arrow::Status::Invalid("a ", layout, " page with ", page.buffers.size(), " buffers, not ", expected);
}

arrow::Status ParseDictionary(const pb::v2_1::MiniBlockLayout& message, MiniBlockLayout* layout) {
  if (!message.has_dictionary()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(layout->dictionary, ParseCompression(message.dictionary()));
  layout->num_dictionary_items = message.num_dictionary_items();
  if (!IsWordWidth(layout->values.value_bits().value_or(0))) {
    return arrow::Status::Invalid("dictionary indices that are not words");
  }
  return arrow::Status::OK();
}

arrow::Result<MiniBlockLayout> ParseMiniBlock(const pb::v2_1::MiniBlockLayout& message, const PageMetadata& page,
                                              const ColumnLayers& layers, FileVersion version) {
  MiniBlockLayout layout;
  layout.large = message.has_large_chunk();
  if (layout.large != (version == FileVersion::kV2_2)) {
    return arrow::Status::Invalid("a mini-block page with ", layout.large ? 32 : 16,
                                  "-bit chunk words in a file of version ", ToString(version));
  }
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers(), layers));
  ARROW_ASSIGN_OR_RAISE(layout.repetition, ParseLevels(message.has_rep_compression(), message.rep_compression()));
  ARROW_ASSIGN_OR_RAISE(layout.definition, ParseLevels(message.has_def_compression(), message.def_compression()));
  ARROW_ASSIGN_OR_RAISE(layout.values, ParseCompression(message.value_compression()));
  ARROW_RETURN_NOT_OK(ParseDictionary(message, &layout));
  if (layout.values.value_bits() == 0 || (layout.dictionary && layout.dictionary->value_bits() == 0)) {
    return arrow::Status::NotImplemented("a mini-block page of vectors all of whose elements are null");
  }
  layout.num_value_buffers = message.num_buffers();
  if (layout.num_value_buffers == 0 || layout.num_value_buffers > kMaxValueBuffers) {
    return arrow::Status::Invalid("a mini-block page with ", layout.num_value_buffers, " value buffers");
  }
  layout.has_repetition_index = message.repetition_index_depth() > 0;
  if (message.repetition_index_depth() > 1) {
    return arrow::Status::NotImplemented("a repetition index of depth ", message.repetition_index_depth());
  }
  if (layout.levels.has_lists() != layout.repetition.has_value() ||
      layout.levels.has_lists() != layout.has_repetition_index) {
    return arrow::Status::Invalid("a mini-block page whose layers and repetition levels disagree");
  }
  layout.num_values = message.num_items();
  if (!layout.levels.has_lists() && layout.num_values != page.num_rows) {
    return arrow::Status::Invalid("a mini-block page of ", layout.num_values, " values for ", page.num_rows, " rows");
  }
  ARROW_RETURN_NOT_OK(CheckNumBuffers(
      page, 2 + (layout.dictionary ? uint64_t{1} : 0) + (layout.has_repetition_index ? uint64_t{1} : 0), "mini-block"));
  return layout;
}

/// Values of fixed width that stand in full-zip pages, with the validity of their elements.
arrow::Status CheckZippedBits(const Compression& values, uint64_t claimed) {
  if (!std::holds_alternative<FlatCompression>(values.kind) &&
      !std::holds_alternative<FixedSizeListCompression>(values.kind)) {
    return arrow::Status::NotImplemented("a full-zip page of compressed values of fixed width");
  }
  const auto* nullable = values.nullable_items();
  const uint64_t bits = *values.value_bits() + (nullable == nullptr ? 0 : nullable->validity_bytes() * 8);
  if (bits == claimed && bits % 8 == 0) return arrow::Status::OK();
  return arrow::Status::Invalid("a full-zip page of ", claimed, " bits a value, encoded in ", bits);
}

arrow::Result<FullZipLayout> ParseFullZip(const pb::v2_1::FullZipLayout& message, const PageMetadata& page,
                                          const ColumnLayers& layers) {
  FullZipLayout layout;
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers(), layers));
  ARROW_ASSIGN_OR_RAISE(layout.values, ParseCompression(message.value_compression()));
  if (message.has_bits_per_value()) {
    if (layout.values.is_variable()) return arrow::Status::Invalid("a full-zip page of fixed width of other values");
    ARROW_RETURN_NOT_OK(CheckZippedBits(layout.values, message.bits_per_value()));
  } else {
    layout.length_bits = message.bits_per_offset();
    if (!layout.values.is_variable() || (layout.length_bits != 32 && layout.length_bits != 64)) {
      return arrow::Status::Invalid("a full-zip page of values with lengths of ", layout.length_bits, " bits");
    }
  }
  layout.repetition_bits = message.bits_rep();
  layout.definition_bits = message.bits_def();
  if (layout.repetition_bits > 16 || layout.definition_bits > 16 ||
      layout.levels.has_lists() != (layout.repetition_bits > 0)) {
    return arrow::Status::Invalid("a full-zip page with levels of ", layout.repetition_bits, " and ",
                                  layout.definition_bits, " bits");
  }
  ARROW_RETURN_NOT_OK(CheckNumBuffers(page, layout.has_index() ? 2 : 1, "full-zip"));
  return layout;
}

arrow::Result<ConstantLayout> ParseConstant(const pb::v2_1::ConstantLayout& message, const PageMetadata& page,
                                            const ColumnLayers& layers, FileVersion version) {
  ConstantLayout layout;
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers(), layers));
  if (message.has_inline_value()) layout.inline_value = message.inline_value();
  ARROW_ASSIGN_OR_RAISE(layout.repetition, ParseLevels(message.has_rep_compression(), message.rep_compression()));
  ARROW_ASSIGN_OR_RAISE(layout.definition, ParseLevels(message.has_def_compression(), message.def_compression()));
  layout.num_repetition_levels = message.num_rep_values();
  layout.num_definition_levels = message.num_def_values();
  if (version == FileVersion::kV2_1 && (layout.inline_value || layout.repetition || layout.definition)) {
    return arrow::Status::Invalid("a constant page with an inline value or compressed levels in a file of version 2.1");
  }
  const size_t num_buffers = page.buffers.size();
  const size_t num_level_buffers = num_buffers - (layout.has_scalar_buffer(num_buffers) ? 1 : 0);
  if (num_level_buffers != 0 && num_level_buffers != 2) {
    return arrow::Status::Invalid("a constant page with ", num_buffers, " buffers");
  }
  if (layout.levels.has_lists() && num_level_buffers == 0)
    return arrow::Status::Invalid("a constant page of lists without levels");
  return layout;
}

/// The three layouts that hold values themselves.
template <typename Layout>
arrow::Result<Layout> ParsePlain(const pb::v2_1::PageLayout& message, const PageMetadata& page,
                                 const ColumnLayers& layers, FileVersion version) {
  switch (message.layout_case()) {
    case pb::v2_1::PageLayout::kMiniBlockLayout:
      return ParseMiniBlock(message.mini_block_layout(), page, layers, version);
    case pb::v2_1::PageLayout::kFullZipLayout:
      return ParseFullZip(message.full_zip_layout(), page, layers);
    case pb::v2_1::PageLayout::kConstantLayout:
      return ParseConstant(message.constant_layout(), page, layers, version);
    case pb::v2_1::PageLayout::kBlobLayout:
      return arrow::Status::Invalid("blobs inside blobs");
    case pb::v2_1::PageLayout::kSparseLayout:
      return arrow::Status::NotImplemented("the page layout 'sparse_layout'");
    default:
      return arrow::Status::NotImplemented("a page layout newer than this reader, or none");
  }
}

arrow::Result<PageLayout> ParseBlob(const pb::v2_1::BlobLayout& message, const PageMetadata& page,
                                    const ColumnLayers& layers, FileVersion version) {
  using Inner = decltype(BlobLayout::inner)::element_type;
  BlobLayout layout;
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers(), layers));
  if (layout.levels.has_lists()) return arrow::Status::NotImplemented("blobs inside lists");
  ARROW_ASSIGN_OR_RAISE(auto inner,
                        ParsePlain<std::remove_const_t<Inner>>(message.inner_layout(), page, ColumnLayers(), version));
  layout.inner = std::make_shared<Inner>(std::move(inner));
  return layout;
}

struct CompressionOf {
  const Compression* operator()(const MiniBlockLayout& layout) const {
    return layout.dictionary ? &*layout.dictionary : &layout.values;
  }
  const Compression* operator()(const FullZipLayout& layout) const { return &layout.values; }
  const Compression* operator()(const ConstantLayout&) const { return nullptr; }
  const Compression* operator()(const BlobLayout& layout) const { return std::visit(*this, *layout.inner); }
};

}  // namespace

uint32_t FullZipLayout::control_bytes() const {
  const uint32_t bits = repetition_bits + definition_bits;
  if (bits == 0) return 0;
  if (bits <= 8) return 1;
  return bits <= 16 ? 2 : 4;
}

arrow::Result<PageLayout> ParsePageLayout(const PageMetadata& page, const ColumnLayers& layers, FileVersion version) {
  if (page.encoding_type_url != kPageLayoutUrl) {
    return arrow::Status::NotImplemented("pages of type '", page.encoding_type_url, "'");
  }
  pb::v2_1::PageLayout message;
  if (page.encoding.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(page.encoding.data(), static_cast<int>(page.encoding.size()))) {
    return arrow::Status::Invalid("the encoding of a page is not a valid message");
  }
  if (message.has_blob_layout()) return ParseBlob(message.blob_layout(), page, layers, version);
  return ParsePlain<PageLayout>(message, page, layers, version);
}

const Compression* ValueCompression(const PageLayout& layout) {
  return std::visit(CompressionOf{}, layout);
}

}  // namespace fewter::lance
