#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/encoding/fsst_internal.h"
#include "fewter/lance/encoding/general_compression_internal.h"
#include "fewter/lance/file_metadata.h"

/// How a page of version 2.0 is encoded: the tree of array encodings, checked against its page. Trees are only read in
/// the shapes in which they are written, each of which is flattened to one struct.

namespace fewter::lance {

/// Plain values of fixed width, or vectors of them; packed structs, too.
struct PlainArray {
  /// The elements of vectors at one depth.
  struct Dimension {
    /// In one value: the product of the lengths so far.
    uint64_t num_items = 0;
    /// A bit for each, set where it is not null; absent if none is null.
    std::optional<ByteRange> validity;
    bool all_null = false;
  };

  /// Bits of one value, a whole vector for vectors. 0 if there are none, since all are null.
  uint64_t bits = 0;
  /// Bits of one element: 1 for bools and vectors of them.
  uint64_t element_bits = 0;
  ByteRange values;
  /// A bit a value, set where it is not null; absent if none is null.
  std::optional<ByteRange> validity;
  bool all_null = false;
  /// The outermost first.
  std::vector<Dimension> dimensions;
};

/// Values of varying length.
struct BinaryArray {
  /// Where each value ends (u64).
  ByteRange ends;
  ByteRange bytes;
  /// How `bytes` is compressed as a whole.
  std::optional<CompressionScheme> compression;
  /// Ends from here on belong to null values, and are too large by this number.
  uint64_t null_adjustment = 0;
  /// How each value is compressed; null if it is not.
  std::shared_ptr<const FsstDecoder> fsst;
};

struct DictionaryArray {
  /// Words of 8 to 64 bits.
  PlainArray indices;
  std::variant<PlainArray, BinaryArray> items;
  uint64_t num_items = 0;
};

/// Lists, whose items are the rows of the next column.
struct ListArray {
  /// Where each row's items end (u64), counted from the page's first item.
  ByteRange offsets;
  /// Offsets from here on belong to null lists, and are too large by this number.
  uint64_t null_offset_adjustment = 0;
  uint64_t num_items = 0;
};

using ArrayPage = std::variant<PlainArray, BinaryArray, DictionaryArray, ListArray>;

/// Decodes the page's encoding message. NotImplemented, naming the encoding, for what we do not read. Invalid for what
/// is malformed or too large for the page's buffers.
arrow::Result<ArrayPage> ParseArrayPage(const PageMetadata& page);

}  // namespace fewter::lance
