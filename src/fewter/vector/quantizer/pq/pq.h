#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/array.h>

#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/quantizer/registry.h"

/// PQ: product quantisation (Jégou, Douze, Schmid 2011). A vector (for L2 and cosine its residual to the partition's
/// centroid) is cut into m sub-vectors, each replaced by the number of its nearest codeword: 8 bits, or 4 bits and then
/// two sub-vectors to a byte, the even one in the low half.
///
/// A distance is a sum of one table entry per sub-vector, added in float32 from the first sub-vector on, as Lance does.
/// For cosine it is that of L2 between unit vectors, about 2 (1 - cos); the caller has normalised the query. Scans read
/// the codes column by column, graphs row by row; the sums are the same bit for bit.

namespace fewter {

/// What Lance's storage_metadata of a PQ index says. Old names and defaults are understood: `num_bits` for `nbits`,
/// `transposed` missing means false.
struct PqMetadata {
  uint32_t num_bits = 8;
  uint32_t num_sub_vectors = 0;
  uint32_t dimension = 0;
  /// Whether the codes in the file are column-major within a partition.
  bool transposed = false;
  /// The global buffer of auxiliary.idx that holds the codebook; 0 if it is inline.
  uint32_t codebook_position = 0;
  /// The Tensor message's bytes, if inline (indexes of releases before 0.30).
  std::string inline_codebook;

  /// Invalid, naming the field, if something is missing, malformed or out of range. Never throws.
  static arrow::Result<PqMetadata> Parse(std::string_view storage_metadata);

  /// Invalid, naming the field, unless there are 4 or 8 bits, at least one sub-vector, an even number of them for 4
  /// bits, and the dimension is a multiple of their number. (Says nothing of where the codebook is.)
  arrow::Status CheckShape() const;
};

/// `codebook` holds num_sub_vectors x 2^num_bits x (dimension / num_sub_vectors) floats in that order, as in the file.
/// Invalid if its length is another or it has nulls, or if the metadata's shape is not valid.
arrow::Result<std::shared_ptr<const Quantizer>> MakePqQuantizer(const PqMetadata& metadata,
                                                                const arrow::FloatArray& codebook);

extern const StorageKindEntry kPqKind;

}  // namespace fewter
