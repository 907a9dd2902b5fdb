#pragma once

#include <memory>

#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/quantizer/registry.h"

/// FLAT over a column of bytes: the vectors themselves, eight dimensions to a byte, compared by the bits in which they
/// differ (Hamming). What the rest of the code calls the dimension is the number of bytes.

namespace fewter {

/// The quantizer of an IVF_FLAT index over bytes; Lance's metadata is {"dim": …}, in bytes. Invalid, naming the field,
/// if it is malformed or dim is not that of the centroids, or if the elements are not bytes.
arrow::Result<std::shared_ptr<const Quantizer>> MakeFlatBinaryQuantizer(const QuantizerSource& source);

extern const StorageKindEntry kFlatBinaryKind;

}  // namespace fewter
