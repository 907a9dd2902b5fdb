#include "fewter/lance/encoding/page_reader_internal.h"

namespace fewter::lance {
namespace {

struct Opener {
  const PageMetadata& page;
  const ValueType& type;
  Buffers opening;

  arrow::Result<std::shared_ptr<const PageReader>> operator()(const MiniBlockLayout& layout) const {
    return OpenMiniBlockPage(layout, page, opening);
  }
  arrow::Result<std::shared_ptr<const PageReader>> operator()(const FullZipLayout& layout) const {
    return OpenFullZipPage(layout, page, opening);
  }
  arrow::Result<std::shared_ptr<const PageReader>> operator()(const ConstantLayout& layout) const {
    return OpenConstantPage(layout, page, type, opening);
  }
  arrow::Result<std::shared_ptr<const PageReader>> operator()(const BlobLayout& layout) const {
    return OpenBlobPage(layout, page, type, opening);
  }
};

/// Whether values compressed like this can be of this type.
arrow::Status CheckFits(const Compression& compression, const ValueType& type) {
  const auto bits = compression.value_bits();
  if (!bits || type.is_variable()) {
    if (!bits && type.is_variable()) return arrow::Status::OK();
    // Structs of fixed width may be packed in the way that is meant for others, field by field.
    const bool is_packed = std::holds_alternative<VariablePackedStruct>(compression.kind);
    if (is_packed && !type.members.empty()) return arrow::Status::OK();
    return arrow::Status::Invalid("values of ", bits ? "fixed" : "varying", " length in a column of type ",
                                  type.ToArrow()->ToString());
  }
  const auto* list = std::get_if<FixedSizeListCompression>(&compression.kind);
  const bool has_values = list == nullptr || list->bits > 0;
  if (has_values && *bits != type.bits()) {
    return arrow::Status::Invalid("pages of one column with values of ", *bits, " and of ", type.bits(), " bits");
  }
  if (has_values && (compression.element_bits() == 1) != (type.primitive->id() == arrow::Type::BOOL)) {
    return arrow::Status::Invalid("values of ", compression.element_bits(), " bits in a column of type ",
                                  type.ToArrow()->ToString());
  }
  const auto* nullable = compression.nullable_items();
  if (nullable == nullptr) return arrow::Status::OK();
  uint64_t num_items = 1;
  for (size_t i = 0; i < nullable->dimensions.size(); ++i) {
    if (i < type.dimensions.size()) num_items *= static_cast<uint64_t>(type.dimensions[i]);
    if (i >= type.dimensions.size() || nullable->dimensions[i].num_items != num_items) {
      return arrow::Status::Invalid("vectors of other lengths in a column of type ", type.ToArrow()->ToString());
    }
  }
  return arrow::Status::OK();
}

}  // namespace

uint64_t TotalSize(Buffers buffers) {
  uint64_t size = 0;
  for (const auto& buffer : buffers) size += static_cast<uint64_t>(buffer->size());
  return size;
}

uint64_t TotalLength(std::span<const RowRange> ranges) {
  uint64_t length = 0;
  for (const RowRange& range : ranges) length += range.length;
  return length;
}

std::vector<ByteRange> OpeningRanges(const PageLayout& layout, const PageMetadata& page) {
  return std::visit([&](const auto& kind) { return OpeningRanges(kind, page); }, layout);
}

std::vector<ByteRange> LikelyRanges(const PageLayout& layout, const PageMetadata& page,
                                    std::span<const RowRange> rows) {
  // Of the others, those that are found in one step have nothing to guess, and index files have none of the rest.
  const auto* mini_block = std::get_if<MiniBlockLayout>(&layout);
  return mini_block == nullptr ? std::vector<ByteRange>() : LikelyRanges(*mini_block, page, rows);
}

arrow::Result<std::shared_ptr<const PageReader>> OpenPage(const PageLayout& layout, const PageMetadata& page,
                                                          const ValueType& type, Buffers opening) {
  if (const Compression* compression = ValueCompression(layout)) {
    ARROW_RETURN_NOT_OK(CheckFits(*compression, type));
  }
  return std::visit(Opener{page, type, opening}, layout);
}

}  // namespace fewter::lance
