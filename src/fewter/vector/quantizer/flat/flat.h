#pragma once

#include <memory>

#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/quantizer/registry.h"

/// FLAT: the vectors themselves, float32, float16 or float64 as in the column. For cosine Lance stores them normalised.
///
/// Partitions without a graph keep a sketch of a byte an element beside each vector, which bounds the distance: a scan
/// reads the sketches, and of the vectors few (flat_storage_internal.h). Results are those of a scan of all vectors.
///
/// Sums are float32, over float64 vectors float64. Bytes are a kind of their own, see flat_binary/.

namespace fewter {

/// The quantizer of an IVF_FLAT index; Lance's metadata is {"dim": …}. Invalid, naming the field, if it is malformed or
/// dim is not that of the centroids, or if the elements are bytes.
arrow::Result<std::shared_ptr<const Quantizer>> MakeFlatQuantizer(const QuantizerSource& source);

extern const StorageKindEntry kFlatKind;

}  // namespace fewter
