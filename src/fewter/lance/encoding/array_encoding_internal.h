#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include <arrow/result.h>

#include "fewter/lance/file_metadata.h"

/// How a page of version 2.0 is encoded: the tree of array encodings, checked against its page.
///
/// Of all trees only two shapes are read: plain values or vectors with or without nulls, and the offsets of lists of
/// them. Each is flattened to one struct.

namespace fewter::lance {

/// Plain values of fixed width.
struct PlainArray {
  /// Bits of one value; a whole vector for a fixed-size list. 0 if all are null, and then there is no buffer either.
  uint64_t bits = 0;
  /// With 0 bits: not the vectors are null, but their items.
  bool only_items_are_null = false;
  ByteRange values;
  /// A bit a value, set where there is one; absent if none is null.
  std::optional<ByteRange> validity;
  /// The same for each item of a vector.
  std::optional<ByteRange> item_validity;
  /// Flat values in one value; 1 unless it is a vector.
  uint64_t items = 1;
};

/// Lists, whose items are the rows of the next column.
struct ListArray {
  /// Where each row's items end, counted from the page's first item.
  ByteRange offsets;
  /// Offsets from here on belong to null lists, and are too large by this number.
  uint64_t null_offset_adjustment = 0;
  uint64_t num_items = 0;
};

using ArrayPage = std::variant<PlainArray, ListArray>;

/// Decodes the page's encoding message. NotImplemented, naming the encoding, for what we do not read. Invalid for what
/// is malformed or too large for the page's buffers.
arrow::Result<ArrayPage> ParseArrayPage(const PageMetadata& page);

}  // namespace fewter::lance
