#pragma once

#include <cstdint>
#include <memory>

#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/quantizer/registry.h"

/// SQ: scalar quantisation. One byte a dimension, which says where between the bounds, the same for all dimensions, the
/// value lies; values beyond them are brought to them.
///
/// For L2 and cosine the query is quantised as the data were, and a distance is the sum of squared differences of the
/// bytes, exact, times the square of a byte's step. For cosine it is that of L2 between unit vectors, about 2 (1 -
/// cos); the caller has normalised the query. For dot the query is taken as it is.

namespace fewter {

/// The range that the 256 values of a byte divide, as Lance trains it.
struct SqBounds {
  double start = 0;
  double end = 0;
};

/// The quantizer of an IVF_SQ index; Lance's metadata is {"dim": …, "num_bits": 8, "bounds": {"start": …, "end": …}}.
/// Invalid, naming the field, if it is malformed, dim is not that of the centroids, or the bounds are not a finite
/// range of floats.
arrow::Result<std::shared_ptr<const Quantizer>> MakeSqQuantizer(const QuantizerSource& source);

/// The byte that stands for a value, computed in float64 and truncated as Lance does; 0 for NaN, or if the bounds are
/// equal.
uint8_t QuantizeToByte(const SqBounds& bounds, float value);

extern const StorageKindEntry kSqKind;

}  // namespace fewter
