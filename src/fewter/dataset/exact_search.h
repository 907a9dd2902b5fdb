#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "fewter/dataset/vector_column.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

namespace arrow::internal {
class Executor;
}

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

/// Where an exact search reads vectors, and with which threads it compares them. What is named must outlive it.
struct ExactScan {
  const lance::ObjectStore& store;
  const lance::Manifest& manifest;
  VectorColumn& column;
  /// At most so many threads compare, the caller's included: of this executor or, of a remote store, those that have
  /// read. The result does not depend on it.
  size_t threads = 1;
  arrow::internal::Executor* executor = nullptr;
};

/// What each query finds among the rows of some fragments, a few MiB of which are read at a time: of a remote store
/// side by side, up to a bound of the bytes under way. `make_searches` makes a search for each query, and is called at
/// most once a thread; the filters must keep kDeletedRowId out if a row was deleted.
arrow::Result<std::vector<std::vector<Neighbor>>> SearchFragments(
    const ExactScan& scan, std::span<const lance::Fragment* const> fragments,
    const std::function<arrow::Result<std::vector<ExactSearch>>()>& make_searches);

}  // namespace fewter
