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
};

/// How the null items of a page's vectors lie; null if none can be null.
const FixedSizeListCompression* NullableItems(const PageLayout& layout) {
  if (const auto* mini_block = std::get_if<MiniBlockLayout>(&layout)) return mini_block->values.nullable_items();
  if (const auto* full_zip = std::get_if<FullZipLayout>(&layout)) return full_zip->values.nullable_items();
  return nullptr;
}

}  // namespace

uint64_t TotalSize(Buffers buffers) {
  uint64_t size = 0;
  for (const auto& buffer : buffers) size += static_cast<uint64_t>(buffer->size());
  return size;
}

std::vector<ByteRange> OpeningRanges(const PageLayout& layout, const PageMetadata& page) {
  return std::visit([&](const auto& kind) { return OpeningRanges(kind, page); }, layout);
}

arrow::Result<std::shared_ptr<const PageReader>> OpenPage(const PageLayout& layout, const PageMetadata& page,
                                                          const ValueType& type, Buffers opening) {
  if (const auto bits = ValueBits(layout); bits && *bits != type.bits()) {
    return arrow::Status::Invalid("pages of one column with values of ", *bits, " and of ", type.bits(), " bits");
  }
  const auto* nullable = NullableItems(layout);
  if (nullable != nullptr && nullable->num_items != type.num_items()) {
    return arrow::Status::Invalid("pages of one column with values of ", nullable->num_items, " and of ",
                                  type.num_items(), " items");
  }
  return std::visit(Opener{page, type, opening}, layout);
}

}  // namespace fewter::lance
