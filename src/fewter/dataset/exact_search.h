#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "fewter/dataset/vector_column.h"
#include "fewter/lance/manifest.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

namespace fewter {

/// Compares one query with vectors as they stand in the data files: by the kernels of FLAT indexes, with distances as
/// Lance reports them for those. Not thread safe.
class ExactScorer {
 public:
  /// Invalid for Hamming over anything but uint8, and for uint8 under anything but Hamming. `query` has as many floats
  /// as a vector elements, and is copied.
  static arrow::Result<ExactScorer> Make(ElementType element_type, uint32_t dimension, Metric metric,
                                         const float* query);

  /// Pushes the rows that may belong to the nearest; row_ids[i] names the i-th. Rows without a vector are left out.
  arrow::Status Score(const std::vector<uint64_t>& row_ids, const arrow::FixedSizeListArray& vectors, TopK* top_k);

 private:
  std::shared_ptr<const Quantizer> quantizer_;
  std::unique_ptr<QueryScorer> scorer_;
};

/// What one query has found so far.
struct ExactSearch {
  ExactScorer scorer;
  TopK top_k;
};

/// Pushes the rows of a fragment to each of the searches, a piece of the file at a time. `row_ids` are those of all its
/// rows; the filters must keep kDeletedRowId out if a row was deleted.
arrow::Status SearchFragment(VectorColumn* column, const lance::Fragment& fragment,
                             const std::vector<uint64_t>& row_ids, std::span<ExactSearch> searches);

}  // namespace fewter
