#include "fewter/lance/encoding/page_layout_internal.h"

#include <limits>
#include <utility>
#include <vector>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/lance/proto/encodings_v2_1.pb.h"

namespace fewter::lance {
namespace {

constexpr std::string_view kPageLayoutUrl = "/lance.encodings21.PageLayout";
/// Any value compression we know has one or two.
constexpr uint64_t kMaxValueBuffers = 4;

template <typename Layers>
arrow::Result<LevelMeaning> ParseLayers(const Layers& layers) {
  return LevelMeaning::FromLayers(std::vector<int>(layers.begin(), layers.end()));
}

/// The compression of levels, if the message has one.
arrow::Result<std::optional<Compression>> ParseLevels(bool present, const pb::v2_1::CompressiveEncoding& message) {
  if (!present) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(Compression levels, ParseCompression(message));
  if (levels.value_bits() != 16) return arrow::Status::Invalid("levels of ", levels.value_bits(), " bits");
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
  if (!IsWordWidth(layout->values.value_bits())) {
    return arrow::Status::Invalid("dictionary indices of ", layout->values.value_bits(), " bits");
  }
  return arrow::Status::OK();
}

arrow::Result<PageLayout> ParseMiniBlock(const pb::v2_1::MiniBlockLayout& message, const PageMetadata& page,
                                         FileVersion version) {
  MiniBlockLayout layout;
  layout.large = message.has_large_chunk();
  if (layout.large != (version == FileVersion::kV2_2)) {
    return arrow::Status::Invalid("a mini-block page with ", layout.large ? 32 : 16,
                                  "-bit chunk words in a file of version ", ToString(version));
  }
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers()));
  ARROW_ASSIGN_OR_RAISE(layout.repetition, ParseLevels(message.has_rep_compression(), message.rep_compression()));
  ARROW_ASSIGN_OR_RAISE(layout.definition, ParseLevels(message.has_def_compression(), message.def_compression()));
  ARROW_ASSIGN_OR_RAISE(layout.values, ParseCompression(message.value_compression()));
  if (layout.values.value_bits() == 0)
    return arrow::Status::NotImplemented("a mini-block page of nothing but null items");
  ARROW_RETURN_NOT_OK(ParseDictionary(message, &layout));
  layout.num_value_buffers = message.num_buffers();
  if (layout.num_value_buffers == 0 || layout.num_value_buffers > kMaxValueBuffers) {
    return arrow::Status::Invalid("a mini-block page with ", layout.num_value_buffers, " value buffers");
  }
  layout.has_repetition_index = message.repetition_index_depth() > 0;
  if (message.repetition_index_depth() > 1) {
    return arrow::Status::NotImplemented("a repetition index of depth ", message.repetition_index_depth());
  }
  if (layout.levels.is_list != layout.repetition.has_value() || layout.levels.is_list != layout.has_repetition_index) {
    return arrow::Status::Invalid("a mini-block page whose layers and repetition levels disagree");
  }
  layout.num_values = message.num_items();
  if (!layout.levels.is_list && layout.num_values != page.num_rows) {
    return arrow::Status::Invalid("a mini-block page of ", layout.num_values, " values for ", page.num_rows, " rows");
  }
  ARROW_RETURN_NOT_OK(CheckNumBuffers(
      page, 2 + (layout.dictionary ? uint64_t{1} : 0) + (layout.has_repetition_index ? uint64_t{1} : 0), "mini-block"));
  return PageLayout(std::move(layout));
}

arrow::Result<PageLayout> ParseFullZip(const pb::v2_1::FullZipLayout& message, const PageMetadata& page) {
  if (!message.has_bits_per_value()) return arrow::Status::NotImplemented("a full-zip page of variable-width values");
  FullZipLayout layout;
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers()));
  ARROW_ASSIGN_OR_RAISE(layout.values, ParseCompression(message.value_compression()));
  if (!std::holds_alternative<FlatCompression>(layout.values.kind) &&
      !std::holds_alternative<FixedSizeListCompression>(layout.values.kind)) {
    return arrow::Status::NotImplemented("a full-zip page of compressed values");
  }
  const auto* nullable = layout.values.nullable_items();
  const uint64_t bits = layout.values.value_bits() + (nullable == nullptr ? 0 : nullable->validity_bytes() * 8);
  if (bits != message.bits_per_value() || bits % 8 != 0) {
    return arrow::Status::Invalid("a full-zip page of ", message.bits_per_value(), " bits a value, encoded in ", bits);
  }
  layout.repetition_bits = message.bits_rep();
  layout.definition_bits = message.bits_def();
  if (layout.repetition_bits > 16 || layout.definition_bits > 16 ||
      layout.levels.is_list != (layout.repetition_bits > 0)) {
    return arrow::Status::Invalid("a full-zip page with levels of ", layout.repetition_bits, " and ",
                                  layout.definition_bits, " bits");
  }
  ARROW_RETURN_NOT_OK(CheckNumBuffers(page, layout.levels.is_list ? 2 : 1, "full-zip"));
  return PageLayout(std::move(layout));
}

arrow::Result<PageLayout> ParseConstant(const pb::v2_1::ConstantLayout& message, const PageMetadata& page,
                                        FileVersion version) {
  ConstantLayout layout;
  ARROW_ASSIGN_OR_RAISE(layout.levels, ParseLayers(message.layers()));
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
  if (layout.levels.is_list && num_level_buffers == 0)
    return arrow::Status::Invalid("a constant page of lists without levels");
  return PageLayout(std::move(layout));
}

struct BitsOf {
  std::optional<uint64_t> operator()(const MiniBlockLayout& layout) const {
    return layout.dictionary ? layout.dictionary->value_bits() : layout.values.value_bits();
  }
  std::optional<uint64_t> operator()(const FullZipLayout& layout) const {
    const uint64_t bits = layout.values.value_bits();
    return bits == 0 ? std::nullopt : std::optional(bits);
  }
  std::optional<uint64_t> operator()(const ConstantLayout&) const { return std::nullopt; }
};

}  // namespace

uint32_t FullZipLayout::control_bytes() const {
  const uint32_t bits = repetition_bits + definition_bits;
  if (bits == 0) return 0;
  if (bits <= 8) return 1;
  return bits <= 16 ? 2 : 4;
}

arrow::Result<PageLayout> ParsePageLayout(const PageMetadata& page, FileVersion version) {
  if (page.encoding_type_url != kPageLayoutUrl) {
    return arrow::Status::NotImplemented("pages of type '", page.encoding_type_url, "'");
  }
  pb::v2_1::PageLayout message;
  if (page.encoding.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(page.encoding.data(), static_cast<int>(page.encoding.size()))) {
    return arrow::Status::Invalid("the encoding of a page is not a valid message");
  }
  switch (message.layout_case()) {
    case pb::v2_1::PageLayout::kMiniBlockLayout:
      return ParseMiniBlock(message.mini_block_layout(), page, version);
    case pb::v2_1::PageLayout::kFullZipLayout:
      return ParseFullZip(message.full_zip_layout(), page);
    case pb::v2_1::PageLayout::kConstantLayout:
      return ParseConstant(message.constant_layout(), page, version);
    case pb::v2_1::PageLayout::kBlobLayout:
      return arrow::Status::NotImplemented("the page layout 'blob_layout'");
    case pb::v2_1::PageLayout::kSparseLayout:
      return arrow::Status::NotImplemented("the page layout 'sparse_layout'");
    default:
      return arrow::Status::NotImplemented("a page layout newer than this reader, or none");
  }
}

std::optional<uint64_t> ValueBits(const PageLayout& layout) {
  return std::visit(BitsOf{}, layout);
}

}  // namespace fewter::lance
