#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/encoding/column_builder_internal.h"
#include "fewter/lance/encoding/page_layout_internal.h"
#include "fewter/lance/encoding/stepped_read_internal.h"
#include "fewter/lance/object_store.h"

/// Reading rows of one page of version 2.1 or later, in two steps so that the IO of many pages can be done at once.

namespace fewter::lance {

/// The bytes of all buffers together.
uint64_t TotalSize(Buffers buffers);
/// The rows of all ranges together.
uint64_t TotalLength(std::span<const RowRange> ranges);

/// A page that has everything it needs to find its rows. Immutable and so thread safe.
class PageReader {
 public:
  virtual ~PageReader() = default;

  /// The byte ranges of the file that hold these rows: ranges of the page's own, one after the other, in any order.
  virtual arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange> rows) const = 0;

  /// Appends the rows to `out`. `bytes` are the ranges that Plan named for the same rows.
  virtual arrow::Status Decode(std::span<const RowRange> rows, Buffers bytes, ColumnBuilder* out) const = 0;
};

/// The byte ranges that must be read once before a page's rows can be found: chunk words, a dictionary, an index of
/// repetitions, the levels of a constant page. Often none.
std::vector<ByteRange> OpeningRanges(const PageLayout& layout, const PageMetadata& page);

/// Where what the page's reader will name for these rows probably lies, as can be told before OpeningRanges have been
/// read. None if it is certain anyway, or cannot be told.
std::vector<ByteRange> LikelyRanges(const PageLayout& layout, const PageMetadata& page, std::span<const RowRange> rows);

/// Makes the reader of a page of values of `type`. `opening` are the bytes of OpeningRanges.
arrow::Result<std::shared_ptr<const PageReader>> OpenPage(const PageLayout& layout, const PageMetadata& page,
                                                          const ValueType& type, Buffers opening);

/// The steps of the layouts, which OpeningRanges and OpenPage choose from.
std::vector<ByteRange> OpeningRanges(const MiniBlockLayout& layout, const PageMetadata& page);
std::vector<ByteRange> OpeningRanges(const FullZipLayout& layout, const PageMetadata& page);
std::vector<ByteRange> OpeningRanges(const ConstantLayout& layout, const PageMetadata& page);
std::vector<ByteRange> OpeningRanges(const BlobLayout& layout, const PageMetadata& page);
std::vector<ByteRange> LikelyRanges(const MiniBlockLayout& layout, const PageMetadata& page,
                                    std::span<const RowRange> rows);
arrow::Result<std::shared_ptr<const PageReader>> OpenMiniBlockPage(const MiniBlockLayout& layout,
                                                                   const PageMetadata& page, Buffers opening);
arrow::Result<std::shared_ptr<const PageReader>> OpenFullZipPage(const FullZipLayout& layout, const PageMetadata& page,
                                                                 Buffers opening);
arrow::Result<std::shared_ptr<const PageReader>> OpenConstantPage(const ConstantLayout& layout,
                                                                  const PageMetadata& page, const ValueType& type,
                                                                  Buffers opening);
arrow::Result<std::shared_ptr<const PageReader>> OpenBlobPage(const BlobLayout& layout, const PageMetadata& page,
                                                              const ValueType& type, Buffers opening);

}  // namespace fewter::lance
