#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/encoding/fsst_internal.h"
#include "fewter/lance/encoding/general_compression_internal.h"

/// How the values of a page of version 2.1 or later are compressed: the protobuf message, checked.

namespace fewter::lance {

namespace pb::v2_1 {
class CompressiveEncoding;
}

/// Plain values, one after the other. 1 bit each, or a whole number of bytes.
struct FlatCompression {
  uint64_t bits = 0;
};

/// Plain vectors, or vectors of vectors.
struct FixedSizeListCompression {
  /// One for each dimension, the outermost first.
  struct Dimension {
    /// Elements at this depth in one value: the product of the lengths so far.
    uint64_t num_items = 0;
    /// They may be null: each has a bit, set if it is not.
    bool has_validity = false;

    /// In full-zip pages those of a value stand before it, in whole bytes.
    uint64_t validity_bytes() const { return has_validity ? (num_items + 7) / 8 : 0; }
  };
  std::vector<Dimension> dimensions;
  /// Of one element at the innermost depth: 1, or a whole number of bytes. 0 if all are null and have no bytes, which
  /// full-zip pages know.
  uint64_t bits = 0;

  uint64_t num_items() const { return dimensions.back().num_items; }
  /// The bytes of all validity in front of a value in a full-zip page.
  uint64_t validity_bytes() const;
  /// How many depths have validity, each of which is a value buffer of its own in mini-block chunks.
  uint64_t num_validities() const;
};

/// One bit-packed block that says its own width.
struct InlineBitPacking {
  uint32_t bits = 0;
};

/// Bit-packed blocks of a width known beforehand.
struct OutOfLineBitPacking {
  uint32_t bits = 0;
  uint32_t packed_bits = 0;
};

struct Compression;

struct RunLengthCompression {
  uint32_t value_bits = 0;
  uint32_t length_bits = 0;
  /// How the values and the lengths of the runs are compressed in turn; null for plain words.
  std::shared_ptr<const Compression> values;
  std::shared_ptr<const Compression> lengths;
};

/// The first bytes of all values of a chunk, then their second bytes, and so on. 32 or 64 bits each.
struct ByteStreamSplit {
  uint32_t bits = 0;
};

/// Values of varying length: offsets of 32 or 64 bits, then the bytes.
struct VariableCompression {
  uint32_t offset_bits = 0;
};

/// Values of varying length, each compressed with the page's table.
struct FsstCompression {
  std::shared_ptr<const FsstDecoder> decoder;
  uint32_t offset_bits = 0;
};

/// Structs in full-zip pages, each of whose fields is compressed in its own way.
struct VariablePackedStruct {
  struct Field {
    std::shared_ptr<const Compression> value;
    /// The bytes of a value, or of the length in front of it if `is_variable`.
    uint64_t bytes = 0;
    bool is_variable = false;
  };
  std::vector<Field> fields;
};

/// Anything of the above, compressed once more as bytes.
struct GeneralCompression {
  CompressionScheme scheme = CompressionScheme::kLz4;
  std::shared_ptr<const Compression> values;
};

struct Compression {
  std::variant<FlatCompression, FixedSizeListCompression, InlineBitPacking, OutOfLineBitPacking, RunLengthCompression,
               ByteStreamSplit, VariableCompression, FsstCompression, VariablePackedStruct, GeneralCompression>
      kind;

  /// The bits of one decoded value, a whole vector for lists; nothing if values have lengths of their own. At most
  /// 2^32.
  std::optional<uint64_t> value_bits() const;
  bool is_variable() const { return !value_bits().has_value(); }
  /// Bits of what a value is made of: 1 for bools and vectors of them.
  uint64_t element_bits() const;
  /// If the values are vectors whose items may be null, how these lie; null otherwise.
  const FixedSizeListCompression* nullable_items() const {
    const auto* list = std::get_if<FixedSizeListCompression>(&kind);
    return list != nullptr && list->num_validities() > 0 ? list : nullptr;
  }
};

/// Checks a message. NotImplemented, naming it, for an encoding that we do not read; Invalid for a malformed one or one
/// nested too deeply.
arrow::Result<Compression> ParseCompression(const pb::v2_1::CompressiveEncoding& message);

}  // namespace fewter::lance
