#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include <arrow/result.h>

#include "fewter/lance/encoding/general_compression_internal.h"

/// How the values of a page of version 2.1 or later are compressed: the protobuf message, checked.

namespace fewter::lance {

namespace pb::v2_1 {
class CompressiveEncoding;
}

/// Plain values, one after the other. 1, 8, 16, 32 or 64 bits each.
struct FlatCompression {
  uint32_t bits = 0;
};

/// Plain vectors; lists of lists are one list of all their values. `bits` is 8, 16, 32 or 64, or 0 if all items of all
/// vectors are null, and have no values.
struct FixedSizeListCompression {
  uint64_t num_items = 0;
  uint32_t bits = 0;
  /// Items may be null: each has a bit, set if it is not.
  bool has_validity = false;

  /// In full-zip pages those of a vector stand before it, in whole bytes.
  uint64_t validity_bytes() const { return has_validity ? (num_items + 7) / 8 : 0; }
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

struct RunLengthCompression {
  uint32_t value_bits = 0;
  uint32_t length_bits = 0;
};

struct Compression;

/// Anything of the above, compressed once more as bytes.
struct GeneralCompression {
  CompressionScheme scheme = CompressionScheme::kLz4;
  std::shared_ptr<const Compression> values;
};

struct Compression {
  std::variant<FlatCompression, FixedSizeListCompression, InlineBitPacking, OutOfLineBitPacking, RunLengthCompression,
               GeneralCompression>
      kind;

  /// The bits of one decoded value, a whole vector for lists; 0 if that has none. At most 2^32.
  uint64_t value_bits() const;
  /// If the values are vectors whose items may be null, how these lie; null otherwise.
  const FixedSizeListCompression* nullable_items() const {
    const auto* list = std::get_if<FixedSizeListCompression>(&kind);
    return list != nullptr && list->has_validity ? list : nullptr;
  }
};

/// Checks a message. NotImplemented, naming it, for an encoding that we do not read; Invalid for a malformed one or one
/// nested too deeply.
arrow::Result<Compression> ParseCompression(const pb::v2_1::CompressiveEncoding& message);

}  // namespace fewter::lance
