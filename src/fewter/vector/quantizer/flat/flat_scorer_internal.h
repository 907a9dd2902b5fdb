#pragma once

#include <memory>

#include "fewter/vector/element_type.h"
#include "fewter/vector/quantizer/quantizer.h"

namespace fewter {

/// Scores storages of vectors of a type, with sketches or without. The query has `dimension` floats and is copied.
std::unique_ptr<QueryScorer> MakeFlatScorer(ElementType element_type, const float* query, uint32_t dimension,
                                            Metric metric);

}  // namespace fewter
